//! The `nestbox` command against its real service, real QEMU under TCG and real guests.

mod common;
mod crashes;
mod downloads;
mod imports;
mod library;
mod road;
mod snapshots;
mod words;
