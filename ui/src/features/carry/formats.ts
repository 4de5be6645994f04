/** What a machine or a disk can be written as. Pure. */
import type { ExportFormat } from "../../data/types";
import { fileSafe } from "./paths";

const WHOLE: ExportFormat[] = ["ova", "utm"];
const DISKS: ExportFormat[] = ["qcow2", "vmdk", "vdi", "vhdx", "raw"];

/** One disk can't be a whole machine. */
export const formatsFor = (oneDisk: boolean): ExportFormat[] => (oneDisk ? DISKS : [...WHOLE, ...DISKS]);

export const endingOf = (format: ExportFormat): string => (format === "raw" ? "img" : format);

export function exportName(machine: string, format: ExportFormat, disk: number | null): string {
  const stem = disk === null ? machine : `${machine} disk ${disk}`;
  return `${fileSafe(stem)}.${endingOf(format)}`;
}

/** The ending that the window proposes. The service takes any: what a file is, it reads from the file. */
export const BACKUP_ENDING = "nestbox-backup";

export const backupName = (machine: string, now: Date): string =>
  `${fileSafe(machine)} ${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, "0")}-${String(now.getDate()).padStart(2, "0")}.${BACKUP_ENDING}`;

export const looksLikeBackup = (path: string): boolean => path.toLowerCase().endsWith(`.${BACKUP_ENDING}`);
