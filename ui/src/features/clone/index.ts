export { CloneSheet } from "./CloneSheet";
