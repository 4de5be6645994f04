/** A WebSocket server end for fixtures: handshake and frames of RFC 6455, nothing more. No dependency. */
import { createHash } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MAX_MESSAGE = 1 << 20;

/** Answers an HTTP upgrade. Returns `{ send, close, onMessage, onClose, drained }`. */
export function acceptWebSocket(request, socket) {
  const key = request.headers["sec-websocket-key"];
  const accept = createHash("sha1").update(key + GUID).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.setNoDelay(true);
  let received = Buffer.alloc(0);
  const peer = { onMessage: null, onClose: null, send, close };

  function frame(opcode, payload) {
    const length = payload.length;
    const header =
      length < 126
        ? Buffer.from([0x80 | opcode, length])
        : length < 65_536
          ? Buffer.from([0x80 | opcode, 126, length >> 8, length & 255])
          : Buffer.concat([Buffer.from([0x80 | opcode, 127]), bigEndian(length)]);
    if (socket.writable) {
      socket.write(header);
      socket.write(payload);
    }
  }
  function send(data) {
    frame(typeof data === "string" ? 1 : 2, Buffer.from(data));
  }
  function close() {
    frame(8, Buffer.alloc(0));
    socket.end();
  }
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    for (;;) {
      const parsed = parse(received);
      if (!parsed) return;
      received = received.subarray(parsed.used);
      if (parsed.opcode === 8) {
        close();
        return;
      }
      if (parsed.opcode === 9) frame(10, parsed.payload);
      else if (parsed.opcode === 1) peer.onMessage?.(parsed.payload.toString("utf8"));
      else if (parsed.opcode === 2) peer.onMessage?.(parsed.payload);
    }
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => peer.onClose?.());
  return peer;
}

function bigEndian(length) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(length));
  return bytes;
}

function parse(data) {
  if (data.length < 2) return null;
  const opcode = data[0] & 15;
  const masked = (data[1] & 128) !== 0;
  let length = data[1] & 127;
  let at = 2;
  if (length === 126) {
    if (data.length < 4) return null;
    length = data.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    if (data.length < 10) return null;
    length = Number(data.readBigUInt64BE(2));
    at = 10;
  }
  if (length > MAX_MESSAGE) throw new Error("message too long for a fixture");
  const mask = masked ? data.subarray(at, at + 4) : null;
  if (masked) at += 4;
  if (data.length < at + length) return null;
  const payload = Buffer.from(data.subarray(at, at + length));
  if (mask) for (let n = 0; n < length; n += 1) payload[n] ^= mask[n & 3];
  return { opcode, payload, used: at + length };
}
