/** Screenshots of the pages over the fixtures: `node tools/shoot.mjs [OUT] [NAME…]`. */
import { mkdirSync } from "node:fs";
import { openBrowser, startFixtures } from "../tests/harness.mjs";
import { SCREENS } from "../tests/screens.mjs";

const [out = "shots", ...wanted] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const server = await startFixtures();
const browser = await openBrowser();
const SIZES = (process.env.SIZES ?? "1280x800").split(",").map((size) => size.split("x").map(Number));
const THEMES = (process.env.THEMES ?? "dark,light").split(",");
try {
  for (const screen of SCREENS.filter((one) => wanted.length === 0 || wanted.includes(one.name))) {
    for (const [width, height] of SIZES) {
      for (const theme of THEMES) {
        const page = await browser.open(server.url, screen, { width, height, theme, ...(process.env.FORCED ? { forcedColors: "active" } : {}) });
        await page.screenshot({ path: `${out}/${screen.name}-${width}x${height}-${theme}.png` });
        await page.context().close();
      }
    }
  }
} finally {
  await browser.close();
  await server.close();
}
