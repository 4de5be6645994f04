import { describe, expect, it } from "vitest";
import { GIB } from "../../data/format";
import type { HostInfo, Machine, Template } from "../../data/types";
import { freeName, limitsOf, nameProblem, newDraft, toRequest, userProblem } from "./draft";
import { buildCards, findChoice } from "./gallery";

const host: HostInfo = {
  system: "Debian 13",
  arch: "x86_64",
  cpus: 2,
  memory: 7.7 * GIB,
  memory_free: 3 * GIB,
  disk_free: 30 * GIB,
  disk_total: 100 * GIB,
};
const template: Template = {
  id: "ubuntu-26.04",
  name: "Ubuntu 26.04 LTS",
  family: "ubuntu",
  variant: "server",
  summary: "",
  glyph: "Ub",
  disk_bus: "virtio",
  firmware: "uefi",
  notes: [],
  setup: { keyboard: null, locale: null, packages: [], run: [], timezone: null },
  arches: { aarch64: { kind: "cloud-image", url: "https://x/y", size: 1, verified_by: "gpg", cached: false, own_medium: false } },
  defaults: { cpus: 4, memory: 4 * GIB, disk: 25 * GIB },
  user: "ubuntu",
};
const choice = findChoice(buildCards([template]), "ubuntu-26.04/aarch64");
const named = (name: string): Machine => ({ name }) as Machine;

describe("the form", () => {
  it("never offers more than this computer has", () => {
    const limits = limitsOf(host, undefined, template.defaults);
    expect(limits.cpus).toEqual({ min: 1, max: 2 });
    expect(limits.memory).toEqual({ min: 0.5, max: 7.5, free: 3 });
    expect(limits.disk.max).toBe(100);
  });
  it("starts with the template's wishes inside the limits and a free name", () => {
    if (!choice) throw new Error("no card");
    const draft = newDraft(choice.card, choice.arch, limitsOf(host, undefined, template.defaults), [named("ubuntu ARM64")]);
    expect(draft).toMatchObject({ name: "Ubuntu arm64 2", cpus: 2, memory: 4, disk: 25, user: "ubuntu", start: true });
    expect(toRequest({ ...draft, name: "  web  " }, choice.card, choice.arch)).toEqual({
      name: "web",
      source: { template: { id: "ubuntu-26.04" } },
      arch: "aarch64",
      cpus: 2,
      memory: 4 * GIB,
      disk: 25 * GIB,
      user: "ubuntu",
      network: "default",
      start: true,
    });
  });
  it("sends a password only when it was asked for", () => {
    if (!choice) throw new Error("no card");
    const draft = newDraft(choice.card, choice.arch, limitsOf(undefined, undefined, template.defaults), []);
    expect(toRequest({ ...draft, password: "left over" }, choice.card, choice.arch).password).toBeUndefined();
    expect(toRequest({ ...draft, signIn: "password", password: "s" }, choice.card, choice.arch).password).toBe("s");
  });
});

describe("names", () => {
  it("keep to the service's rules", () => {
    expect(nameProblem(" ", [])).toBe("empty");
    expect(nameProblem("🦀".repeat(120), [])).toBeNull();
    expect(nameProblem("x".repeat(121), [])).toBe("long");
    expect(nameProblem("evil\u202etxt", [])).toBe("control");
    expect(nameProblem("WEB", [named("web")])).toBe("taken");
    expect(nameProblem("a,b=c “q” 日本語", [])).toBeNull();
  });
  it("count up", () => expect(freeName("web", [named("Web"), named("web 2")])).toBe("web 3"));
  it("of accounts are Linux's", () => {
    expect(userProblem("ubuntu")).toBe(false);
    for (const bad of ["", "Root", "a b", "1a", "x".repeat(33)]) expect(userProblem(bad), bad).toBe(true);
  });
});
