// `nestbox start` until the guest runs, against bare QEMU with the same arguments until QMP says so.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { Home, median, seconds } from './common.mjs';

const LIMIT_SECONDS = 30;

async function untilRunning(socketPath) {
  const deadline = Date.now() + LIMIT_SECONDS * 1000;
  while (Date.now() < deadline) {
    const socket = createConnection(socketPath);
    try {
      await once(socket, 'connect');
      let text = '';
      socket.write('{"execute":"qmp_capabilities"}\n{"execute":"query-status"}\n');
      for await (const chunk of socket) {
        text += chunk;
        if (text.includes('"running": true')) return socket;
        if (text.includes('"running": false')) break;
      }
    } catch {
      // Not listening yet.
    }
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error('bare QEMU did not come up');
}

async function bare(argv) {
  const qmp = argv.find((word) => word.includes('qmp.sock')).match(/(\/[^,"]*qmp\.sock)/)[1];
  rmSync(dirname(qmp), { recursive: true, force: true });
  mkdirSync(dirname(qmp), { recursive: true, mode: 0o700 });
  let child;
  let socket;
  const took = await seconds(async () => {
    child = spawn(argv[0], argv.slice(1), { stdio: 'ignore' });
    socket = await untilRunning(qmp);
  });
  socket.write('{"execute":"quit"}\n');
  await once(child, 'exit');
  socket.destroy();
  return took;
}

export async function benchStart({ home, rounds }) {
  const nest = new Home(home);
  await nest.nestbox('create', 'bench', '--blank', '--disk', '1G', '--memory', '512M');
  // Everything that is made once (UEFI variables, verdicts on accelerators) is made before.
  await nest.nestbox('start', 'bench');
  await nest.nestbox('stop', '--force', 'bench');
  const { argv } = await nest.json('show', 'bench', '--command');
  const ours = [];
  const theirs = [];
  for (let round = 0; round < rounds; round += 1) {
    theirs.push(await bare(argv));
    ours.push(await seconds(() => nest.nestbox('start', 'bench')));
    await nest.nestbox('stop', '--force', 'bench');
  }
  await nest.close();
  return [
    {
      name: 'start until the guest runs',
      seconds: median(ours),
      baseline: median(theirs),
      baselineName: 'bare QEMU',
      goalText: '≤ 1.3 × + 60 ms',
      goal: (row) => row.seconds <= 1.3 * row.baseline + 0.06,
    },
  ];
}
