/**
 * Shapes of the HTTP API, in its own words (snake_case): names for what `schema.ts` says, which is made from
 * docs/openapi.json, so no field is written here.
 * Sizes are bytes, times RFC 3339 UTC, durations seconds, rates bytes a second.
 */
import type { components } from "./schema";
import type { MachineTimeline, SnapshotTimeline } from "./timeline";

export type * from "./timeline";

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
export type Machine = Answer<"Machine"> & MachineTimeline;

export type Snapshot = Answer<"Snapshot"> & SnapshotTimeline;
export type SnapshotList = { current: string | null; snapshots: Snapshot[] };
export type SnapshotTaken = Snapshot & { paused_seconds: number };
/** `notes`: what else changed, in sentences. */
export type Restored = { machine: Machine; kept: Snapshot | null; notes: string[] };
/** `job` merges what others still stand on, in the background. */
export type SnapshotsDeleted = { deleted: Snapshot[]; freed: number; job: string | null };
export type TakenTogether = {
  group: string;
  snapshots: { machine: string; machine_name: string; snapshot: Snapshot }[];
  /** Longest time that a guest stood still, seconds. */
  paused_seconds: number;
};

export type JobKind = Schemas["JobKind"] | "clone" | "tidy";
export type JobState = Schemas["JobState"];
export type StepState = Schemas["StepState"];
export type Step = Answer<"Step">;
export type Job = Omit<Answer<"Job">, "kind"> & { kind: JobKind };
export type JobStarted = { job: Job; machine: Machine };
/** `job` copies the disks of a full clone; `notes`: what is new in it and what stays equal, in sentences. */
export type CloneStarted = { job: Job | null; machine: Machine; notes: string[] };

export type EventKind = Schemas["EventKind"];
/** The one answer that leaves out what it has nothing to say about: optional at the top, whole below. */
export type ServiceEvent = Omit<{ [K in keyof Schemas["Event"]]: Whole<Schemas["Event"][K]> }, "job" | "machine_now"> & {
  job?: Job | null;
  machine_now?: Machine | null;
};

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
