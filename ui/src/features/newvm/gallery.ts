/** The gallery's cards, made from the catalogue: names, order, filters. Pure. */
import type { Arch, Template, TemplateArch } from "../../data/types";

export type Kind = "all" | "linux" | "bsd" | "windows";
export const KINDS: Kind[] = ["all", "linux", "bsd", "windows"];

/** The distributions' words for architectures, as people say them. */
const COMMON: Record<Arch, string> = {
  x86_64: "amd64",
  aarch64: "arm64",
  riscv64: "riscv64",
  i386: "i386",
  arm: "armhf",
  ppc64: "ppc64le",
  s390x: "s390x",
};
const ARCH_ORDER: Arch[] = ["x86_64", "aarch64", "riscv64", "i386", "arm", "ppc64", "s390x"];

export const archName = (arch: string): string => COMMON[arch as Arch] ?? arch;

/** The architecture of this computer, by Doctor's word for it, if we know it. */
export const asArch = (word: string | undefined): Arch | undefined =>
  ARCH_ORDER.find((arch) => arch === word || COMMON[arch] === word);

export interface CardArch {
  arch: Arch;
  source: TemplateArch;
  /** Accessible name of the radio: unique in the gallery. */
  label: string;
  /** Key of the choice. */
  key: string;
}

export interface Card {
  template: Template;
  /** `Ubuntu`, or the whole name where the short one belongs to another card. */
  title: string;
  /** What follows the title in small print: `24.04 LTS`; empty where the title has it. */
  version: string;
  kind: Exclude<Kind, "all">;
  arches: CardArch[];
}

const BSD = /bsd|dragonfly/i;
const WINDOWS = /windows/i;

function kindOf(family: string): Card["kind"] {
  if (WINDOWS.test(family)) return "windows";
  return BSD.test(family) ? "bsd" : "linux";
}

/** `Ubuntu 24.04 LTS` → `Ubuntu` and `24.04 LTS`. */
export function splitName(name: string): { system: string; version: string } {
  const match = /^(.*?\S)\s+(\d.*)$/.exec(name);
  return match?.[1] && match[2] ? { system: match[1], version: match[2] } : { system: name, version: "" };
}

const numbers = (name: string): number[] => (/\d+(?:\.\d+)*/.exec(name)?.[0] ?? "0").split(".").map(Number);

/** Compares versions in names: positive when `a` is newer. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbers(a), numbers(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The one template of a family that goes by the family's short name: the newest (LTS, where there is one) ready image. */
function principalOf(family: Template[]): Template | undefined {
  const rank = (template: Template): number =>
    (Object.values(template.arches).some((source) => source.kind === "cloud-image") ? 4 : 0) +
    (template.variant === "desktop" ? 0 : 2) +
    (/\bLTS\b/.test(template.name) ? 1 : 0);
  return [...family].sort((a, b) => rank(b) - rank(a) || compareVersions(b.name, a.name))[0];
}

/** All cards: each family's principal one first, in the catalogue's order, then the others. */
export function buildCards(templates: Template[]): Card[] {
  const families = [...new Set(templates.map((template) => template.family))];
  const principals = families
    .map((family) => principalOf(templates.filter((template) => template.family === family)))
    .filter((template): template is Template => template !== undefined);
  const others = templates.filter((template) => !principals.includes(template));
  const taken = new Set<string>();

  return [...principals, ...others].map((template, index) => {
    const { system, version } = splitName(template.name);
    const principal = index < principals.length;
    let title = principal ? system : template.name;
    // Two cards never share a name: the variant tells them apart, the id at the very last.
    for (const suffix of [template.variant, template.id]) {
      if (!taken.has(title)) break;
      title = `${template.name} ${suffix}`;
    }
    taken.add(title);
    const arches = ARCH_ORDER.flatMap((arch): CardArch[] => {
      const source = template.arches[arch];
      return source
        ? [{ arch, source, label: `${title} ${archName(arch)}`, key: `${template.id}/${arch}` }]
        : [];
    });
    return { template, title, version: principal ? version : "", kind: kindOf(template.family), arches };
  });
}

const fold = (text: string): string => text.toLocaleLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");

/** Cards of a kind in which every word of `search` occurs somewhere. */
export function filterCards(cards: Card[], kind: Kind, search: string): Card[] {
  const words = fold(search).split(/\s+/).filter(Boolean);
  return cards.filter((card) => {
    if (kind !== "all" && card.kind !== kind) return false;
    const text = fold(
      [card.title, card.template.name, card.template.summary, card.template.variant, ...card.arches.map((a) => archName(a.arch))].join(" "),
    );
    return words.every((word) => text.includes(word));
  });
}

/** What is chosen when the sheet opens: the first card, in this computer's architecture where it has one. */
export function firstChoice(cards: Card[], host: Arch | undefined): string | null {
  const card = cards[0];
  return (card?.arches.find((entry) => entry.arch === host) ?? card?.arches[0])?.key ?? null;
}

export function findChoice(cards: Card[], key: string | null): { card: Card; arch: CardArch } | null {
  for (const card of cards) {
    const arch = card.arches.find((entry) => entry.key === key);
    if (arch) return { card, arch };
  }
  return null;
}

/** There is nothing to download: the user chooses an ISO of their own. */
export const isOwnMedium = (arch: CardArch): boolean => arch.source.url === "";

/** Where a download comes from, for people: `cloud-images.ubuntu.com`. */
export function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}
