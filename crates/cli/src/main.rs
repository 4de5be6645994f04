//! The nestbox command.
fn main() {}
