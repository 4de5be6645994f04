import { describe, expect, it } from "vitest";
import type { AcceleratorReport, Check, DoctorReport } from "../../data/types";
import { emulatedOf, groupOf, parseFix, sortChecks, verdictOf } from "./report";

const check = (id: string, status: Check["status"]): Check => ({
  id,
  status,
  message: id,
  fix: null,
  technical: null,
});
const accel = (name: AcceleratorReport["name"], arch: AcceleratorReport["arch"], usable: boolean): AcceleratorReport => ({
  name,
  arch,
  usable,
  tested: true,
  reason: "",
  cure: null,
  technical: null,
  seconds: null,
  slowdown: null,
});
const report = (part: Partial<DoctorReport>): DoctorReport => ({
  ok: true,
  checks: [],
  accelerators: [],
  host: { system: "", arch: "x86_64", cpus: 1, memory: 1, memory_free: 1, disk_free: 1, disk_total: 1 },
  ...part,
});

describe("verdictOf", () => {
  it("says the worst thing that matters", () => {
    expect(verdictOf(report({ checks: [check("space", "ok")] })).headline).toBe("good");
    expect(verdictOf(report({ checks: [check("accelerator.kvm", "warning")] }))).toEqual({ headline: "slow", bad: 0, warn: 1 });
    expect(verdictOf(report({ checks: [check("qemu.riscv64", "missing")] })).headline).toBe("partly");
    expect(verdictOf(report({ ok: false, checks: [check("qemu-img", "missing")] })).headline).toBe("bad");
  });
});

describe("findings", () => {
  it("belong to a group", () => {
    expect(["accelerator.kvm", "qemu.arm", "qemu-img", "firmware.x86_64", "library", "mdns"].map(groupOf)).toEqual([
      "speed", "engine", "engine", "engine", "storage", "other",
    ]);
  });
  it("come worst first and keep their order otherwise", () => {
    const sorted = sortChecks([check("a", "ok"), check("b", "warning"), check("c", "missing"), check("d", "ok")]);
    expect(sorted.map((entry) => entry.id)).toEqual(["c", "b", "a", "d"]);
  });
  it("show the same finding for two processors once", () => {
    const twice = report({ checks: [check("accelerator.kvm", "warning"), check("accelerator.kvm", "warning")] });
    expect(verdictOf(twice).warn).toBe(1);
  });
  it("list as emulated only what has no hardware", () => {
    const found = emulatedOf(
      report({
        accelerators: [accel("kvm", "x86_64", true), accel("tcg", "x86_64", true), accel("tcg", "aarch64", true), accel("tcg", "arm", false)],
      }),
    );
    expect(found.map((entry) => entry.arch)).toEqual(["aarch64"]);
  });
});

describe("parseFix", () => {
  it("takes the command out of a cure", () => {
    expect(parseFix("sudo usermod -aG kvm $USER   (then log out and in again)")).toEqual({
      text: "",
      command: "sudo usermod -aG kvm $USER",
      after: "then log out and in again",
    });
    expect(parseFix("Install QEMU for arm64 again: sudo apt-get install qemu-system-arm")).toEqual({
      text: "Install QEMU for arm64 again",
      command: "sudo apt-get install qemu-system-arm",
      after: null,
    });
    expect(parseFix("Turn on backports:\necho deb | sudo tee x\napt-get update").command).toBe("sudo tee x");
  });
  it("leaves plain advice alone", () => {
    const advice = "Nothing to do here: Nestbox emulates instead.";
    expect(parseFix(advice)).toEqual({ text: advice, command: null, after: null });
  });
});
