/** One display: asks for an address, connects, paints, acknowledges, reconnects with a visible reason. Knows no React. */
import { backoff } from "../../data/events";
import { decode, type LinkState, type Message, type Outgoing, type Rect } from "./protocol";
import { type DisplayNumbers, StatsRecorder } from "./stats";

/** How the connection stands, for the overlay. */
export interface Link {
  state: LinkState;
  /** The service's words, or "" where the window itself has to say it. */
  reason: string;
  /** When the next attempt happens (ms since 1970), or null. */
  retryAt: number | null;
  encoding: string | null;
}

export interface SessionEvents {
  onLink(link: Link): void;
  onSize(width: number, height: number): void;
  /** A CSS `cursor` value. */
  onCursor(css: string): void;
}

export interface SessionOptions {
  canvas: HTMLCanvasElement;
  /** Asks the service for a fresh address. Rejects with what to show. */
  address(): Promise<string>;
  events: SessionEvents;
}

/** Larger cursors are ignored by web engines. */
const CURSOR_MAX = 128;

/** `performance.now()` as milliseconds since 1970, with its resolution. */
const wallClock = (): number => performance.timeOrigin + performance.now();

function cursorCss(message: Extract<Message, { type: "cursor" }>): string {
  const { visible, width, height, pixels } = message;
  if (!visible || width === 0 || height === 0) return "none";
  if (width > CURSOR_MAX || height > CURSOR_MAX) return "default";
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  const hotX = Math.min(message.hotX, width - 1);
  const hotY = Math.min(message.hotY, height - 1);
  return `url(${canvas.toDataURL()}) ${hotX} ${hotY}, default`;
}

export class DisplaySession {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private closed = false;
  private link: Link = { state: "connecting", reason: "", retryAt: null, encoding: null };
  private readonly context: CanvasRenderingContext2D | null;
  private readonly recorder = new StatsRecorder();
  private pendingSize: { width: number; height: number } | null = null;
  private frameBytes = 0;
  private frameArea = 0;
  private presenting: number | null = null;

  constructor(private readonly options: SessionOptions) {
    this.context = options.canvas.getContext("2d", { alpha: false });
    void this.connect();
  }

  /** Ends it for good. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    if (this.presenting !== null) cancelAnimationFrame(this.presenting);
    this.socket?.close();
    this.socket = null;
  }

  /** Tries again now. */
  retry(): void {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.attempt = 0;
    this.drop();
    void this.connect();
  }

  send(message: Outgoing): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  numbers(): DisplayNumbers {
    return this.recorder.numbers(wallClock());
  }

  private setLink(part: Partial<Link>): void {
    this.link = { ...this.link, ...part };
    this.options.events.onLink(this.link);
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onclose = null;
      socket.onmessage = null;
      socket.close();
    }
  }

  private async connect(): Promise<void> {
    if (this.link.state !== "lost") this.setLink({ state: "connecting", reason: "", retryAt: null });
    else this.setLink({ retryAt: null });
    let url: string;
    try {
      url = await this.options.address();
    } catch (error) {
      this.lost(error instanceof Error ? error.message : "");
      return;
    }
    if (this.closed) return;
    this.drop();
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.recorder.reconnected();
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (this.socket === socket && event.data instanceof ArrayBuffer) this.receive(event.data);
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      // A server that said “ended” or “lost” before it hung up gave the better reason.
      if (this.link.state === "ended") return;
      this.lost(this.link.state === "lost" ? this.link.reason : "");
    };
  }

  private lost(reason: string): void {
    if (this.closed) return;
    const wait = backoff(this.attempt);
    this.attempt += 1;
    this.setLink({ state: "lost", reason, retryAt: Date.now() + wait });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), wait);
  }

  private receive(buffer: ArrayBuffer): void {
    let message: Message | null;
    try {
      message = decode(buffer);
    } catch {
      // A damaged message makes every later one doubtful: start over with a full picture.
      this.drop();
      this.lost("");
      return;
    }
    switch (message?.type) {
      case "frame":
        this.frame(message);
        break;
      case "resize":
        this.pendingSize = { width: message.width, height: message.height };
        break;
      case "cursor":
        this.options.events.onCursor(cursorCss(message));
        break;
      case "status": {
        const { state, reason, retryIn, encoding } = message.status;
        if (state === "connected") this.attempt = 0;
        this.setLink({
          state,
          reason,
          retryAt: retryIn === null ? null : Date.now() + retryIn * 1000,
          encoding: encoding ?? this.link.encoding,
        });
        break;
      }
      default:
        break;
    }
  }

  /** Paints at once, so that the next presented picture has it; acknowledges when that picture is being made. */
  private frame(frame: Extract<Message, { type: "frame" }>): void {
    if (this.link.state !== "connected") {
      this.attempt = 0;
      this.setLink({ state: "connected", reason: "", retryAt: null });
    }
    this.applySize();
    for (const rect of frame.rects) this.paint(rect);
    this.frameBytes += frame.bytes;
    if (frame.more) return;
    const { width, height } = this.options.canvas;
    const shown = {
      sequence: frame.sequence,
      captured: frame.capturedMicros / 1000,
      bytes: this.frameBytes,
      area: Math.min(1, this.frameArea / Math.max(1, width * height)),
    };
    this.frameBytes = 0;
    this.frameArea = 0;
    this.presenting = requestAnimationFrame(() => {
      this.presenting = null;
      this.send({ type: "ack", sequence: shown.sequence });
      this.recorder.shown(shown, wallClock());
      this.options.canvas.dataset.frames = String(Number(this.options.canvas.dataset.frames ?? 0) + 1);
    });
  }

  /** A new size takes effect with its first frame: the old picture stays until then instead of a black flash. */
  private applySize(): void {
    if (!this.pendingSize) return;
    const { width, height } = this.pendingSize;
    this.pendingSize = null;
    const { canvas } = this.options;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    this.options.events.onSize(width, height);
  }

  private paint({ x, y, width, height, pixels }: Rect): void {
    if (width === 0 || height === 0) return;
    this.context?.putImageData(new ImageData(pixels, width, height), x, y);
    this.frameArea += width * height;
  }
}
