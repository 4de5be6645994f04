/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { readFileSync } from "node:fs";
import { defineConfig, type PluginOption } from "vite";

/**
 * The order in which cascade layers are first named decides who wins, and built chunks load in another order than the sources
 * import them: so every built style sheet begins with the order.
 */
const layerOrder: PluginOption = {
  name: "layer-order",
  apply: "build",
  generateBundle(_options, bundle) {
    const order = readFileSync(new URL("src/styles/layers.css", import.meta.url), "utf8").trim();
    for (const file of Object.values(bundle)) {
      if (file.type === "asset" && file.fileName.endsWith(".css")) file.source = `${order}\n${String(file.source)}`;
    }
  },
};

/** With FIXTURES=1 the dev server answers `/v1` itself; otherwise it passes `/v1` on to a running service. */
export default defineConfig(async ({ command, isPreview }) => {
  const plugins: PluginOption[] = [react(), layerOrder];
  const fixtures = (command === "serve" || isPreview) && process.env["FIXTURES"] === "1" && !process.env["VITEST"];
  if (fixtures) {
    const { fixtureServer } = await import("./dev/server.mjs");
    plugins.push(fixtureServer());
  }
  const target = process.env["NESTBOX_URL"];
  return {
    plugins,
    base: "./",
    clearScreen: false,
    server: { host: "127.0.0.1", ...(target && !fixtures ? { proxy: { "/v1": { target, ws: true } } } : {}) },
    build: { target: ["es2022", "safari16"], sourcemap: false, assetsInlineLimit: 0, chunkSizeWarningLimit: 900 },
    test: { environment: "node", include: ["src/**/*.test.ts", "src/**/*.test.tsx", "dev/**/*.test.ts"] },
  };
});
