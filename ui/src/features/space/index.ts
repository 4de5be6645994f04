export { SpacePage } from "./SpacePage";
