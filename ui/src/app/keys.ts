/** Shortcuts as text, in the way of this computer. */
import { platform } from "../platform";

const isMac = platform.facts.mac;

const WORDS: Record<string, [other: string, mac: string]> = {
  mod: ["Ctrl", "⌘"],
  ctrl: ["Ctrl", "⌃"],
  shift: ["Shift", "⇧"],
  alt: ["Alt", "⌥"],
  enter: ["Enter", "↩"],
  escape: ["Esc", "esc"],
  delete: ["Delete", "⌫"],
  space: ["Space", "Space"],
  up: ["↑", "↑"],
  down: ["↓", "↓"],
  left: ["←", "←"],
  right: ["→", "→"],
  tab: ["Tab", "⇥"],
  comma: [",", ","],
  slash: ["?", "?"],
};

/** The words of `mod+shift+s`, one for each key. */
export function keyWords(shortcut: string): string[] {
  return shortcut.split("+").map((part) => WORDS[part]?.[isMac ? 1 : 0] ?? part.toUpperCase());
}

/** `mod+shift+s` as `Ctrl Shift S`, or `⇧⌘S` on a Mac. */
export const keyLabel = (shortcut: string): string => keyWords(shortcut).join(isMac ? "" : " ");

/** The Control key, or Command on a Mac. */
export const hasMod = (event: { ctrlKey: boolean; metaKey: boolean }): boolean =>
  isMac ? event.metaKey : event.ctrlKey;
