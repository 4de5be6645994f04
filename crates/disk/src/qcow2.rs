//! qcow2, versions 2 and 3, by our own bounded code (QEMU's `docs/interop/qcow2.rst` is the specification).
//!
//! * [`Header`]: parses and judges the header; reads a few KiB.
//! * [`audit`]: follows every table of an image and refuses what contradicts itself; only reads.
//! * `content`: reads the disk that the guest sees, to find out what is on it.
//! * `create`: writes new images. `convert`: writes a raw disk into one.

mod audit;
pub(crate) mod content;
pub(crate) mod convert;
pub(crate) mod create;
mod header;

pub(crate) use audit::audit_source;
pub use audit::{Audit, audit};
pub use header::{Compression, Header};
pub(crate) use header::{MAGIC, printable};
