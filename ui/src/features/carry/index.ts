export { BackupSheet } from "./BackupSheet";
export { ExportSheet } from "./ExportSheet";
export { RestoreBackupSheet } from "./RestoreBackupSheet";
