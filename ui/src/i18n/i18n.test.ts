/// <reference types="node" />
import { readdirSync, readFileSync } from "node:fs";
import { IntlMessageFormat } from "intl-messageformat";
import { describe, expect, it } from "vitest";
import { en, type MessageKey, t } from "./index";

const root = new URL("../", import.meta.url);
const files = readdirSync(root, { recursive: true })
  .map(String)
  .filter((name) => /\.tsx?$/.test(name) && !name.includes(".test."));
const source = files.map((name) => readFileSync(new URL(name, root), "utf8")).join("\n");
const parts = readdirSync(new URL("i18n/en/", root));

describe("messages", () => {
  it("are all valid ICU", () => {
    for (const [key, text] of Object.entries(en)) {
      expect(() => new IntlMessageFormat(text, "en"), key).not.toThrow();
    }
  });

  it("have each key once", () => {
    const keys = parts.flatMap((name) =>
      Object.keys(JSON.parse(readFileSync(new URL(`i18n/en/${name}`, root), "utf8")) as Record<string, string>),
    );
    expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([]);
    expect(keys.length).toBe(Object.keys(en).length);
  });

  it("are all used", () => {
    const dynamic = [...source.matchAll(/`([\w.]+\.)\$\{/g)].map((found) => found[1] as string);
    const unused = Object.keys(en).filter(
      (key) => !source.includes(`"${key}"`) && !dynamic.some((prefix) => key.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });

  it("name every state of a machine", () => {
    for (const state of ["stopped", "starting", "running", "paused", "suspended", "stopping", "broken", "creating"]) {
      expect(en[`state.${state}` as MessageKey]).toBeTruthy();
      expect(en[`status.${state}` as MessageKey]).toBeTruthy();
    }
  });

  it("choose plurals", () => {
    expect(t("shell.dropItems", { count: 1 })).toBe("Drop to import 1 item");
    expect(t("shell.dropItems", { count: 3 })).toBe("Drop to import 3 items");
  });
});
