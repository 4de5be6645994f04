//! Detect, prove and choose accelerators for each guest architecture.
//!
//! Existing is not working: `/dev/kvm` can open, answer the API version and create a machine, and still hang or
//! abort every real guest. So each accelerator that is there runs a tiny guest with a deadline, on the same QEMU
//! with the same `-cpu` a machine would get, and only what passed is used. See [`Probe`].
//!
//! The crate also holds what everything above needs to know about the installed QEMU: where it is
//! ([`find_qemu`]) and which command installs what is missing ([`install_hint`]).

mod cache;
mod cpu;
mod finder;
mod measure;
mod native;
pub mod packages;
mod payload;
mod payload_bytes;
mod probe;
mod run;
mod sys;
mod words;

pub use finder::{MINIMUM_QEMU, QEMU_DIR_VARIABLE, QemuBinary, find_qemu, find_tool};
pub use packages::{Need, install_hint};
pub use probe::{Choice, Probe};
