export { EmptyBinSheet } from "./EmptyBinSheet";
export { TrashPage, usePutBackWithToast } from "./TrashPage";
