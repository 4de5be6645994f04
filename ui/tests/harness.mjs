/** Starts the dev server over the fixtures and a Chromium for it. BASE_URL uses a running service instead. */
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

export async function startFixtures() {
  if (process.env.BASE_URL) return { url: process.env.BASE_URL, close: async () => {} };
  process.env.FIXTURES = "1";
  const { createServer } = await import("vite");
  const server = await createServer({
    root: new URL("..", import.meta.url).pathname,
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0, strictPort: false, hmr: false, watch: null },
  });
  await server.listen();
  const { port } = server.httpServer.address();
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
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
