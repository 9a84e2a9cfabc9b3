//! Verification, benches and generated files.

fn main() {}
