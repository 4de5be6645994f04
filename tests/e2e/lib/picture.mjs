// Reads and writes pictures and asks about their pixels. PNG as browsers and Nestbox write it (8 bits a channel, not
// interlaced), PPM as x.c writes it.
import { deflateSync, inflateSync } from "node:zlib";

/** { width, height, at(x, y) → [r, g, b] } */
export function decode(bytes) {
  if (bytes.toString("latin1", 1, 4) !== "PNG") throw new Error("not a PNG");
  let width, height, kind, palette;
  const parts = [];
  for (let at = 8; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") {
      width = data.readUInt32BE(0);
      height = data.readUInt32BE(4);
      kind = data[9];
      if (data[8] !== 8 || data[12] !== 0) throw new Error("only 8-bit, not interlaced PNG is read");
    } else if (type === "PLTE") palette = data;
    else if (type === "IDAT") parts.push(data);
    at += 12 + length;
  }
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[kind];
  const raw = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const pixels = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)];
    const from = y * (stride + 1) + 1;
    for (let i = 0; i < stride; i++) {
      const left = i >= channels ? pixels[y * stride + i - channels] : 0;
      const up = y ? pixels[(y - 1) * stride + i] : 0;
      const corner = y && i >= channels ? pixels[(y - 1) * stride + i - channels] : 0;
      let add = 0;
      if (filter === 1) add = left;
      else if (filter === 2) add = up;
      else if (filter === 3) add = (left + up) >> 1;
      else if (filter === 4) {
        const guess = left + up - corner;
        const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
        add = a <= b && a <= c ? left : b <= c ? up : corner;
      }
      pixels[y * stride + i] = raw[from + i] + add;
    }
  }
  const at = (x, y) => {
    const i = y * stride + x * channels;
    if (kind === 3) return [...palette.subarray(pixels[i] * 3, pixels[i] * 3 + 3)];
    if (channels < 3) return [pixels[i], pixels[i], pixels[i]];
    return [pixels[i], pixels[i + 1], pixels[i + 2]];
  };
  return { width, height, at };
}

/** A binary PPM, like `decode`; `rgb` holds its bytes. */
export function decodePpm(bytes) {
  const [head, width, height] = /^P6\n(\d+) (\d+)\n255\n/.exec(bytes.toString("latin1", 0, 40)) ?? [];
  if (!head) throw new Error("not a PPM");
  const rgb = bytes.subarray(head.length);
  const picture = { width: Number(width), height: Number(height), rgb };
  picture.at = (x, y) => [...rgb.subarray((y * picture.width + x) * 3, (y * picture.width + x) * 3 + 3)];
  return picture;
}

/** A picture with `rgb` as PNG. */
export function encode({ width, height, rgb }) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++) rgb.copy(rows, y * (width * 3 + 1) + 1, y * width * 3, (y + 1) * width * 3);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const frame = Buffer.alloc(body.length + 8);
    frame.writeUInt32BE(data.length, 0);
    body.copy(frame, 4);
    frame.writeUInt32BE(crc32(body), frame.length - 4);
    return frame;
  };
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

const CRC = Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});
const crc32 = (bytes) => {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
};

/** Share (0 to 1) of the pixels in `box` {x, y, width, height} for which `test(r, g, b)` holds, looking at every `step`th. */
export function share(picture, test, box = { x: 0, y: 0, width: picture.width, height: picture.height }, step = 3) {
  let seen = 0;
  let held = 0;
  const right = Math.min(picture.width, Math.floor(box.x + box.width));
  const bottom = Math.min(picture.height, Math.floor(box.y + box.height));
  for (let y = Math.max(0, Math.ceil(box.y)); y < bottom; y += step) {
    for (let x = Math.max(0, Math.ceil(box.x)); x < right; x += step) {
      seen++;
      if (test(...picture.at(x, y))) held++;
    }
  }
  return seen ? held / seen : 0;
}

/** Colours of a Linux text console, as the test guest paints them, with room for scaling and dithering. */
export const isGreen = (r, g, b) => g > 110 && r < 90 && b < 90;
export const isRed = (r, g, b) => r > 110 && g < 90 && b < 90;
export const isBlue = (r, g, b) => b > 110 && r < 90 && g < 90;
