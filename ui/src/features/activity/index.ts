export { ActivityPage } from "./ActivityPage";
export { JobRow } from "./JobRow";
