import { beforeEach, describe, expect, it } from "vitest";
import { Keyboard, type KeyEventLike } from "./keyboard";
import { keysymOf, positionOf } from "./keysym";
import { toGuest, toRfbButtons, Wheel, WHEEL_DOWN, WHEEL_UP } from "./pointer";
import { percentile, StatsRecorder } from "./stats";

const key = (code: string, name: string, part: Partial<KeyEventLike> = {}): KeyEventLike => ({
  key: name,
  code,
  location: 0,
  ctrlKey: false,
  altKey: false,
  shiftKey: false,
  metaKey: false,
  ...part,
});

describe("keysymOf", () => {
  it.each([
    ["a", "KeyA", 0, 0x61],
    ["A", "KeyA", 0, 0x41],
    ["é", "Digit2", 0, 0xe9],
    ["€", "KeyE", 0, 0x0100_20ac],
    ["я", "KeyZ", 0, 0x0100_044f],
    ["🦀", "", 0, 0x0101_f980],
    ["Enter", "Enter", 0, 0xff0d],
    ["Enter", "NumpadEnter", 3, 0xff8d],
    ["Control", "ControlLeft", 1, 0xffe3],
    ["Control", "ControlRight", 2, 0xffe4],
    ["Alt", "AltRight", 0, 0xffea],
    ["AltGraph", "AltRight", 2, 0xfe03],
    ["F1", "F1", 0, 0xffbe],
    ["F12", "F12", 0, 0xffc9],
    ["5", "Numpad5", 3, 0xffb5],
    ["ArrowRight", "ArrowRight", 0, 0xff53],
    ["ArrowLeft", "Numpad4", 3, 0xff96],
    [" ", "Space", 0, 0x20],
  ])("%s (%s) is right", (name, code, location, keysym) => {
    expect(keysymOf({ key: name, code, location })).toBe(keysym);
  });
  it("gives nothing for unknown ones", () => {
    expect(keysymOf({ key: "Dead", code: "Quote", location: 0 })).toBeNull();
    expect(keysymOf({ key: "Unidentified", code: "", location: 0 })).toBeNull();
    expect(keysymOf({ key: "constructor", code: "", location: 0 })).toBeNull();
  });
});

describe("positionOf", () => {
  it.each([
    ["a German z is where the guest's y is", "z", "KeyY", false, false, 0x79, false],
    ["a French & is the guest's 1", "&", "Digit1", false, false, 0x31, false],
    ["a shifted 4 is the 4 key", "$", "Digit4", true, false, 0x34, false],
    ["a dead key has a place", "Dead", "Quote", false, false, 0x27, false],
    ["letters follow Shift", "A", "KeyA", true, false, 0x41, false],
    ["and Caps Lock", "A", "KeyA", false, true, 0x41, false],
    ["and both", "a", "KeyA", true, true, 0x61, false],
    ["a program that types $ means Shift", "$", "Digit4", false, false, 0x34, true],
    ["and so for letters", "A", "KeyA", false, false, 0x41, true],
  ])("%s", (_what, name, code, shiftKey, capsLock, keysym, needsShift) => {
    expect(positionOf({ key: name, code, location: 0, shiftKey }, capsLock)).toEqual({ keysym, needsShift });
  });
  it("leaves other keys to their names", () => {
    for (const code of ["Numpad5", "F1", "IntlBackslash", "", "constructor"]) {
      expect(positionOf({ key: "5", code, location: 0, shiftKey: false }, false), code).toBeNull();
    }
  });
});

