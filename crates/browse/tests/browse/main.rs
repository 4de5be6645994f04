//! Real file systems, made by their own tools, read through the real confined process.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing should stop there")]

mod common;
mod contents;
mod copying;
mod hostile;
mod ntfs;
mod volumes;

/// What the tests start as the confined process: this very program, told to run this one test.
#[test]
#[ignore = "the process that the other tests start"]
fn confined_process() {
    use std::os::unix::fs::FileTypeExt;
    let input = std::fs::metadata("/proc/self/fd/0").or_else(|_| std::fs::metadata("/dev/fd/0"));
    if input.is_ok_and(|input| input.file_type().is_socket()) {
        std::process::exit(nestbox_browse::helper().into());
    }
}
