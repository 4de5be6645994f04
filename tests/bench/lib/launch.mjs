// How long a window takes until it looks as it stays, seen from outside: on the X screen.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { end, start, until } from "../../e2e/lib/processes.mjs";
import { now } from "./measure.mjs";

/** A window that has not changed for this long has come to rest. */
const REST_MS = 1200;
const PATIENCE_MS = 15_000;

/** The compiled `watch.c`, on the display of `setting`, which shows no window yet. */
export async function watcher(setting) {
  const folder = await mkdtemp(join(tmpdir(), "nestbox-watch-"));
  setting.onClose(() => rm(folder, { recursive: true, force: true }));
  const program = join(folder, "watch");
  const source = fileURLToPath(new URL("watch.c", import.meta.url));
  await promisify(execFile)("cc", ["-O1", "-o", program, source, "-lX11"], { timeout: 60_000 });
  return { program, env: setting.env, bare: undefined };
}

/** Reads what `watch` writes: pictures with the moment at which each was there first. */
class Pictures {
  #rest = Buffer.alloc(0);
  all = [];

  take(part) {
    this.#rest = Buffer.concat([this.#rest, part]);
    for (;;) {
      const line = this.#rest.indexOf("\n");
      if (line < 0) return;
      const [at, bytes] = this.#rest.toString("latin1", 0, line).split(" ").map(Number);
      const end = line + 1 + bytes;
      if (this.#rest.length < end) return;
      this.all.push({ at, pixels: Buffer.from(this.#rest.subarray(line + 1, end)) });
      this.#rest = this.#rest.subarray(end);
    }
  }
}

/** Nearly the same picture: a focus ring or a blinking caret is no difference. */
function alike(one, other) {
  let different = 0;
  for (let i = 0; i < one.length; i += 4) {
    const far = [0, 1, 2].some((channel) => Math.abs(one[i + channel] - other[i + channel]) >= 24);
    if (far) different++;
  }
  return different / (one.length / 4) < 0.03;
}

/**
 * Milliseconds from the start of `program` until `box` of the screen looks as it does when the window rests. The
 * program keeps to `env`, which has the display of `watch`.
 */
export async function launch(watch, program, env, box) {
  const pictures = new Pictures();
  const words = [box.x, box.y, box.width, box.height].map(String);
  const watching = spawn(watch.program, words, { env: watch.env, stdio: ["pipe", "pipe", "inherit"] });
  watching.stdout.on("data", (part) => pictures.take(part));
  const shown = () => pictures.all.at(-1);
  let window;
  try {
    await until("the screen", shown);
    watch.bare ??= shown().pixels;
    await until("the last window to go", () => alike(shown().pixels, watch.bare));
    const from = now();
    window = start(program, [], { env });
    const rests = () => shown().at > from && now() - shown().at > REST_MS;
    await until("the window to come to rest", rests, { within: PATIENCE_MS, every: 50 });
    const last = shown().pixels;
    return pictures.all.find(({ at, pixels }) => at > from && alike(pixels, last)).at - from;
  } catch (error) {
    error.message += `\n${window?.output ?? ""}`;
    throw error;
  } finally {
    await end(window);
    watching.stdin.end();
  }
}