describe("Keyboard", () => {
  let sent: string[] = [];
  let keyboard: Keyboard;
  beforeEach(() => {
    sent = [];
    keyboard = new Keyboard({
      key: (keysym, code, down) => sent.push(`${down ? "+" : "-"}${keysym.toString(16)}${keysym === 0 ? ` ${code}` : ""}`),
      releaseAll: () => sent.push("release-all"),
      onRelease: () => sent.push("given back"),
    });
  });

  it("sends up what it sent down, though the layout says otherwise by then", () => {
    keyboard.down(key("KeyA", "A", { shiftKey: true }));
    keyboard.up(key("KeyA", "a"));
    expect(sent).toEqual(["+41", "-41"]);
  });
  it("presses Shift for characters that a program typed without it", () => {
    keyboard.down(key("Digit4", "$"));
    keyboard.up(key("Digit4", "$"));
    expect(sent).toEqual(["+ffe1", "+34", "-ffe1", "-34"]);
  });
  it("sends the place of a dead key, which has no keysym, and nothing for a key without either", () => {
    keyboard.down(key("IntlBackslash", "Dead"));
    keyboard.up(key("IntlBackslash", "Dead"));
    keyboard.down(key("", "Unidentified"));
    keyboard.up(key("", "Unidentified"));
    expect(sent).toEqual(["+0 IntlBackslash", "-0 IntlBackslash"]);
  });
  it("gives the keyboard back on Ctrl+Alt alone", () => {
    keyboard.down(key("ControlLeft", "Control", { location: 1, ctrlKey: true }));
    keyboard.down(key("AltLeft", "Alt", { location: 1, ctrlKey: true, altKey: true }));
    expect(sent).toEqual(["+ffe3", "+ffe9"]);
    keyboard.up(key("AltLeft", "Alt", { ctrlKey: true }));
    expect(sent.slice(-2)).toEqual(["release-all", "given back"]);
    keyboard.up(key("ControlLeft", "Control"));
    expect(keyboard.anyHeld).toBe(false);
  });
  it("keeps it when another key was part of the chord", () => {
    keyboard.down(key("ControlLeft", "Control", { ctrlKey: true }));
    keyboard.down(key("AltLeft", "Alt", { ctrlKey: true, altKey: true }));
    keyboard.down(key("F2", "F2", { ctrlKey: true, altKey: true }));
    keyboard.up(key("F2", "F2", { ctrlKey: true, altKey: true }));
    keyboard.up(key("AltLeft", "Alt", { ctrlKey: true }));
    keyboard.up(key("ControlLeft", "Control"));
    expect(sent).not.toContain("given back");
    expect(sent.filter((entry) => entry.startsWith("-"))).toHaveLength(3);
  });
  it("lets go of a modifier the window manager kept the “up” of", () => {
    keyboard.down(key("ControlLeft", "Control", { ctrlKey: true }));
    keyboard.down(key("KeyA", "a"));
    expect(sent).toEqual(["+ffe3", "-ffe3", "+61"]);
  });
  it("lets go of keys macOS never reports up under Command", () => {
    keyboard.down(key("MetaLeft", "Meta", { metaKey: true }));
    keyboard.down(key("KeyC", "c", { metaKey: true }));
    keyboard.up(key("MetaLeft", "Meta"));
    expect(keyboard.anyHeld).toBe(false);
    expect(sent.at(-1)).toBe("-63");
  });
  it("forgets everything when the window loses focus", () => {
    keyboard.down(key("KeyA", "a"));
    keyboard.releaseAll();
    expect(sent.at(-1)).toBe("release-all");
    keyboard.up(key("KeyA", "a"));
    expect(sent.at(-1)).toBe("release-all");
  });
});

describe("pointer", () => {
  const box = { left: 100, top: 50, width: 640, height: 400 };
  const guest = { width: 1280, height: 800 };
  it("maps the letterboxed picture and stays inside it", () => {
    expect(toGuest(100, 50, box, guest)).toEqual({ x: 0, y: 0 });
    expect(toGuest(420, 250, box, guest)).toEqual({ x: 640, y: 400 });
    expect(toGuest(9999, -9999, box, guest)).toEqual({ x: 1279, y: 0 });
    expect(toGuest(5, 5, { ...box, width: 0 }, guest).x).toBe(0);
  });
  it("orders the buttons as RFB does", () => {
    expect(toRfbButtons(1)).toBe(1);
    expect(toRfbButtons(2)).toBe(4);
    expect(toRfbButtons(4)).toBe(2);
    expect(toRfbButtons(7)).toBe(7);
  });
  it("makes one click of one notch and gathers a trackpad's crumbs", () => {
    const wheel = new Wheel();
    expect(wheel.add({ deltaX: 0, deltaY: 120, deltaMode: 0 })).toEqual([WHEEL_DOWN]);
    expect(wheel.add({ deltaX: 0, deltaY: 3, deltaMode: 1 })).toEqual([WHEEL_DOWN]);
    const crumbs = Array.from({ length: 10 }, () => wheel.add({ deltaX: 0, deltaY: -10, deltaMode: 0 })).flat();
    expect(crumbs).toEqual([WHEEL_UP, WHEEL_UP]);
    expect(wheel.add({ deltaX: 0, deltaY: 100_000, deltaMode: 0 }).length).toBeLessThanOrEqual(8);
  });
});

describe("statistics", () => {
  it("takes percentiles by nearest rank", () => {
    expect(percentile([], 0.5)).toBeNull();
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
    expect(percentile([1, 2, 3, 4], 0.95)).toBe(4);
  });
  it("counts shown frames, bytes and gaps, and refuses a latency that can't be", () => {
    const stats = new StatsRecorder();
    for (let n = 0; n < 20; n += 1) {
      stats.shown({ sequence: n * 2, captured: n * 100 - 8, bytes: 1000, area: 0.25 }, n * 100);
    }
    const numbers = stats.numbers(1900);
    expect(numbers).toMatchObject({ fps: 10, p50: 8, p95: 8, worst: 8, bytesPerSecond: 10_000, dropped: 19, frames: 20 });
    expect(numbers.changedArea).toBeCloseTo(0.25);
    stats.shown({ sequence: 40, captured: 99_999_999, bytes: 0, area: 0 }, 2000);
    expect(stats.numbers(2000).worst).toBe(8);
  });
});
