/**
 * X11 keysyms from keyboard events, for displays that take no places (`KeyboardEvent.code`) and for QEMU, which compares
 * letters with the lock keys. Keys of the main block by their place; named keys by table (X.Org
 * `keysymdef.h` values); of the rest, Latin-1 characters are their own keysym and every other character is
 * 0x01000000 + its code point.
 */

const UNICODE_BASE = 0x0100_0000;

/** `KeyboardEvent.key` → keysym, or [left, right, numpad] by `KeyboardEvent.location`. */
const NAMED: Record<string, number | readonly [number, number, number]> = {
  Backspace: 0xff08,
  Tab: 0xff09,
  Enter: [0xff0d, 0xff0d, 0xff8d],
  Escape: 0xff1b,
  Clear: 0xff0b,
  Pause: 0xff13,
  ScrollLock: 0xff14,
  PrintScreen: 0xff61,
  Delete: [0xffff, 0xffff, 0xff9f],
  Home: [0xff50, 0xff50, 0xff95],
  End: [0xff57, 0xff57, 0xff9c],
  PageUp: [0xff55, 0xff55, 0xff9a],
  PageDown: [0xff56, 0xff56, 0xff9b],
  Insert: [0xff63, 0xff63, 0xff9e],
  ArrowLeft: [0xff51, 0xff51, 0xff96],
  ArrowUp: [0xff52, 0xff52, 0xff97],
  ArrowRight: [0xff53, 0xff53, 0xff98],
  ArrowDown: [0xff54, 0xff54, 0xff99],
  Shift: [0xffe1, 0xffe2, 0xffe1],
  Control: [0xffe3, 0xffe4, 0xffe3],
  Alt: [0xffe9, 0xffea, 0xffe9],
  AltGraph: 0xfe03,
  Meta: [0xffeb, 0xffec, 0xffeb],
  OS: [0xffeb, 0xffec, 0xffeb],
  Super: [0xffeb, 0xffec, 0xffeb],
  Hyper: [0xffed, 0xffee, 0xffed],
  CapsLock: 0xffe5,
  NumLock: 0xff7f,
  ContextMenu: 0xff67,
  Menu: 0xff67,
  Help: 0xff6a,
  Undo: 0xff65,
  Find: 0xff68,
  Cancel: 0xff69,
  Select: 0xff60,
  Execute: 0xff62,
  ModeChange: 0xff7e,
  Convert: 0xff23,
  NonConvert: 0xff22,
  HiraganaKatakana: 0xff27,
  Hiragana: 0xff25,
  Katakana: 0xff26,
  ZenkakuHankaku: 0xff2a,
  Zenkaku: 0xff28,
  Hankaku: 0xff29,
  Romaji: 0xff24,
  Eisu: 0xff2f,
  Alphanumeric: 0xff30,
  KanjiMode: 0xff21,
  KanaMode: 0xff2d,
  HangulMode: 0xff31,
  HanjaMode: 0xff34,
  AudioVolumeMute: 0x1008_ff12,
  AudioVolumeDown: 0x1008_ff11,
  AudioVolumeUp: 0x1008_ff13,
  MediaPlayPause: 0x1008_ff14,
  MediaStop: 0x1008_ff15,
  MediaTrackPrevious: 0x1008_ff16,
  MediaTrackNext: 0x1008_ff17,
  BrowserBack: 0x1008_ff26,
  BrowserForward: 0x1008_ff27,
  BrowserRefresh: 0x1008_ff29,
  BrowserHome: 0x1008_ff18,
  BrowserSearch: 0x1008_ff1b,
};

/** Characters of the numeric keypad have keysyms of their own. */
const NUMPAD: Record<string, number> = {
  "0": 0xffb0, "1": 0xffb1, "2": 0xffb2, "3": 0xffb3, "4": 0xffb4,
  "5": 0xffb5, "6": 0xffb6, "7": 0xffb7, "8": 0xffb8, "9": 0xffb9,
  "*": 0xffaa, "+": 0xffab, ",": 0xffac, "-": 0xffad, ".": 0xffae, "/": 0xffaf, "=": 0xffbd,
};

/**
 * The main block by position, as a US keyboard labels it: [plain, with Shift]. The guest has a layout of its own,
 * so what is sent is the place of a key; QEMU turns these keysyms back into the same places.
 */
const POSITIONS: Record<string, readonly [string, string]> = {
  Backquote: ["`", "~"], Minus: ["-", "_"], Equal: ["=", "+"],
  Digit1: ["1", "!"], Digit2: ["2", "@"], Digit3: ["3", "#"], Digit4: ["4", "$"], Digit5: ["5", "%"],
  Digit6: ["6", "^"], Digit7: ["7", "&"], Digit8: ["8", "*"], Digit9: ["9", "("], Digit0: ["0", ")"],
  BracketLeft: ["[", "{"], BracketRight: ["]", "}"], Backslash: ["\\", "|"],
  Semicolon: [";", ":"], Quote: ["'", '"'], Comma: [",", "<"], Period: [".", ">"], Slash: ["/", "?"],
};
const LETTER = /^Key([A-Z])$/;

const codeOf = (character: string): number => character.codePointAt(0) ?? 0;

export interface Position {
  /** Keysym to send. Letters follow Shift and Caps Lock, because QEMU compares their case with both. */
  keysym: number;
  /** The key came as its shifted character without Shift (typed by a program): Shift has to be pressed with it. */
  needsShift: boolean;
}

/** The key by its place, or null where its place is not in the main block (or not known). */
export function positionOf(event: KeyLike & { shiftKey: boolean }, capsLock: boolean): Position | null {
  const letter = LETTER.exec(event.code)?.[1];
  const pair = letter
    ? ([letter.toLowerCase(), letter] as const)
    : Object.hasOwn(POSITIONS, event.code)
      ? POSITIONS[event.code]
      : undefined;
  if (!pair) return null;
  const [plain, shifted] = pair;
  const needsShift = !event.shiftKey && !capsLock && event.key === shifted;
  const upper = letter !== undefined && (needsShift || event.shiftKey !== capsLock);
  return { keysym: codeOf(upper ? shifted : plain), needsShift };
}

/** The part of a KeyboardEvent that decides. */
export interface KeyLike {
  key: string;
  code: string;
  location: number;
}

/** Keysym of one character. */
export function keysymOfCodePoint(codePoint: number): number {
  const latin1 = (codePoint >= 0x20 && codePoint <= 0x7e) || (codePoint >= 0xa0 && codePoint <= 0xff);
  return latin1 ? codePoint : UNICODE_BASE + codePoint;
}

/** The keysym of a key, or null when it has none (and nothing should be sent). */
export function keysymOf({ key, code, location }: KeyLike): number | null {
  // Left and right modifiers are told apart by `location`; some engines leave it 0, so the code decides then.
  const side = location === 2 || (location === 0 && code.endsWith("Right") && !code.startsWith("Arrow")) ? 1 : location === 3 ? 2 : 0;
  const named = Object.hasOwn(NAMED, key) ? NAMED[key] : undefined;
  if (named !== undefined) return typeof named === "number" ? named : named[side];

  const functionKey = /^F([1-9]|[12][0-9]|3[0-5])$/.exec(key)?.[1];
  if (functionKey) return 0xffbd + Number(functionKey);

  const codePoint = key.codePointAt(0);
  if (codePoint !== undefined && key.length === String.fromCodePoint(codePoint).length) {
    if (location === 3) {
      const pad = NUMPAD[key];
      if (pad !== undefined) return pad;
    }
    return keysymOfCodePoint(codePoint);
  }
  return null;
}
