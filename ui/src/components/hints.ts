/** What to do about an error, in the window's words. Pure. */
import type { ErrorInfo } from "../data";
import { t } from "../i18n";

/** Codes whose hint names a control of the window: `error.hint.CODE`. */
const OWN = [
  "disk-removed",
  "disk-read-only",
  "disk-not-hot-pluggable",
  "option-unsupported",
  "cache-unsupported",
  "file-exists",
  "file-in-library",
  "not-a-disk",
  "several-disks",
  "content-differs",
  "machine-running",
  "machine-suspended",
  "disposable-run",
] as const;

/** A command, an option of one, or a setting as it is typed there. */
const COMMAND_LINE = /\bnestbox [a-z]|(^|\s)--[a-z]|\b[a-z]+=[a-z]/;

/** The service's hint, unless it speaks the command line and the window has its own way. */
export function hintText({ code, hint }: Pick<ErrorInfo, "code" | "hint">): string {
  if (!COMMAND_LINE.test(hint)) return hint;
  const own = OWN.find((known) => known === code);
  return own ? t(`error.hint.${own}`) : hint;
}
