import { describe, expect, it } from "vitest";
import { decode, ProtocolError } from "./protocol";

/** Builds a FRAME the way the service does. */
function frame(rects: { x: number; y: number; w: number; h: number; fill: number }[], flags = 0): ArrayBuffer {
  const size = 16 + rects.reduce((sum, rect) => sum + 8 + rect.w * rect.h * 4, 0);
  const buffer = new ArrayBuffer(size);
  const view = new DataView(buffer);
  view.setUint8(0, 1);
  view.setUint8(1, flags);
  view.setUint16(2, rects.length, true);
  view.setUint32(4, 7, true);
  view.setBigUint64(8, 1_795_000_000_123_456n, true);
  let at = 16;
  for (const rect of rects) {
    [rect.x, rect.y, rect.w, rect.h].forEach((value, n) => view.setUint16(at + n * 2, value, true));
    new Uint8Array(buffer, at + 8, rect.w * rect.h * 4).fill(rect.fill);
    at += 8 + rect.w * rect.h * 4;
  }
  return buffer;
}
const withText = (type: number, text: string): ArrayBuffer => {
  const bytes = new TextEncoder().encode(text);
  const all = new Uint8Array(1 + bytes.length);
  all[0] = type;
  all.set(bytes, 1);
  return all.buffer;
};

describe("decode", () => {
  it("reads rectangles as views, without copying", () => {
    const buffer = frame([
      { x: 1, y: 2, w: 3, h: 4, fill: 9 },
      { x: 100, y: 200, w: 1, h: 1, fill: 255 },
    ]);
    const message = decode(buffer);
    if (message?.type !== "frame") throw new Error("no frame");
    expect(message).toMatchObject({ more: false, sequence: 7, capturedMicros: 1_795_000_000_123_456 });
    expect(message.rects).toHaveLength(2);
    expect(message.rects[0]).toMatchObject({ x: 1, y: 2, width: 3, height: 4 });
    expect(message.rects[0]?.pixels.buffer).toBe(buffer);
    expect(message.rects[1]?.pixels[3]).toBe(255);
  });
  it("knows that more of the frame follows", () => {
    expect(decode(frame([], 1))).toMatchObject({ more: true });
  });
  it("refuses every cut of a good frame", () => {
    const good = frame([{ x: 0, y: 0, w: 2, h: 2, fill: 1 }]);
    for (let length = 0; length < good.byteLength; length += 1) {
      expect(() => decode(good.slice(0, length)), String(length)).toThrow(ProtocolError);
    }
  });
  it("refuses bytes left over and impossible sizes", () => {
    const long = new Uint8Array(17);
    long[0] = 1;
    expect(() => decode(long.buffer)).toThrow(ProtocolError);
    expect(() => decode(new Uint8Array([2, 0, 0, 0, 0, 0]).buffer)).toThrow(ProtocolError);
    expect(() => decode(new Uint8Array([3, 1, 0, 0, 0, 0, 9, 0, 9, 0]).buffer)).toThrow(ProtocolError);
  });
  it("reads resize, cursor, clipboard and bell", () => {
    expect(decode(new Uint8Array([2, 0, 0, 5, 32, 3]).buffer)).toEqual({ type: "resize", width: 1280, height: 800 });
    const cursor = decode(new Uint8Array([3, 1, 2, 0, 3, 0, 1, 0, 1, 0, 1, 2, 3, 4]).buffer);
    expect(cursor).toMatchObject({ visible: true, hotX: 2, hotY: 3, width: 1, height: 1 });
    expect(decode(withText(5, "héllo"))).toEqual({ type: "clipboard", text: "héllo" });
    expect(decode(new Uint8Array([6]).buffer)).toEqual({ type: "bell" });
  });
  it("reads status and is not fooled by it", () => {
    expect(decode(withText(4, '{"state":"lost","reason":"QEMU went away","retry_in":2.5}'))).toEqual({
      type: "status",
      status: { state: "lost", reason: "QEMU went away", retryIn: 2.5, encoding: null },
    });
    expect(() => decode(withText(4, "{"))).toThrow(ProtocolError);
    expect(() => decode(withText(4, '{"state":"odd"}'))).toThrow(ProtocolError);
  });
  it("passes over types of newer versions", () => {
    expect(decode(new Uint8Array([200, 1, 2]).buffer)).toBeNull();
  });
});
