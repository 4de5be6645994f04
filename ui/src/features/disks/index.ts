export { AddDiskSheet } from "./AddDiskSheet";
export { DisksPage } from "./DisksPage";
export { GrowDiskSheet } from "./GrowDiskSheet";
export { MoveDiskSheet } from "./MoveDiskSheet";
