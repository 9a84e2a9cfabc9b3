//! Compiles `proto/` without a system protoc.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Relative, since cargo runs this in the crate's folder: clones that share a target
    // folder share this program too, and each must read its own files.
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files = [
        "xebec/v1/resources.proto",
        "xebec/v1/cluster.proto",
        "xebec/v1/nodes.proto",
        "xebec/v1/metrics.proto",
        "xebec/v1/pods.proto",
        "xebec/node/v1/node.proto",
        "xebec/node/v1/stats.proto",
        "xebec/raft/v1/raft.proto",
    ];
    let descriptors = protox::compile(files, [root])?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("descriptors.bin"), prost_bytes(&descriptors))?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}

fn prost_bytes(set: &impl protox::prost::Message) -> Vec<u8> {
    set.encode_to_vec()
}
