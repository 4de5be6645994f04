import { describe, expect, it } from "vitest";
import { backupName, exportName, formatsFor, looksLikeBackup } from "./formats";
import { fileSafe, folderOf, isAbsolute, withEnding } from "./paths";

describe("paths", () => {
  it("keep names that file systems take", () => {
    expect(fileSafe("a/b: c?")).toBe("a-b- c-");
    expect(fileSafe("..")).toBe("machine");
    expect(fileSafe("x".repeat(300))).toHaveLength(120);
  });
  it("change their ending and nothing else", () => {
    expect(withEnding("/a.b/web.ova", "qcow2")).toBe("/a.b/web.qcow2");
    expect(withEnding("/a.b/web", "img")).toBe("/a.b/web.img");
    expect(withEnding("", "img")).toBe("");
    expect(folderOf("/a/b.ova")).toBe("/a");
  });
  it("are whole or not", () => {
    expect(["/a", "C:\\a", "\\\\x\\y"].every(isAbsolute)).toBe(true);
    expect(["a", "~/a", ""].some(isAbsolute)).toBe(false);
  });
});

describe("names", () => {
  it("say the machine, the disk and the day", () => {
    expect(exportName("web", "raw", null)).toBe("web.img");
    expect(exportName("web", "vmdk", 2)).toBe("web disk 2.vmdk");
    expect(backupName("web", new Date(2026, 10, 4))).toMatch(/^web 2026-11-04\./);
    expect(looksLikeBackup(`/x/${backupName("web", new Date())}`)).toBe(true);
    expect(formatsFor(true)).not.toContain("ova");
  });
});
