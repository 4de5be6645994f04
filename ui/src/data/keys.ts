/** Cache keys, in one place. */
export const keys = {
  service: ["service"] as const,
  machines: ["machines"] as const,
  snapshots: (machine: string) => ["snapshots", machine] as const,
  allSnapshots: ["snapshots"] as const,
  disks: (machine: string) => ["disks", machine] as const,
  files: (machine: string, disk: string, snapshot: string | null, path: string) =>
    ["files", machine, disk, snapshot, path] as const,
  jobs: ["jobs"] as const,
  templates: ["templates"] as const,
  doctor: ["doctor"] as const,
  config: ["config"] as const,
  activity: ["activity"] as const,
  trash: ["trash"] as const,
  trashPlan: ["trash", "plan"] as const,
  space: ["space"] as const,
  comparison: (machine: string, from: string, to: string | null) => ["snapshots", machine, from, to] as const,
  stats: (machine: string | null) => ["stats", machine] as const,
  logs: (machine: string) => ["logs", machine] as const,
  command: (machine: string) => ["command", machine] as const,
};
