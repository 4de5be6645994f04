/**
 * Shapes of the HTTP API, in its own words (snake_case), mirroring the nouns of the service's model.
 * Sizes are bytes, times RFC 3339 UTC, durations seconds, rates bytes a second.
 */

export type Arch = "x86_64" | "aarch64" | "riscv64" | "i386" | "arm" | "ppc64" | "s390x";
export type Accelerator = "kvm" | "hvf" | "whpx" | "tcg";
export type Firmware = "uefi" | "bios";

export type ErrorKind = "failed" | "usage" | "not-found" | "conflict" | "unfit" | "unsafe" | "cancelled";

/** What happened and why, what to do, exact facts. `code` is a stable kebab-case word. */
export interface ErrorInfo {
  code: string;
  kind: ErrorKind;
  message: string;
  hint: string;
  details: Record<string, unknown>;
}

export type MachineState =
  | "stopped"
  | "starting"
  | "running"
  | "paused"
  | "suspended"
  | "stopping"
  | "broken"
  | "creating";

export interface Disk {
  id: string;
  path: string;
  format: string;
  capacity: number;
  used: number;
  read_only: boolean;
}

export interface Medium {
  path: string;
  name: string;
  missing: boolean;
}

export interface Nic {
  id: string;
  network: string;
  mac: string;
  address: string | null;
  link: "up" | "down";
}

export interface PortForward {
  protocol: "tcp" | "udp";
  host: number;
  guest: number;
}

export interface GuestUser {
  name: string;
  private_key?: string | null;
  has_password?: boolean;
}

export interface Machine {
  id: string;
  name: string;
  state: MachineState;
  state_reason: string | null;
  arch: Arch;
  template: string | null;
  system: string | null;
  cpus: number;
  memory: number;
  firmware: Firmware;
  accelerator: Accelerator | null;
  accelerator_reason: string | null;
  accelerator_choice: Accelerator | "auto";
  boot_order: string[];
  clock_local: boolean;
  created_at: string;
  started_at: string | null;
  tags: string[];
  notes: string;
  pid: number | null;
  current_snapshot: string | null;
  snapshots: number;
  folder: string;
  resolution: [number, number];
  disks: Disk[];
  medium: Medium | null;
  nics: Nic[];
  ports: PortForward[];
  shares: unknown[];
  user: GuestUser | null;
  ways_in: { ssh_command: string | null };
  job: string | null;
  settable: string[];
}

export interface Snapshot {
  id: string;
  name: string;
  parent: string | null;
  created_at: string;
  memory: boolean;
  size: number;
  screenshot: string | null;
  notes: string;
  automatic: boolean;
}

export interface SnapshotList {
  current: string | null;
  snapshots: Snapshot[];
}

export type SnapshotTaken = Snapshot & { paused_seconds: number };

export interface Restored {
  machine: Machine;
  kept: Snapshot | null;
}

export interface SnapshotsDeleted {
  deleted: Snapshot[];
  freed: number;
}

export type JobKind =
  | "create"
  | "import"
  | "snapshot-take"
  | "snapshot-restore"
  | "snapshot-delete"
  | "library-check";
export type JobState = "queued" | "running" | "paused" | "done" | "failed" | "cancelled";
export type StepState = "waiting" | "running" | "done" | "skipped" | "failed";

export interface Step {
  id: string;
  title: string;
  state: StepState;
  detail: string | null;
}

export interface Job {
  id: string;
  kind: JobKind;
  title: string;
  state: JobState;
  /** 0 to 1, or null when it can't be known. */
  progress: number | null;
  message: string;
  machine: string | null;
  bytes_done: number | null;
  bytes_total: number | null;
  rate: number | null;
  seconds_left: number | null;
  steps: Step[];
  pausable: boolean;
  created_at: string;
  finished_at: string | null;
  error: ErrorInfo | null;
}

export interface JobStarted {
  job: Job;
  machine: Machine;
}

export type EventKind =
  | "machine.added"
  | "machine.changed"
  | "machine.state"
  | "machine.removed"
  | "trash.changed"
  | "snapshot.taken"
  | "snapshot.restored"
  | "snapshot.changed"
  | "snapshot.deleted"
  | "job.progress"
  | "config.changed"
  | "doctor.changed"
  | "events.lost";

