/** Paths that the window proposes. The service judges them. Pure but for the folder it remembers. */

const FOLDER_KEY = "nestbox.folder";

export const folderOf = (path: string): string => path.replace(/[\\/][^\\/]*$/, "");

/** A name that every file system takes. */
export const fileSafe = (name: string): string =>
  [...name]
    .map((letter) => (/[\\/:*?"<>|]/.test(letter) || letter < " " ? "-" : letter))
    .join("")
    .replace(/^[.\s]+|[.\s]+$/g, "")
    .slice(0, 120) || "machine";

/** The same path with another ending. */
export function withEnding(path: string, ending: string): string {
  const name = path.split(/[\\/]/).pop() ?? "";
  const at = name.lastIndexOf(".");
  const stem = at > 0 ? path.slice(0, path.length - (name.length - at)) : path;
  return stem ? `${stem}.${ending}` : "";
}

/** Where the last file was saved. */
export function lastFolder(): string | null {
  try {
    return localStorage.getItem(FOLDER_KEY);
  } catch {
    return null;
  }
}

export function rememberFolder(folder: string): void {
  try {
    localStorage.setItem(FOLDER_KEY, folder);
  } catch {
    // Not remembered, then.
  }
}

/** A full path in the folder last used; empty where there is none: the user says where. */
export function proposedPath(name: string): string {
  const folder = lastFolder();
  if (!folder) return "";
  return `${folder.replace(/[\\/]$/, "")}${folder.includes("\\") ? "\\" : "/"}${name}`;
}

export const isAbsolute = (path: string): boolean => /^(\/|[A-Za-z]:[\\/]|\\\\)/.test(path.trim());
