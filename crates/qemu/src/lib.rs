//! The QEMU backend: how a machine becomes a process and how that process is spoken to.
//!
//! ```text
//! MachinePlan ──command_line──▶ argv ──launch──▶ process (own session, outlives us)
//!                                                   │ qmp.sock
//!                            Session ◀── QMP ───────┘   session.json lets a later service adopt it
//! ```
//!
//! Invariants: a plan becomes words without looking at the computer; every image is opened with a stated format and
//! a stated end of its chain; no wait on QEMU is without a limit; a failed operation leaves the guest as it was;
//! a process is only ever touched when its start time proves that it is ours.

mod backend;
mod capabilities;
mod command;
pub mod firmware;
mod launch;
mod plan;
mod process;
mod qmp;
mod record;
mod rendezvous;
mod session;
mod trouble;

pub use backend::{
    ActiveImages, Adoption, Backend, Counters, ExitInfo, FreezeRequest, Frozen, MergeProgress, MergeRequest,
    MergeTarget, Merged, RunState, Session, SessionEvent, Settle,
};
pub use capabilities::{Capabilities, MemorySupport};
pub use command::{
    command_line, disk_buses, expansion_slots, has_disk_bus, sata_places, shell_quoted, slots_for,
};
pub use launch::QemuBackend;
pub use plan::{Connection, DiskPlan, ImageRef, MachinePlan, NicPlan};
pub use rendezvous::Rendezvous;
pub use session::{
    logs::SERIAL_LOG_MAX,
    memory::{MemoryNote, memory_fits, memory_note},
    pack::{pack_memory, unpack_memory},
};
