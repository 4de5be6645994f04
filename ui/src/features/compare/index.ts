export { CompareSheet } from "./CompareSheet";
