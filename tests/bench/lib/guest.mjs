// Guests that are measured: a shell in them, and the same machine under a bare hypervisor.
import { spawn } from "node:child_process";
import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { end, start, until } from "../../e2e/lib/processes.mjs";
import { built, guest } from "../../e2e/lib/setting.mjs";
import { connected, Qmp } from "./qmp.mjs";

/** Emulated guests on a busy computer: seconds are minutes. */
const PATIENCE = { within: 120_000, every: 20 };

/** The shell on a guest's serial line. `open` gives a duplex `{ input, output, close }`, `log` what the guest has said. */
class Shell {
  #open;
  #log;
  #count = 0;

  constructor(open, log) {
    this.#open = open;
    this.#log = log;
  }

  async logIn() {
    await until("the guest", async () => /nestbox-guest: ready [^]*login:/.test(await this.#log()), PATIENCE);
    await this.#talk([["\n", /login: $/], ["root\n", /# [^\n]*$/]]);
  }

  /** What a command says; it must succeed. */
  async run(command) {
    const mark = `end ${this.#count++}`;
    // The echo of what is typed has the quotation marks.
    const said = await this.#talk([[`${command}; echo "${mark}"': '$?\n`, new RegExp(`^${mark}: \\d+`, "m")]]);
    if (!said.includes(`${mark}: 0`)) throw new Error(`in the guest: ${said}`);
    return said;
  }

  /** Says each line and waits for its answer: the last answer. */
  async #talk(lines) {
    const { input, output, close } = await this.#open();
    let said = "";
    output.setEncoding("utf8").on("data", (part) => (said += part));
    try {
      for (const [line, answer] of lines) {
        said = "";
        input.write(line);
        await until(`${answer} after ${JSON.stringify(line)}`, () => answer.test(said.replaceAll("\r", "")), PATIENCE)
          .catch((error) => Promise.reject(new Error(`${error.message}: ${JSON.stringify(said)}`)));
      }
      return said;
    } finally {
      close();
    }
  }
}

/** Makes a machine of the test guest, starts it and logs in: its shell. */
export async function bootedMachine(setting, name, memory) {
  await makeMachine(setting, name, memory);
  return boot(setting, name);
}

export const makeMachine = (setting, name, memory) =>
  setting.cli("create", name, "--disk-image", guest("tiny-amd64.qcow2"), "--copy", "--disk", "4G", "--memory", memory);

/** Starts a machine and logs in: its shell. */
export async function boot(setting, name) {
  await setting.cli("start", name);
  const shell = new Shell(() => nestboxConsole(setting, name), () => setting.service.serial(name));
  await shell.logIn();
  return shell;
}

function nestboxConsole(setting, name) {
  const child = spawn(built("nestbox"), ["console", name], { env: setting.env, stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.on("error", () => {}); // It may end first.
  return { input: child.stdin, output: child.stdout, close: () => child.kill() };
}

/**
 * Starts the bare hypervisor with the arguments that a stopped machine would be started with, on copies of its images,
 * and logs in: `{ shell, qmp, nodes }`, the nodes being those that hold the guest's state.
 */
export async function bareTwin(setting, name) {
  const { id, folder } = await setting.service.machine(name);
  const { argv } = await setting.cli("show", name, "--command");
  const ours = { folder, run: join(setting.home, "run", id.slice(0, 8)) };
  const bare = { folder: join(setting.home, "bare"), run: join(setting.home, "b") };
  await cp(folder, bare.folder, { recursive: true });
  await mkdir(bare.run);
  const words = argv.map((word) => word.replaceAll(ours.folder, bare.folder).replaceAll(ours.run, bare.run));
  const qemu = start(words[0], words.slice(1), { env: setting.env });
  setting.onClose(() => end(qemu));
  const open = async () => {
    const stream = await connected(join(bare.run, "serial.sock"));
    return { input: stream, output: stream, close: () => stream.destroy() };
  };
  const shell = new Shell(open, () => readFile(join(bare.folder, "logs/serial.log"), "utf8").catch(() => ""));
  await shell.logIn();
  const qmp = await Qmp.open(join(bare.run, "qmp.sock"));
  setting.onClose(() => qmp.close());
  const nodes = (await qmp.execute("query-named-block-nodes")).filter(({ drv, ro }) => drv === "qcow2" && !ro);
  return { shell, qmp, nodes: nodes.map((node) => node["node-name"]).sort() };
}
