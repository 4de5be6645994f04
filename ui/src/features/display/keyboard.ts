/** The guest's keyboard: what is held down, what to send, and when to give the keyboard back. Knows no DOM. */
import { keysymOf, type KeyLike, positionOf } from "./keysym";

export interface KeyEventLike extends KeyLike {
  ctrlKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  metaKey: boolean;
  /** An input method is at work: the key is not the guest's. */
  isComposing?: boolean;
  getModifierState?(key: string): boolean;
}

export interface KeyboardSink {
  /** `code` is the key's place, which the guest gets where its display takes places; else it gets the keysym. */
  key(keysym: number, code: string, down: boolean): void;
  releaseAll(): void;
  /** Ctrl+Alt was pressed and let go with nothing in between. */
  onRelease(): void;
}

const MODIFIERS: Record<string, keyof Pick<KeyEventLike, "ctrlKey" | "altKey" | "shiftKey" | "metaKey">> = {
  ControlLeft: "ctrlKey",
  ControlRight: "ctrlKey",
  AltLeft: "altKey",
  ShiftLeft: "shiftKey",
  ShiftRight: "shiftKey",
  MetaLeft: "metaKey",
  MetaRight: "metaKey",
};

const SHIFT = 0xffe1;

const isControl = (code: string): boolean => code === "ControlLeft" || code === "ControlRight";
const isAlt = (code: string): boolean => code === "AltLeft" || code === "AltRight";

export class Keyboard {
  /** Physical key → keysym sent when it went down (0: none): the same goes up, whatever the layout says by then. */
  private readonly held = new Map<string, number>();
  private chord: "none" | "armed" | "spoilt" = "none";

  constructor(private readonly sink: KeyboardSink) {}

  get anyHeld(): boolean {
    return this.held.size > 0;
  }

  down(event: KeyEventLike): void {
    if (event.isComposing) return;
    const code = event.code || event.key;
    this.sync(event, code);
    const place = positionOf(event, event.getModifierState?.("CapsLock") ?? false);
    const keysym = this.held.get(code) ?? place?.keysym ?? keysymOf(event) ?? 0;
    // A key without a keysym (a dead key, say) still has its place.
    if (keysym === 0 && event.code === "") return;
    this.held.set(code, keysym);
    if (place?.needsShift) this.sink.key(SHIFT, "ShiftLeft", true);
    this.sink.key(keysym, event.code, true);
    if (place?.needsShift) this.sink.key(SHIFT, "ShiftLeft", false);
    this.updateChord(code);
  }

  up(event: KeyEventLike): void {
    const code = event.code || event.key;
    const keysym = this.held.get(code);
    if (keysym !== undefined) {
      this.held.delete(code);
      this.sink.key(keysym, event.code, false);
    }
    if (code.startsWith("Meta")) {
      // macOS swallows the “up” of keys pressed while Command is down.
      this.letGo((other) => MODIFIERS[other] === undefined && !isAlt(other));
    }
    if (this.chord === "armed" && (isControl(code) || isAlt(code))) {
      this.chord = "none";
      this.releaseAll();
      this.sink.onRelease();
    } else if (this.held.size === 0) {
      this.chord = "none";
    }
  }

  /** Everything goes up: the window lost focus, or the keyboard is given back. */
  releaseAll(): void {
    this.held.clear();
    this.chord = "none";
    this.sink.releaseAll();
  }

  /** A modifier that this computer says is up, though we saw no “up”, goes up (the window manager ate it). */
  sync(event: Pick<KeyEventLike, "ctrlKey" | "altKey" | "shiftKey" | "metaKey">, except = ""): void {
    for (const [code, keysym] of [...this.held]) {
      const flag = MODIFIERS[code];
      if (flag !== undefined && code !== except && !event[flag]) {
        this.held.delete(code);
        this.sink.key(keysym, code, false);
      }
    }
  }

  private letGo(which: (code: string) => boolean): void {
    for (const [code, keysym] of [...this.held]) {
      if (which(code)) {
        this.held.delete(code);
        this.sink.key(keysym, code, false);
      }
    }
  }

  private updateChord(code: string): void {
    const codes = [...this.held.keys()];
    const both = codes.some(isControl) && codes.some(isAlt);
    const others = codes.some((other) => !isControl(other) && !isAlt(other));
    if (!isControl(code) && !isAlt(code)) this.chord = both || this.chord === "armed" ? "spoilt" : this.chord;
    else if (both && !others && this.chord !== "spoilt") this.chord = "armed";
  }
}
