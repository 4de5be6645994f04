//! The crash laboratory: a real guest writes numbers with fsync, an operation on its machine is begun, and after a random
//! moment the service, QEMU or both get SIGKILL. Then the next service looks, and so does the laboratory:
//!
//! - the tree of snapshots and the machine's state are those from before the operation or from after it;
//! - every image passes `qemu-img check`, every snapshot shows what it showed when it was taken, every file is there, and
//!   there is no file that nobody needs;
//! - a guest whose process lives goes on; on the disk of one that died is every number it had said.
//!
//! Beside it, [`OfflineLab`] cuts operations on machines that are off: disks that grow, shrink, move and are checked,
//! imports, exports and backups. There, content decides: what a disk showed before is still shown by one afterwards.
//!
//! Everything random comes from one seed.

mod audit;
mod guest;
mod judge;
mod lab;
mod offline;
mod operation;
mod report;
mod world;

pub use lab::{Lab, Options};
pub use offline::{Act, OfflineLab};
pub use operation::Operation;
pub use report::{Report, Row};

/// What went wrong, in words; in the laboratory an answer, not an accident.
pub type Finding<T> = Result<T, String>;
