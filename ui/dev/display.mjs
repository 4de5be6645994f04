/**
 * A guest screen for the dev server and tests: moving rectangles by the display protocol, a text cursor that
 * follows the pointer, and a log of the input it got (`log`). Paints only after an acknowledgement.
 */

const FRAME_HEADER = 16;
const RECT_HEADER = 8;

export function frameMessage(sequence, rects, more = false) {
  const size = FRAME_HEADER + rects.reduce((sum, rect) => sum + RECT_HEADER + rect.pixels.length, 0);
  const out = Buffer.alloc(size);
  out[0] = 1;
  out[1] = more ? 1 : 0;
  out.writeUInt16LE(rects.length, 2);
  out.writeUInt32LE(sequence, 4);
  out.writeBigUInt64LE(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)), 8);
  let at = FRAME_HEADER;
  for (const rect of rects) {
    out.writeUInt16LE(rect.x, at);
    out.writeUInt16LE(rect.y, at + 2);
    out.writeUInt16LE(rect.width, at + 4);
    out.writeUInt16LE(rect.height, at + 6);
    rect.pixels.copy(out, at + RECT_HEADER);
    at += RECT_HEADER + rect.pixels.length;
  }
  return out;
}

export function resizeMessage(width, height) {
  const out = Buffer.alloc(6);
  out[0] = 2;
  out.writeUInt16LE(width, 2);
  out.writeUInt16LE(height, 4);
  return out;
}

export const statusMessage = (status) => Buffer.concat([Buffer.from([4]), Buffer.from(JSON.stringify(status))]);

/** A filled rectangle; `colour` is [r, g, b], brighter towards the top when `shade` is set. */
export function filled(x, y, width, height, colour, shade = 0) {
  const pixels = Buffer.alloc(width * height * 4);
  for (let row = 0; row < height; row += 1) {
    const light = shade * (1 - row / height);
    const line = Buffer.from([...colour.map((part) => Math.min(255, Math.round(part + light))), 255]);
    for (let column = 0; column < width; column += 1) line.copy(pixels, (row * width + column) * 4);
  }
  return { x, y, width, height, pixels };
}

function arrowCursor() {
  const size = 16;
  const out = Buffer.alloc(10 + size * size * 4);
  out[0] = 3;
  out[1] = 1;
  out.writeUInt16LE(size, 6);
  out.writeUInt16LE(size, 8);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x <= Math.min(y, size - 1); x += 1) {
      if (x + y > 20) continue;
      const edge = x === 0 || x === y;
      out.set(edge ? [0, 0, 0, 255] : [255, 255, 255, 255], 10 + (y * size + x) * 4);
    }
  }
  return out;
}

const BACKGROUND = [44, 24, 62];

/** Serves one display on an accepted WebSocket. `options`: width, height, fps (0 = one still picture). */
export function serveDisplay(peer, { width = 1280, height = 800, fps = 60, log = [] } = {}) {
  let sequence = 0;
  let waiting = false;
  let stopped = false;
  let box = { x: 80, y: 80, vx: 7, vy: 5 };
  let pointer = null;
  const SIZE = 160;

  const paint = (rects) => {
    sequence += 1;
    waiting = true;
    peer.send(frameMessage(sequence, rects));
  };
  const whole = () => {
    paint([
      filled(0, 0, width, height, BACKGROUND, 40),
      filled(0, 0, width, 28, [20, 14, 28]),
      filled(12, 44, 48, Math.min(360, height - 60), [28, 18, 40]),
    ]);
  };
  const step = () => {
    if (stopped || waiting) return;
    const old = { ...box };
    if (box.x + box.vx < 64 || box.x + box.vx + SIZE > width) box.vx = -box.vx;
    if (box.y + box.vy < 28 || box.y + box.vy + SIZE > height) box.vy = -box.vy;
    box = { ...box, x: box.x + box.vx, y: box.y + box.vy };
    const rects = [
      filled(old.x, old.y, SIZE, SIZE, BACKGROUND, 40 * (1 - old.y / height)),
      filled(box.x, box.y, SIZE, SIZE, [sequence & 255, 160, 220], 20),
    ];
    if (pointer) rects.push(filled(Math.min(pointer.x, width - 6), Math.min(pointer.y, height - 6), 6, 6, [255, 200, 80]));
    paint(rects);
  };
  peer.onMessage = (text) => {
    const message = JSON.parse(text);
    if (message.type === "ack") waiting = waiting && message.sequence !== sequence;
    else {
      log.push(message);
      if (log.length > 2000) log.shift();
      if (message.type === "pointer") pointer = message;
      if (message.type === "refresh") whole();
    }
  };
  peer.send(statusMessage({ state: "connected", reason: "", retry_in: null, encoding: "Raw" }));
  peer.send(resizeMessage(width, height));
  peer.send(arrowCursor());
  whole();
  const timer = fps > 0 ? setInterval(step, 1000 / fps) : null;
  peer.onClose = () => {
    stopped = true;
    clearInterval(timer);
  };
  return { stop: () => peer.close(), lose: (reason) => peer.send(statusMessage({ state: "lost", reason, retry_in: 2 })) };
}
