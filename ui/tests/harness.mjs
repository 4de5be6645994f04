/** Builds the pages, serves them over the fixtures, and starts a Chromium. BASE_URL uses a running service instead. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

export async function startFixtures() {
  if (process.env.BASE_URL) return { url: process.env.BASE_URL, close: async () => {} };
  process.env.FIXTURES = "1";
  const { build, preview } = await import("vite");
  const outDir = mkdtempSync(join(tmpdir(), "nestbox-ui-"));
  const common = { root: ROOT, mode: "test", logLevel: "error", build: { outDir, emptyOutDir: true } };
  await build(common);
  const server = await preview({ ...common, preview: { host: "127.0.0.1", port: 0, strictPort: false } });
  const { port } = server.httpServer.address();
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      await server.close();
      rmSync(outDir, { recursive: true, force: true });
    },
  };
}

export async function openBrowser() {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  return {
    close: () => browser.close(),
    /** Opens a screen in its own context and waits until it is there. */
    async open(base, screen, { width = 1280, height = 800, theme = "light", ...more } = {}) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: theme,
        reducedMotion: "reduce",
        permissions: ["clipboard-read", "clipboard-write"],
        ...more,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(8_000);
      const query = new URLSearchParams({ scenario: screen.scenario ?? "library", fresh: "1", controls: "1" });
      page.errors = [];
      page.on("pageerror", (error) => page.errors.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error" && !/404|Failed to load resource/.test(message.text())) page.errors.push(message.text());
      });
      await page.goto(`${base}/?${query}#${screen.path ?? "/"}`);
      await page.evaluate(() => document.fonts.ready);
      await screen.ready?.(page);
      await page.waitForTimeout(screen.settle ?? 700);
      return page;
    },
  };
}