export interface ServiceEvent {
  at: string;
  kind: EventKind;
  machine?: string | null;
  machine_now?: Machine | null;
  job?: Job | null;
  message?: string | null;
}

export type TemplateKind = "cloud-image" | "installer";
export type VerifiedBy = "gpg" | "checksum" | "none";

export interface TemplateArch {
  kind: TemplateKind;
  url: string;
  size: number | null;
  verified_by: VerifiedBy;
  cached?: boolean;
}

export interface Template {
  id: string;
  name: string;
  family: string;
  variant: string;
  summary: string;
  glyph: string;
  arches: Partial<Record<Arch, TemplateArch>>;
  defaults: { cpus: number; memory: number; disk: number };
  user: string | null;
}

export type FileAction = "copy" | "move" | "link";

export type CreateSource =
  | { template: { id: string } }
  | { iso: { path: string } }
  | { "disk-image": { path: string; action: FileAction } }
  | "blank";

export interface CreateRequest {
  name: string;
  source: CreateSource;
  arch?: Arch | null;
  cpus?: number | null;
  memory?: number | null;
  disk?: number | null;
  firmware?: Firmware | null;
  user?: string | null;
  password?: string | null;
  ssh_keys?: string[];
  user_data?: string | null;
  network?: string | null;
  tags?: string[];
  start?: boolean;
}

export type Recognised = "iso" | "qcow2" | "raw";

export interface ImportItem {
  what: string;
  fate: "kept" | "changed" | "dropped";
  why: string | null;
}

export interface ImportPlan {
  path: string;
  recognised: Recognised;
  description: string;
  name: string;
  system: string | null;
  glyph: string;
  arch: Arch;
  arch_reason: string;
  firmware: Firmware;
  cpus: number;
  memory: number;
  disk: number;
  size: number;
  needs: number;
  partitions: string[];
  items: ImportItem[];
  warnings: string[];
}

export interface ImportRequest {
  path: string;
  name?: string | null;
  action?: FileAction;
  arch?: Arch | null;
  firmware?: Firmware | null;
  cpus?: number | null;
  memory?: number | null;
  disk?: number | null;
  start?: boolean;
}

export type CheckStatus = "ok" | "warning" | "missing" | "failed";

export interface Check {
  id: string;
  status: CheckStatus;
  message: string;
  fix: string | null;
  technical?: string | null;
}

export interface AcceleratorReport {
  name: Accelerator;
  arch: Arch;
  usable: boolean;
  tested: boolean;
  reason: string;
  cure?: string | null;
  /** Exact words of the test. */
  technical?: string | null;
  seconds?: number | null;
  /** How many times slower than native code here, measured; null when not measured. */
  slowdown?: number | null;
}

export interface HostInfo {
  system: string;
  arch: string;
  cpus: number;
  memory: number;
  memory_free: number;
  disk_free: number;
  disk_total: number;
}

export interface DoctorReport {
  ok: boolean;
  checks: Check[];
  accelerators: AcceleratorReport[];
  host: HostInfo;
}

export interface Usage {
  id: string;
  /** Host cores in use (1.0 = one core). */
  cpu: number;
  memory_resident: number;
  disk_read_bps: number;
  disk_write_bps: number;
  net_rx_bps: number | null;
  net_tx_bps: number | null;
}

export interface HostUsage {
  cpu: number;
  cpus: number;
  memory: number;
  memory_free: number;
  disk_free: number;
}

export interface Stats {
  host: HostUsage;
  machines: Usage[];
}

export interface ActivityEntry {
  at: string;
  machine: string | null;
  kind: string;
  message: string;
}

export interface TrashEntry {
  id: string;
  name: string;
  deleted_at: string;
  size: number;
  folder: string;
}

export interface TrashEmptied {
  removed: TrashEntry[];
  freed: number;
}

export interface ServiceInfo {
  version: string;
  api: number;
  pid: number;
  data_dir: string;
  started_at: string;
  listen: string | null;
}

export interface Logs {
  backend: string;
  serial: string;
}

export interface CommandShown {
  argv: string[];
  shell: string;
}

export type Config = Record<string, unknown>;
