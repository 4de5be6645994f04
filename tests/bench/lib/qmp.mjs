// QMP, as much of it as a bare hypervisor beside Nestbox needs.
import { createConnection } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../e2e/lib/processes.mjs";
import { now } from "./measure.mjs";

/** An internal snapshot of a large guest on a busy computer takes its time. */
const PATIENCE_MS = 120_000;

/** A stream to `socket` once somebody listens there. */
export function connected(socket) {
  const once = () => new Promise((resolve, reject) => {
    const stream = createConnection(socket, () => resolve(stream)).on("error", reject);
  });
  return until(`somebody to listen on ${socket}`, once, { within: 20_000, every: 2 });
}

export class Qmp {
  #stream;
  #rest = "";
  #answers = [];
  #jobs = 0;
  events = [];

  static async open(socket) {
    const qmp = new Qmp();
    qmp.#stream = await connected(socket);
    qmp.#stream.setEncoding("utf8").on("data", (part) => qmp.#take(part));
    await qmp.execute("qmp_capabilities");
    return qmp;
  }

  close() {
    this.#stream.destroy();
  }

  #take(part) {
    const lines = (this.#rest + part).split("\n");
    this.#rest = lines.pop();
    for (const message of lines.filter((line) => line.trim()).map((line) => JSON.parse(line))) {
      if (message.event) this.events.push(message);
      else if (!message.QMP) this.#answers.shift()?.(message);
    }
  }

  /** What a command returns. Answers come in the order of the commands. */
  async execute(execute, words = {}) {
    const late = sleep(PATIENCE_MS, { error: { desc: "no answer" } }, { ref: false });
    const answer = new Promise((resolve) => this.#answers.push(resolve));
    this.#stream.write(`${JSON.stringify({ execute, arguments: words })}\n`);
    const message = await Promise.race([answer, late]);
    if (message.error) throw new Error(`${execute}: ${message.error.desc}`);
    return message.return;
  }

  /** Runs a job to its end: milliseconds that it took, and that the guest stood still meanwhile. */
  async job(command, words) {
    const id = `job-${this.#jobs++}`;
    this.events = [];
    const from = now();
    await this.execute(command, { "job-id": id, ...words });
    const ended = ({ data }) => data?.id === id && data.status === "concluded";
    await until(command, () => this.events.some(ended), { within: PATIENCE_MS, every: 1 });
    const took = now() - from;
    const { error } = (await this.execute("query-jobs")).find((job) => job.id === id);
    await this.execute("job-dismiss", { id });
    if (error) throw new Error(`${command}: ${error}`);
    return { took, paused: this.#between("STOP", "RESUME") };
  }

  /** Milliseconds from one event to another, by the hypervisor's clock. */
  #between(first, last) {
    const at = (name) => {
      const stamp = this.events.find(({ event }) => event === name)?.timestamp;
      return stamp ? stamp.seconds * 1000 + stamp.microseconds / 1000 : NaN;
    };
    return at(last) - at(first);
  }
}
