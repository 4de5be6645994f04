/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { defineConfig, type PluginOption } from "vite";

/** With FIXTURES=1 the dev server answers `/v1` itself; otherwise it passes `/v1` on to a running service. */
export default defineConfig(async ({ command }) => {
  const plugins: PluginOption[] = [react()];
  const fixtures = command === "serve" && process.env["FIXTURES"] === "1" && !process.env["VITEST"];
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
