/**
 * Shapes of the HTTP API, in its own words (snake_case): names for what `schema.ts` says, which is made from
 * docs/openapi.json, so no field is written here.
 * Sizes are bytes, times RFC 3339 UTC, durations seconds, rates bytes a second.
 */
import type { components } from "./schema";

type Schemas = components["schemas"];

/**
 * A shape as the service sends it. The document calls a field optional when a reader may leave it out (it has a
 * default, or may be null); the service always writes it, so in an answer every field is there, at every depth.
 */
type Whole<T> = T extends object ? { [K in keyof T]-?: Whole<T[K]> } : T;
type Answer<Name extends keyof Schemas> = Whole<Schemas[Name]>;

/** A shape as it is sent to the service: what may be left out, may be left out. */
type Request<Name extends keyof Schemas> = Schemas[Name];

export type Arch = Schemas["Arch"];
export type Accelerator = Schemas["Accelerator"];
export type Firmware = Schemas["Firmware"];

export type ErrorKind = Schemas["ErrorKind"];
/** What happened and why, what to do, exact facts. `code` is a stable kebab-case word. */
export type ErrorInfo = Answer<"Error">;

export type MachineState = Schemas["MachineState"];
export type Disk = Answer<"Disk">;
export type Medium = Answer<"Medium">;
export type Nic = Answer<"Nic">;
export type PortForward = Answer<"PortForward">;
export type GuestUser = Answer<"GuestUser">;
export type Machine = Answer<"Machine">;

export type Snapshot = Answer<"Snapshot">;
export type SnapshotList = Answer<"SnapshotList">;
export type SnapshotTaken = Answer<"SnapshotTaken">;
export type Restored = Answer<"Restored">;
export type RestoreOptions = Request<"RestoreRequest">;
export type SnapshotsDeleted = Answer<"SnapshotsDeleted">;
export type TogetherRequest = Request<"TogetherRequest">;
export type TakenTogether = Answer<"TakenTogether">;
export type CloneRequest = Request<"CloneRequest">;
export type CloneStarted = Answer<"CloneStarted">;
export type Comparison = Answer<"Comparison">;

export type SpaceAction = Schemas["SpaceAction"];
export type SpaceItem = Answer<"SpaceItem">;
export type SpaceReport = Answer<"SpaceReport">;
export type CachePruned = Answer<"CachePruned">;

export type JobKind = Schemas["JobKind"];
export type JobState = Schemas["JobState"];
export type StepState = Schemas["StepState"];
export type Step = Answer<"Step">;
export type Job = Answer<"Job">;
export type JobStarted = Answer<"JobStarted">;

export type EventKind = Schemas["EventKind"];
/** The one answer that leaves out what it has nothing to say about: optional at the top, whole below. */
export type ServiceEvent = { [K in keyof Schemas["Event"]]: Whole<Schemas["Event"][K]> };

export type TemplateKind = Schemas["TemplateKind"];
export type VerifiedBy = Schemas["VerifiedBy"];
export type TemplateArch = Answer<"TemplateArch">;
export type Template = Answer<"Template">;

export type FileAction = Schemas["FileAction"];
export type CreateSource = Request<"CreateSource">;
export type CreateRequest = Request<"CreateRequest">;

export type Recognised = Schemas["Recognised"];
export type ImportItem = Answer<"ImportItem">;
export type ImportPlan = Answer<"ImportPlan">;
export type ImportRequest = Request<"ImportRequest">;

export type DiskBus = Schemas["DiskBus"];
export type DiskCache = Schemas["DiskCache"];
export type DiskDetails = Answer<"DiskDetails">;
export type DiskAddRequest = Request<"DiskAddRequest">;
export type DiskChangeRequest = Request<"DiskChangeRequest">;
export type DiskChanged = Answer<"DiskChanged">;
export type DiskRemoved = Answer<"DiskRemoved">;

export type Volume = Answer<"Volume">;
export type EntryKind = Schemas["FileKind"];
export type FileEntry = Answer<"FileEntry">;
export type Listing = Answer<"Listing">;
export type CopyOutRequest = Request<"CopyOutRequest">;

export type ExportFormat = Schemas["ExportFormat"];
export type ExportRequest = Request<"ExportRequest">;
export type ExportFile = Answer<"ExportFile">;
export type ExportPlan = Answer<"ExportPlan">;

export type BackupRequest = Request<"BackupRequest">;
export type BackupInfo = Answer<"BackupInfo">;
export type RestoreBackupRequest = Request<"RestoreBackupRequest">;
export type BackupRestoreStarted = Answer<"BackupRestoreStarted">;

export type CheckStatus = Schemas["CheckStatus"];
export type Check = Answer<"Check">;
export type AcceleratorReport = Answer<"AcceleratorReport">;
export type HostInfo = Answer<"HostInfo">;
export type DoctorReport = Answer<"DoctorReport">;

export type Usage = Answer<"Usage">;
export type HostUsage = Answer<"HostUsage">;
export type Stats = Answer<"Stats">;

export type ActivityEntry = Answer<"ActivityEntry">;

export type TrashEntry = Answer<"TrashEntry">;
export type TrashEmptied = Answer<"TrashEmptied">;

export type ServiceInfo = Answer<"ServiceInfo">;
export type Logs = Answer<"Logs">;
export type CommandShown = Answer<"CommandShown">;
export type Setting = Answer<"Setting">;
export type Config = Answer<"Settings">["config"];
