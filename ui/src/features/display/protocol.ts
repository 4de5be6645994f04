/**
 * The display socket's binary messages, little-endian, and the JSON messages back. Every length is checked
 * against the message before anything is read, so a damaged message is an error and never a wrong picture.
 */

const FRAME = 1;
const RESIZE = 2;
const CURSOR = 3;
const STATUS = 4;
const CLIPBOARD = 5;
const BELL = 6;

/** Flag of a FRAME: more rectangles of the same frame follow in the next message. */
const FLAG_MORE = 1;

const FRAME_HEADER = 16;
const RECT_HEADER = 8;
/** Longest side of a picture, in pixels. */
export const MAX_SIDE = 16_384;

/** A changed part of the picture; `pixels` is a view into the message (RGBA), not a copy. */
export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
  pixels: Uint8ClampedArray<ArrayBuffer>;
}

export type LinkState = "connecting" | "connected" | "lost" | "ended";

export interface LinkStatus {
  state: LinkState;
  reason: string;
  /** Seconds until the server tries again, or null. */
  retryIn: number | null;
  /** How the guest's picture reaches the server, where it says so. */
  encoding: string | null;
}

export type Message =
  | { type: "frame"; more: boolean; sequence: number; capturedMicros: number; rects: Rect[]; bytes: number }
  | { type: "resize"; width: number; height: number }
  | { type: "cursor"; visible: boolean; hotX: number; hotY: number; width: number; height: number; pixels: Uint8ClampedArray<ArrayBuffer> }
  | { type: "status"; status: LinkStatus }
  | { type: "clipboard"; text: string }
  | { type: "bell" };

/** A message that does not keep to the protocol. */
export class ProtocolError extends Error {}

function need(condition: boolean, what: string): asserts condition {
  if (!condition) throw new ProtocolError(what);
}

const text = new TextDecoder("utf-8", { fatal: false });

function decodeFrame(buffer: ArrayBuffer, view: DataView): Message {
  need(buffer.byteLength >= FRAME_HEADER, "frame is shorter than its header");
  const count = view.getUint16(2, true);
  const rects: Rect[] = new Array<Rect>(count);
  let at = FRAME_HEADER;
  for (let index = 0; index < count; index += 1) {
    need(at + RECT_HEADER <= buffer.byteLength, "frame ends inside a rectangle's header");
    const x = view.getUint16(at, true);
    const y = view.getUint16(at + 2, true);
    const width = view.getUint16(at + 4, true);
    const height = view.getUint16(at + 6, true);
    at += RECT_HEADER;
    const length = width * height * 4;
    need(at + length <= buffer.byteLength, "frame ends inside a rectangle's pixels");
    rects[index] = { x, y, width, height, pixels: new Uint8ClampedArray(buffer, at, length) };
    at += length;
  }
  need(at === buffer.byteLength, "frame has bytes left over");
  return {
    type: "frame",
    more: (view.getUint8(1) & FLAG_MORE) !== 0,
    sequence: view.getUint32(4, true),
    // Microseconds since 1970 stay below 2^53 until the year 2255.
    capturedMicros: view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32,
    rects,
    bytes: buffer.byteLength,
  };
}

function decodeStatus(buffer: ArrayBuffer): Message {
  let raw: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(text.decode(new Uint8Array(buffer, 1)));
    if (typeof parsed === "object" && parsed !== null) raw = parsed as Record<string, unknown>;
  } catch {
    throw new ProtocolError("status is not JSON");
  }
  const states: LinkState[] = ["connecting", "connected", "lost", "ended"];
  const state = states.find((known) => known === raw.state);
  need(state !== undefined, "status has an unknown state");
  return {
    type: "status",
    status: {
      state,
      reason: typeof raw.reason === "string" ? raw.reason : "",
      retryIn: typeof raw.retry_in === "number" ? raw.retry_in : null,
      encoding: typeof raw.encoding === "string" ? raw.encoding : null,
    },
  };
}

/** Decodes one message; null for a type this version does not know (a newer service may say more). */
export function decode(buffer: ArrayBuffer): Message | null {
  need(buffer.byteLength >= 1, "message is empty");
  const view = new DataView(buffer);
  switch (view.getUint8(0)) {
    case FRAME:
      return decodeFrame(buffer, view);
    case RESIZE: {
      need(buffer.byteLength >= 6, "resize is too short");
      const width = view.getUint16(2, true);
      const height = view.getUint16(4, true);
      need(width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE, "picture has an impossible size");
      return { type: "resize", width, height };
    }
    case CURSOR: {
      need(buffer.byteLength >= 10, "cursor is too short");
      const width = view.getUint16(6, true);
      const height = view.getUint16(8, true);
      need(buffer.byteLength === 10 + width * height * 4, "cursor has the wrong length");
      return {
        type: "cursor",
        visible: view.getUint8(1) !== 0,
        hotX: view.getUint16(2, true),
        hotY: view.getUint16(4, true),
        width,
        height,
        pixels: new Uint8ClampedArray(buffer, 10, width * height * 4),
      };
    }
    case STATUS:
      return decodeStatus(buffer);
    case CLIPBOARD:
      return { type: "clipboard", text: text.decode(new Uint8Array(buffer, 1)) };
    case BELL:
      return { type: "bell" };
    default:
      return null;
  }
}

/** What the window sends. */
export type Outgoing =
  | { type: "ack"; sequence: number }
  | { type: "pointer"; x: number; y: number; buttons: number }
  | { type: "key"; keysym: number; code: string; down: boolean }
  | { type: "release-all" }
  | { type: "refresh" }
  | { type: "clipboard"; text: string };
