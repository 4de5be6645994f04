// The second machine of a cached image, from the local mirror: our own time until it is made.
import { join } from 'node:path';
import { Home, median, seconds, spawnUntilLine, target } from './common.mjs';

export async function benchCached({ home, rounds }) {
  const image = join(process.env.NESTBOX_TEST_GUESTS ?? join(target, 'guests'), 'tiny-arm64.qcow2');
  const { child, line } = await spawnUntilLine(join(target, 'debug', 'nestbox-test-mirror'), [
    '--dir',
    join(home, 'mirror'),
    '--ubuntu-arm64',
    image,
  ]);
  const mirror = JSON.parse(line);
  const nest = new Home(join(home, 'home'), {
    NESTBOX_MIRROR_UBUNTU: mirror.url,
    NESTBOX_EXTRA_KEYS: mirror.keys_dir,
  });
  const create = (name) => nest.nestbox('create', name, '--template', 'ubuntu-24.04', '--arch', 'aarch64');
  try {
    const first = await seconds(() => create('first'));
    const times = [];
    for (let round = 0; round < rounds; round += 1) {
      times.push(await seconds(() => create(`next ${round}`)));
    }
    await nest.close();
    return [
      {
        name: 'second machine of a cached image',
        seconds: median(times),
        baseline: first,
        baselineName: 'the first one',
        goalText: '< 1 s',
        goal: (row) => row.seconds < 1,
      },
    ];
  } finally {
    child.kill();
  }
}
