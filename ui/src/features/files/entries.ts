/** What a folder of a disk shows, and where one is in it. Pure. */
import type { EntryKind, FileEntry, Listing, Volume } from "../../data/types";

export const joinPath = (folder: string, name: string): string => `${folder === "/" ? "" : folder}/${name}`;

export const parentOf = (path: string): string => {
  const at = path.lastIndexOf("/");
  return at <= 0 ? "/" : path.slice(0, at);
};

/** How the API names a place: the volume before the path, once it is known. */
export const address = (volume: number | null, path: string): string => {
  if (volume !== null) return `${volume}:${path}`;
  // Of a disk with several volumes only their list can be asked for before one is chosen.
  return path === "/" ? "" : path;
};

/** The volume to begin with where the disk has several: the largest that can be read, which most often is the system's. */
export const firstVolume = (volumes: readonly Volume[]): number | null =>
  volumes.filter((one) => one.browsable).sort((a, b) => b.size - a.size)[0]?.number ?? null;

export interface Crumb {
  name: string;
  path: string;
}

/** The folders above and the folder itself, without the volume's root. */
export function crumbsOf(path: string): Crumb[] {
  const names = path.split("/").filter(Boolean);
  return names.map((name, at) => ({ name, path: `/${names.slice(0, at + 1).join("/")}` }));
}

const ORDER: Record<EntryKind, number> = { folder: 0, file: 1, link: 1, other: 1 };
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** Folders first, each by name as people sort. */
export function entriesOf(pages: readonly Listing[]): FileEntry[] {
  return pages
    .flatMap((page) => page.entries)
    .sort((a, b) => ORDER[a.kind] - ORDER[b.kind] || collator.compare(a.name, b.name));
}

/** The next entry whose name begins with what was typed, from the one after `from`; -1 when there is none. */
export function typeAhead(entries: readonly FileEntry[], typed: string, from: number): number {
  const wanted = typed.toLocaleLowerCase();
  // One letter again and again goes on to the next; more letters may stay where they are.
  const first = typed.length > 1 ? from : from + 1;
  for (let step = 0; step < entries.length; step += 1) {
    const at = (first + step + entries.length) % entries.length;
    if (entries[at]?.name.toLocaleLowerCase().startsWith(wanted)) return at;
  }
  return -1;
}

export const volumeAt = (volumes: readonly Volume[], number: number): Volume | undefined =>
  volumes.find((one) => one.number === number);
