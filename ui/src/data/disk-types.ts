/**
 * Shapes of disks, their files, export and backup, for as long as docs/openapi.json has no routes with them: the same
 * fields as in crates/model/src/{disks,browse,carry}.rs. Sizes are bytes, times RFC 3339 UTC.
 */
import type { Disk, Job, Machine } from "./types";
import type { FileAction } from "./types";

export type DiskBus = Disk["bus"];
export type DiskCache = Disk["cache"];
export type ImageRole = "active" | "snapshot" | "cache" | "origin" | "linked" | "leftover";

export interface ChainImage {
  path: string;
  bytes: number;
  role: ImageRole;
}

/** A disk with where its bytes are. */
export type DiskDetails = Disk & {
  attached: boolean;
  detached_at: string | null;
  removed_at: string | null;
  purge_at: string | null;
  in_snapshots: number;
  shared: number;
  /** The active image first. */
  chain: ChainImage[];
};

export interface DiskAddRequest {
  size?: number;
  file?: string;
  action?: FileAction;
  read_only?: boolean;
  bus?: DiskBus;
  label?: string;
}

export interface DiskChangeRequest {
  bus?: DiskBus;
  cache?: DiskCache;
  discard?: boolean;
  iothread?: boolean;
  read_only?: boolean;
  label?: string;
  /** From 1. */
  position?: number;
}

export interface DiskChanged {
  job: Job | null;
  disk: DiskDetails | null;
  notes: string[];
}

export interface DiskRemoved {
  removed: DiskDetails;
  purge_at: string | null;
  freed: number;
  notes: string[];
}

export interface Volume {
  /** From 1. */
  number: number;
  name: string | null;
  filesystem: string | null;
  label: string | null;
  size: number;
  used: number | null;
  browsable: boolean;
  reason: string | null;
}

export type EntryKind = "file" | "folder" | "link" | "other";

export interface FileEntry {
  name: string;
  kind: EntryKind;
  size: number;
  modified: string | null;
  target: string | null;
}

export interface Listing {
  volumes: Volume[];
  volume: number;
  path: string;
  entries: FileEntry[];
  more: boolean;
  notes: string[];
}

export interface CopyOutRequest {
  paths: string[];
  to: string;
  snapshot?: string;
  overwrite?: boolean;
}

export type ExportFormat = "qcow2" | "raw" | "vmdk" | "vdi" | "vhdx" | "ova" | "utm";

export interface ExportRequest {
  to: string;
  format?: ExportFormat;
  disk?: string;
  snapshot?: string;
  overwrite?: boolean;
  compress?: boolean;
}

export interface ExportFile {
  path: string;
  estimate: number;
  exists: boolean;
}

export interface ExportPlan {
  format: ExportFormat;
  files: ExportFile[];
  notes: string[];
}

export interface BackupRequest {
  to: string;
  overwrite?: boolean;
  snapshots?: boolean;
  memory?: boolean;
}

export interface BackupInfo {
  name: string;
  system: string | null;
  created_at: string;
  version: number;
  snapshots: number;
  disks: number;
  bytes: number;
  notes: string[];
}

export interface RestoreBackupRequest {
  file: string;
  name?: string;
}

export interface BackupRestoreStarted {
  job: Job;
  machine: Machine;
}
