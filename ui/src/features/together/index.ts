export { TogetherSheet } from "./TogetherSheet";
