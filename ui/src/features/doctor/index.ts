export { DoctorPage } from "./DoctorPage";
