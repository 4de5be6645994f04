//! The `nestbox` command against its real service, real QEMU under TCG and real guests.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing should stop there")]

mod backups;
mod browser;
mod browsing;
mod common;
mod crashes;
mod disks;
mod disks_guest;
mod downloads;
mod exporting;
#[cfg(target_os = "linux")]
mod farewell;
mod hostile;
mod imports;
mod interrupts;
mod library;
mod road;
mod snapshots;
mod starting;
mod templates;
mod timeline;
mod timeline_guest;
mod wire;
mod words;
