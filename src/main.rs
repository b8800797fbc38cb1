//! The `unionhall` binary.

fn main() {}
