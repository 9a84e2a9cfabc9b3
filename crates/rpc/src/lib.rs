//! The contract between processes: generated gRPC code, the one table that maps
//! API errors to gRPC, and TLS settings. Hand-written behaviour lives elsewhere.

/// Generated from `proto/xebec/v1`: what users, agents and system pods call.
#[allow(missing_docs, unreachable_pub, clippy::large_enum_variant)]
pub mod v1 {
    tonic::include_proto!("xebec.v1");
}

/// Generated from `proto/xebec/node/v1`: what an agent serves through its tunnels.
pub mod node {
    /// Version 1.
    #[allow(missing_docs, unreachable_pub)]
    pub mod v1 {
        tonic::include_proto!("xebec.node.v1");
    }
}

/// Generated from `proto/xebec/raft/v1`: masters among themselves.
pub mod raft {
    /// Version 1.
    #[allow(missing_docs, unreachable_pub, clippy::large_enum_variant)]
    pub mod v1 {
        tonic::include_proto!("xebec.raft.v1");
    }
}

/// Every descriptor of `proto/`, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

pub mod error;
pub mod object;
pub mod pinned;
pub mod tls;
