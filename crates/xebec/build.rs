//! How the binary is linked. Relative relocations are packed: there are 70,000 of them,
//! and every process, each pod's shim too, reads them all when it starts.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks")]

fn main() {
    println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
}
