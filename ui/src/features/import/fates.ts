/** A plan's lines, as they are shown: what stays, what changes, what is left out. Pure. */
import type { ImportItem } from "../../data/types";

export type Fate = ImportItem["fate"];
export const FATES: Fate[] = ["kept", "changed", "dropped"];

export const byFate = (items: readonly ImportItem[]): { fate: Fate; lines: ImportItem[] }[] =>
  FATES.map((fate) => ({ fate, lines: items.filter((item) => item.fate === fate) })).filter(({ lines }) => lines.length > 0);
