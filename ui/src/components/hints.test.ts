import { describe, expect, it } from "vitest";
import { hintText } from "./hints";

describe("hintText", () => {
  it("names the window's control instead of a command", () => {
    expect(hintText({ code: "option-unsupported", hint: "Only some can: set bus=virtio, or iothread=false." })).toMatch(/“Connected by”/);
    expect(hintText({ code: "file-exists", hint: "Choose another name, or replace it: --overwrite" })).not.toContain("--");
  });
  it("leaves other words as they are", () => {
    expect(hintText({ code: "machine-running", hint: "Try again." })).toBe("Try again.");
    expect(hintText({ code: "other", hint: "Run: nestbox space" })).toBe("Run: nestbox space");
  });
});
