/** What may be done with a file: copying always; the others only where they can be kept to. Pure. */
import type { FileAction, ImportPlan, Recognised } from "../../data/types";
import { t } from "../../i18n";

const PACKED = new Set<Recognised>(["gz", "xz", "zst", "bz2", "zip"]);
/** Several files, or a file that names others. */
const MANY_FILES = new Set<Recognised>(["ovf", "utm", "vbox", "vmx", "quickemu", "libvirt"]);
const READ_IN_PLACE = new Set<Recognised>(["qcow2", "raw"]);

export type Possible = Record<FileAction, string | null>;

/** Why an action is not offered; null where it is. */
export function possibleActions(plan: Pick<ImportPlan, "recognised" | "inside" | "disks">): Possible {
  if (PACKED.has(plan.recognised)) {
    return { copy: null, move: t("import.no.movePacked"), link: t("import.no.linkPacked") };
  }
  return {
    copy: null,
    move: MANY_FILES.has(plan.recognised) ? t("import.no.moveMany") : null,
    link:
      plan.disks.length > 1
        ? t("import.no.linkSeveral")
        : READ_IN_PLACE.has(plan.recognised)
          ? null
          : t("import.no.linkFormat"),
  };
}

/** A machine of another program. */
export const isBundle = (plan: Pick<ImportPlan, "recognised" | "inside">): boolean => {
  const kind = plan.inside ?? plan.recognised;
  return kind === "ova" || MANY_FILES.has(kind);
};
