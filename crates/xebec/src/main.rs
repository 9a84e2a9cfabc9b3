//! The binary: picks one of the components.

fn main() {}
