// What the benchmarks share: the nestbox program on a data directory of its own, and time.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
const program = process.env.NESTBOX_PROGRAM ?? join(target, 'debug', 'nestbox');
const run = promisify(execFile);

/** Seconds that `work` takes. */
export async function seconds(work) {
  const began = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - began) / 1e9;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** A data directory with its service. */
export class Home {
  constructor(home, env = {}) {
    this.home = home;
    this.env = { ...process.env, NESTBOX_HOME: home, ...env };
  }
  async nestbox(...args) {
    const { stdout } = await run(program, args, { env: this.env, maxBuffer: 1 << 28 });
    return stdout;
  }
  async json(...args) {
    return JSON.parse(await this.nestbox('--json', ...args));
  }
  async close() {
    const { machines } = await this.json('list');
    for (const machine of machines.filter((m) => m.pid)) {
      await this.nestbox('stop', '--force', machine.id);
    }
    await this.nestbox('service', 'stop');
  }
}

/** A child process whose first line of output is awaited. */
export async function spawnUntilLine(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.includes('\n')) {
      return { child, line: text.slice(0, text.indexOf('\n')) };
    }
  }
  throw new Error(`${command} ended with ${(await once(child, 'exit'))[0]}`);
}
