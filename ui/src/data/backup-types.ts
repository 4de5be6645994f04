/**
 * Shapes of backups, for as long as docs/openapi.json has no routes with them: the same fields as in
 * crates/model/src/carry.rs. Sizes are bytes, times RFC 3339 UTC.
 */
import type { Job, Machine } from "./types";

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
