/**
 * Shapes of the snapshot timeline that `schema.ts` does not have yet: they become names for its own as soon as it
 * is made from a service that has the routes.
 */

/** Why a snapshot was taken. */
export type SnapshotKind = "user" | "before-restore" | "scheduled" | "before-start" | "for-clone";

export interface SnapshotTimeline {
  kind: SnapshotKind;
  /** No rule removes it. */
  keep: boolean;
  /** The guest stood still when it was taken. */
  paused: boolean;
  /** Bytes of `size` that are the memory file. */
  memory_size: number;
  memory_packed: boolean;
  /** Shared by the snapshots of several machines that were cut at one instant. */
  group: string | null;
  /** Path of the medium that was in the drive. */
  medium: string | null;
  /** Names of the linked clones that stand on it. */
  needed_by: string[];
}

export interface AutoSnapshots {
  /** 0 is never. */
  every_hours: number;
  before_start: boolean;
  /** The newest so many stay. */
  keep: number;
}

export interface CloneOrigin {
  machine: string;
  machine_name: string;
  snapshot: string;
  snapshot_name: string;
  linked: boolean;
}

export interface MachineTimeline {
  auto_snapshots: AutoSnapshots;
  /** What the guest writes in this run is thrown away when it ends. */
  disposable: boolean;
  suspended_at: string | null;
  origin: CloneOrigin | null;
  /** Names of the linked clones whose disks stand on its images. */
  needed_by: string[];
  /** Images in the longest chain of its disks. */
  chain_depth: number;
}

export interface RestoreOptions {
  discard?: boolean;
  /** False: the disks alone. */
  memory?: boolean;
}

export interface TogetherRequest {
  machines: string[];
  name?: string;
  notes?: string;
  memory?: boolean;
}

export interface CloneRequest {
  name: string;
  /** Unset: the present, by a snapshot of its own. */
  snapshot?: string;
  full?: boolean;
  start?: boolean;
}

export interface ComparedPoint {
  /** Null is the present. */
  id: string | null;
  name: string;
  memory: boolean;
  at: string;
}

export interface Comparison {
  from: ComparedPoint;
  to: ComparedPoint;
  settings: { key: string; before: string; after: string }[];
  /** At most so many bytes of each disk differ. */
  disks: { id: string; written: number }[];
  seconds_between: number;
}

export type SpaceKind = "memory" | "snapshot" | "leftover" | "suspended" | "disk" | "trash" | "cache";
export type SpaceAction =
  | "drop-memory"
  | "delete-snapshot"
  | "tidy"
  | "discard-state"
  | "empty-trash"
  | "prune-cache";

export interface SpaceItem {
  kind: SpaceKind;
  machine: string | null;
  machine_name: string | null;
  snapshot: string | null;
  title: string;
  bytes: number;
  /** Bytes that `action` would free. */
  freeable: number;
  action: SpaceAction | null;
  /** Why it can't be freed, or what would be lost. */
  note: string | null;
}

export interface SpaceReport {
  /** Bytes free where the library is. */
  free: number;
  items: SpaceItem[];
}
