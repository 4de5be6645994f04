export { NewVmSheet, type NewVmSheetProps } from "./NewVmSheet";
