export { CreatingPage } from "./CreatingPage";
