//! The nouns of Nestbox. Everything here is plain data with serde: no I/O, no clock, no environment.
//!
//! *Spec* types are what the user wants and what `machine.toml` keeps; types without the suffix are what the
//! API shows. The words are those of `docs/vocabulary.md`.

mod arch;
mod browse;
mod carry;
mod disks;
mod doctor;
mod error;
mod event;
mod ids;
mod import;
mod job;
pub mod layout;
mod machine;
mod name;
mod request;
mod snapshot;
mod spec;
mod template;
pub mod units;

pub use arch::{Accelerator, Arch, Firmware};
pub use browse::{CopiedOut, CopyOutRequest, ENTRIES_MAX, FileEntry, FileKind, Listing, SkippedFile, Volume};
pub use carry::{
    BackupInfo, BackupRequest, BackupRestoreStarted, ConvertRequest, ExportFile, ExportFormat, ExportPlan,
    ExportRequest, RestoreBackupRequest,
};
pub use disks::{
    BinnedDisk, ChainImage, DetachedDisk, DiskAddRequest, DiskAttachRequest, DiskBus, DiskCache,
    DiskChangeRequest, DiskChanged, DiskCheckRequest, DiskDetails, DiskList, DiskRemoved, DiskResizeRequest,
    ImageRole,
};
pub use doctor::{AcceleratorReport, Check, CheckStatus, DoctorReport, HostInfo};
pub use error::{Error, ErrorBody, ErrorKind, Result};
pub use event::{Event, EventKind};
pub use ids::{DiskId, JobId, MachineId, NicId, SnapshotId};
pub use import::{
    FileAction, ImportDisk, ImportItem, ImportNic, ImportPlan, ImportRequest, ImportShare, ItemFate,
    Recognised,
};
pub use job::{Job, JobKind, JobState, Step, StepState};
pub use machine::{Disk, Machine, MachineState, Medium, Nic, Usage, WaysIn};
pub use name::{free_name, validate_name};
pub use request::{
    ActivityEntry, CacheList, CachePruned, CachedImage, ChangeRequest, CloneRequest, CloneStarted,
    CommandShown, ComparedPoint, Comparison, CreateRequest, CreateSource, DiskDifference, HostUsage,
    JobStarted, LibraryProblem, LibraryReport, Logs, MachineSnapshot, PortList, RestoreRequest, Restored,
    ServiceInfo, SettingDifference, SnapshotList, SnapshotRequest, SnapshotTaken, SnapshotsDeleted,
    SpaceAction, SpaceItem, SpaceKind, SpaceReport, Stats, TakenTogether, TogetherRequest, TrashEmptied,
    TrashEntry,
};
pub use snapshot::{
    AutoSnapshots, CloneOrigin, Disposable, Snapshot, SnapshotDisk, SnapshotKind, SnapshotRecord, Suspended,
};
pub use spec::{
    AcceleratorChoice, DiskSpec, DisplaySpec, GuestUser, ImageFormat, LinkState, MACHINE_FILE_VERSION,
    MachineSpec, MediumSpec, NicSpec, PortForward, Protocol,
};
pub use template::{Setup, Template, TemplateArch, TemplateDefaults, TemplateKind, VerifiedBy};
