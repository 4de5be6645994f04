/** axe-core over every screen, two sizes, two themes: no violation. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { SCREENS } from "./screens.mjs";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = [
  [1280, 800],
  [960, 640],
];

const AT_ONCE = 3;

/** Switched off, with reasons. */
const RULES = {
  // Experimental; counts and states are descriptions here, not part of names.
  "label-content-name-mismatch": { enabled: false },
  // The toasts are a status, outside of landmarks on purpose.
  region: { enabled: false },
};

export async function run({ url, browser, test }) {
  const runs = SCREENS.flatMap((screen) =>
    SIZES.flatMap(([width, height], at) =>
      ["light", "dark"].map((theme) => ({ screen, width, height, theme, few: at === (theme === "light" ? 0 : 1) })),
    ),
  ).filter(({ screen, width, few }) => !(screen.wide && width < 1120) && (few || !screen.few));
  const next = runs[Symbol.iterator]();
  // A few pages at a time: what they wait for is seldom the processor.
  const worker = async () => {
    for (const { screen, width, height, theme } of next) {
      await test(`axe: ${screen.name} ${width}x${height} ${theme}`, async () => {
          const page = await browser.open(url, { ...screen, settle: 400 }, { width, height, theme });
          try {
            await page.evaluate(source);
            const found = await page.evaluate(
              (rules) => globalThis.axe.run(document, { rules, resultTypes: ["violations"] }).then((r) => r.violations),
              RULES,
            );
            const words = found.map((one) => `${one.id}: ${one.nodes.map((n) => `${n.target} ${n.failureSummary?.split("\n").slice(1, 3).join(" ")}`).slice(0, 3).join(" | ")}`);
            assert.deepEqual(words, []);
            assert.deepEqual(page.errors, []);
          } finally {
            await page.context().close();
          }
        });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
