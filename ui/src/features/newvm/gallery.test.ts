import { describe, expect, it } from "vitest";
import type { Arch, Template } from "../../data/types";
import { buildCards, compareVersions, filterCards, findChoice, firstChoice, splitName } from "./gallery";

function template(id: string, name: string, variant: string, arches: Arch[], kind: "cloud-image" | "installer" = "cloud-image"): Template {
  const source = { kind, url: "https://example.org/x", size: 1, verified_by: "gpg" as const, own_medium: false, cached: false };
  return {
    id,
    name,
    family: id.split("-")[0] ?? id,
    variant,
    summary: `${variant} of ${name}`,
    glyph: "Xx",
    disk_bus: "virtio",
    firmware: "uefi",
    notes: [],
    setup: { keyboard: null, locale: null, packages: [], run: [], timezone: null },
    arches: Object.fromEntries(arches.map((arch) => [arch, source])),
    defaults: { cpus: 2, memory: 1, disk: 1 },
    user: null,
  };
}

const catalogue = [
  template("ubuntu-24.04", "Ubuntu 24.04 LTS", "server", ["x86_64", "aarch64", "riscv64"]),
  template("ubuntu-26.04", "Ubuntu 26.04 LTS", "server", ["aarch64", "x86_64"]),
  template("ubuntu-26.10", "Ubuntu 26.10", "server", ["x86_64"]),
  template("ubuntu-26.04-desktop", "Ubuntu 26.04 LTS", "desktop", ["x86_64"], "installer"),
  template("debian-13", "Debian 13", "server", ["x86_64", "aarch64"]),
  template("alpine-3.23", "Alpine Linux 3.23", "minimal", ["x86_64", "aarch64"]),
];

describe("buildCards", () => {
  const cards = buildCards(catalogue);
  it("gives the newest LTS ready image the family's short name", () => {
    expect(findChoice(cards, "ubuntu-26.04/aarch64")?.arch.label).toBe("Ubuntu arm64");
    expect(cards.map((card) => card.title).slice(0, 3)).toEqual(["Ubuntu", "Debian", "Alpine Linux"]);
  });
  it("gives every radio a name of its own", () => {
    const labels = cards.flatMap((card) => card.arches.map((arch) => arch.label));
    expect(new Set(labels).size).toBe(labels.length);
    expect(labels).toContain("Ubuntu 24.04 LTS arm64");
  });
  it("shows every template once and architectures in one order", () => {
    expect(cards).toHaveLength(catalogue.length);
    expect(cards[0]?.arches.map((arch) => arch.arch)).toEqual(["x86_64", "aarch64"]);
  });
  it("starts on this computer's architecture", () => {
    expect(firstChoice(cards, "aarch64")).toBe("ubuntu-26.04/aarch64");
    expect(firstChoice(cards, "s390x")).toBe("ubuntu-26.04/x86_64");
    expect(firstChoice([], "x86_64")).toBeNull();
  });
  it("finds by every word, in any case", () => {
    expect(filterCards(cards, "all", "ARM64 deb").map((card) => card.title)).toEqual(["Debian"]);
    expect(filterCards(cards, "bsd", "")).toEqual([]);
    expect(filterCards(cards, "linux", "desktop")).toHaveLength(1);
  });
});

describe("names", () => {
  it("come apart at the version", () => {
    expect(splitName("openSUSE Leap 16.0")).toEqual({ system: "openSUSE Leap", version: "16.0" });
    expect(splitName("Arch Linux")).toEqual({ system: "Arch Linux", version: "" });
  });
  it("compare by number, not by letter", () => {
    expect(compareVersions("Fedora 9", "Fedora 44")).toBeLessThan(0);
    expect(compareVersions("3.23.4", "3.23")).toBeGreaterThan(0);
  });
});
