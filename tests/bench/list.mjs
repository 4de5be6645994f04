// `nestbox list` of 1,000 machines, against `virsh list --all` of as many where libvirt is installed.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Home, median, seconds } from './common.mjs';

const MACHINES = 1000;
const PEER_SECONDS = 0.11;
const run = promisify(execFile);

export async function fill(nest, count) {
  const first = await nest.json('create', 'machine 0', '--blank', '--disk', '1G');
  await nest.nestbox('service', 'stop');
  const spec = readFileSync(join(first.folder, 'machine.toml'), 'utf8');
  for (let index = 1; index < count; index += 1) {
    const id = index.toString(16).padStart(32, '0');
    const folder = join(nest.home, 'machines', id);
    mkdirSync(join(folder, 'disks'), { recursive: true });
    writeFileSync(join(folder, 'machine.toml'), spec.replace(first.id, id).replace('machine 0', `machine ${index}`));
  }
  await nest.nestbox('library', 'check', '--rebuild').catch(() => {});
  const { machines } = await nest.json('list');
  if (machines.length !== count) throw new Error(`${machines.length} machines instead of ${count}`);
}

async function virsh(rounds) {
  try {
    await run('virsh', ['--connect', 'test:///default', 'list', '--all']);
  } catch {
    return undefined;
  }
  const times = [];
  for (let round = 0; round < rounds; round += 1) {
    times.push(await seconds(() => run('virsh', ['--connect', 'test:///default', 'list', '--all'])));
  }
  return median(times);
}

export async function benchList({ home, rounds }) {
  const nest = new Home(home);
  await fill(nest, MACHINES);
  const times = [];
  for (let round = 0; round < rounds * 2; round += 1) {
    times.push(await seconds(() => nest.nestbox('list')));
  }
  const peer = await virsh(rounds);
  await nest.close();
  return [
    {
      name: `list of ${MACHINES} machines`,
      seconds: median(times),
      baseline: PEER_SECONDS,
      baselineName: 'virsh list (as published)',
      goalText: '≤ 110 ms',
      goal: (row) => row.seconds <= PEER_SECONDS,
    },
    {
      name: 'list beside virsh on its one-machine test driver',
      seconds: median(times),
      baseline: peer,
      baselineName: 'virsh',
      goalText: 'for comparison',
      skipped: peer === undefined ? 'virsh is not installed' : undefined,
      goal: () => true,
    },
  ];
}
