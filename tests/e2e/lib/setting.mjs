// What a test stands on: a home of its own, a display, a mirror of the catalogue, the window under WebDriver.
import { existsSync } from "node:fs";
import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { decodePpm, encode } from "./picture.mjs";
import { end, freePort, Hopeless, start, until } from "./processes.mjs";
import { Service } from "./service.mjs";
import { Session } from "./webdriver.mjs";

export const root = resolve(fileURLToPath(import.meta.url), "../../../..");
const target = process.env.CARGO_TARGET_DIR ? resolve(root, process.env.CARGO_TARGET_DIR) : join(root, "target");
/** A program as cargo built it: tests take the development build, `make bench` what people run. */
export const built = (name) => join(target, process.env.NESTBOX_TEST_PROFILE ?? "debug", name);
export const guest = (name) => join(process.env.NESTBOX_TEST_GUESTS ?? join(target, "guests"), name);

/** The path of a program, or undefined. */
export function which(...names) {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      if (folder && existsSync(join(folder, name))) return join(folder, name);
    }
  }
  return undefined;
}

/** Names of those that are not there. */
export const lacking = (...paths) => paths.filter((path) => !(path.includes("/") ? existsSync(path) : which(path)));

/** Everything a test starts, ended in reverse order by `close`. */
export class Setting {
  #endings = [];

  static async make() {
    const setting = new Setting();
    setting.home = await mkdtemp(join(tmpdir(), "nestbox-e2e-"));
    setting.service = new Service(setting.home);
    setting.env = {
      PATH: process.env.PATH,
      HOME: setting.home, // Nothing of the account that runs the tests is read or written.
      LANG: "C.UTF-8",
      TZ: "UTC",
      NESTBOX_HOME: setting.home,
      NESTBOX_SERVICE: built("nestbox"),
    };
    setting.onClose(() => rm(setting.home, { recursive: true, force: true, maxRetries: 5 }));
    return setting;
  }

  onClose(ending) {
    this.#endings.push(ending);
  }

  async close() {
    const problems = [];
    // Machines first, while there is a service to end them: they outlive it by design.
    await this.service.shutDown().catch((error) => problems.push(error));
    await endMachines(this.home).catch((error) => problems.push(error));
    for (const ending of this.#endings.reverse()) await Promise.resolve(ending()).catch((error) => problems.push(error));
    if (problems.length) throw new AggregateError(problems, problems.map(String).join("; "));
  }

  /** A free X display. */
  async display(width = 1280, height = 800) {
    const server = start("Xvfb", ["-displayfd", "3", "-screen", "0", `${width}x${height}x24`, "-nolisten", "tcp", "-noreset"], {
      env: { PATH: process.env.PATH },
      fd3: true,
    });
    this.onClose(() => end(server));
    let number = "";
    server.child.stdio[3].setEncoding("utf8").on("data", (text) => (number += text));
    await until("a display", () => number.endsWith("\n") || alive(server));
    this.env.DISPLAY = `:${number.trim()}`;
  }

  /** A distribution mirror on this computer; a service started later takes Ubuntu from it. */
  async mirror(...options) {
    const folder = join(this.home, "mirror");
    const images = ["--ubuntu-amd64", guest("tiny-amd64.qcow2"), "--ubuntu-arm64", guest("tiny-arm64.qcow2")];
    const program = start(built("nestbox-test-mirror"), ["--dir", folder, ...images, ...options], { env: this.env });
    this.onClose(() => end(program));
    const line = await until("the mirror", () => alive(program) || program.output.split("\n").find((text) => text.startsWith("{")), { within: 60_000 });
    Object.assign(this.env, JSON.parse(line).environment);
  }

  /** Runs the nestbox command: its JSON. */
  async cli(...words) {
    const program = start(built("nestbox"), ["--json", ...words], { env: this.env });
    const code = await program.ended;
    if (code !== 0) throw new Error(`nestbox ${words.join(" ")}: ${code}\n${program.output}`);
    return program.output.trim() ? JSON.parse(program.output) : null;
  }

  /** Opens the window and a WebDriver session in it. */
  async window() {
    const [port, nativePort] = [await freePort(), await freePort()];
    const driver = start("tauri-driver", ["--port", String(port), "--native-port", String(nativePort)], { env: this.env });
    const capabilities = { browserName: "wry", "tauri:options": { application: built("nestbox-app") } };
    const session = await until("the window", () => alive(driver) || Session.open(`http://127.0.0.1:${port}`, capabilities), { within: 30_000, every: 200 })
      .catch((error) => end(driver).then(() => Promise.reject(error)));
    session.end = async () => {
      await session.close();
      await end(driver);
    };
    this.onClose(session.end);
    this.session = session;
    return session;
  }

  /** What the X screen shows. WebKit's own screenshots hang where no GPU composites, and this is what people see. */
  async screen() {
    const { stdout } = await run(await xTool(), ["grab"], { env: this.env, encoding: "buffer", maxBuffer: 64 << 20, timeout: 20_000 });
    return decodePpm(stdout);
  }

  /** Drops files on the window at a point of the screen, after holding them there for a moment. */
  async drop(x, y, files, hoverMs = 0) {
    await run(await xTool(), ["drop", String(x), String(y), ...files], { env: { ...this.env, X_HOVER_MS: String(hoverMs) }, timeout: 30_000 });
  }

  /** Keeps what the screen shows, for people: target/e2e/NAME.png. */
  async keepPicture(name) {
    const folder = join(target, "e2e");
    await mkdir(folder, { recursive: true });
    const path = join(folder, `${name.replace(/[^a-z0-9]+/gi, "-")}.png`);
    await writeFile(path, encode(await this.screen()));
    return path;
  }
}

const run = promisify(execFile);
let tool;
/** tests/e2e/lib/x.c, compiled once a run. */
const xTool = () => (tool ??= (async () => {
  const path = join(target, "e2e", "x");
  await mkdir(join(target, "e2e"), { recursive: true });
  await run("cc", ["-O1", "-o", path, join(root, "tests/e2e/lib/x.c"), "-lX11"], { timeout: 60_000 });
  return path;
})());

/** Nothing while `program` runs; its output as an error when it ended. */
function alive(program) {
  if (program.exited) throw new Hopeless(`${program.name} ended:\n${program.output}`);
}

/** Ends what still runs of the machines of this home: those of a service that was killed. */
async function endMachines(home) {
  for (const entry of await readdir("/proc").catch(() => [])) {
    const command = /^\d+$/.test(entry) ? await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "") : "";
    if (/^[^\0]*qemu-system-/.test(command) && command.includes(`${home}/run/`)) process.kill(Number(entry), "SIGKILL");
  }
}
