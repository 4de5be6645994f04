/** Runs the page tests: names and flows, then accessibility. `node tests/run.mjs [flows|timeline|disks|zoom|axe|scale]`. */
import { openBrowser, startFixtures } from "./harness.mjs";

const SUITES = ["flows", "timeline", "disks", "zoom", "axe", "scale"];
const wanted = process.argv.slice(2);
const server = await startFixtures();
const browser = await openBrowser();
let failed = 0;
let passed = 0;

async function test(name, body) {
  const started = Date.now();
  try {
    await body();
    passed += 1;
    console.log(`ok    ${name} (${Date.now() - started} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n      ${String(error?.message ?? error).split("\n").slice(0, 12).join("\n      ")}`);
  }
}

try {
  for (const suite of SUITES.filter((name) => wanted.length === 0 || wanted.includes(name))) {
    const { run } = await import(`./${suite}.mjs`);
    await run({ url: server.url, browser, test });
  }
} finally {
  await browser.close();
  await server.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
