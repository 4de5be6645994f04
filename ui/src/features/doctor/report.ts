/** Doctor's findings, grouped and named for people; commands taken out of cures. Pure. */
import type { AcceleratorReport, Check, DoctorReport } from "../../data/types";

export type Group = "speed" | "engine" | "storage" | "other";
export const GROUPS: Group[] = ["speed", "engine", "storage", "other"];

export function groupOf(id: string): Group {
  const head = id.split(".")[0] ?? id;
  if (head === "accelerator") return "speed";
  if (head === "qemu" || head === "qemu-img" || head === "firmware") return "engine";
  return head === "space" || head === "library" ? "storage" : "other";
}

/** What is missing without stopping machines (a foreign processor's QEMU) could be better, no more. */
export const toneOf = (check: Check, ok: boolean): Check["status"] =>
  check.status === "missing" && ok ? "warning" : check.status;

export interface Verdict {
  headline: "good" | "slow" | "partly" | "bad";
  bad: number;
  warn: number;
}

export function verdictOf(report: DoctorReport): Verdict {
  const tones = uniqueChecks(report.checks).map((check) => toneOf(check, report.ok));
  const bad = tones.filter((tone) => tone === "failed" || tone === "missing").length;
  const warn = tones.filter((tone) => tone === "warning").length;
  const slow = report.checks.some((check) => groupOf(check.id) === "speed" && check.status !== "ok");
  const limited = report.checks.some((check) => check.status !== "ok" && check.status !== "warning");
  const headline = !report.ok ? "bad" : slow ? "slow" : limited ? "partly" : "good";
  return { headline, bad, warn };
}

/** Guest architectures that run here, but in software. */
export function emulatedOf(report: DoctorReport): AcceleratorReport[] {
  const native = new Set(
    report.accelerators.filter((entry) => entry.usable && entry.name !== "tcg").map((entry) => entry.arch),
  );
  return report.accelerators.filter((entry) => entry.name === "tcg" && entry.usable && !native.has(entry.arch));
}

export interface Fix {
  /** Words before the command, or all of them. */
  text: string;
  /** To be typed in a terminal. */
  command: string | null;
  /** A remark after it: `then log out and in again`. */
  after: string | null;
}

const PROGRAMS = "sudo|doas|apt|apt-get|dnf|pacman|zypper|apk|brew|port|winget|usermod|modprobe|nestbox|systemctl";
const COMMAND = new RegExp(`(?:^|[:\\s])((?:${PROGRAMS})\\s+\\S.*)$`);

/** Takes the command out of a cure, so that it can be copied. */
export function parseFix(fix: string): Fix {
  const lines = fix.trim().split("\n");
  for (const [index, line] of lines.entries()) {
    const found = COMMAND.exec(line);
    if (!found?.[1]) continue;
    const remark = /^(.*?)\s{2,}\((.*)\)\s*$/.exec(found[1]);
    const before = [...lines.slice(0, index), line.slice(0, line.length - found[1].length)].join("\n").trim();
    const rest = lines.slice(index + 1).join("\n").trim();
    return {
      text: before.replace(/:$/, "").trim(),
      command: (remark?.[1] ?? found[1]).trim(),
      after: [remark?.[2], rest].filter(Boolean).join("\n") || null,
    };
  }
  return { text: fix.trim(), command: null, after: null };
}

/** One accelerator may be tested for several processors with one and the same finding: it is shown once. */
export function uniqueChecks(checks: Check[]): Check[] {
  const seen = new Set<string>();
  return checks.filter((check) => {
    const key = `${check.id} ${check.status} ${check.message}`;
    return seen.has(key) ? false : Boolean(seen.add(key));
  });
}

/** Bad findings first, the service's order otherwise. */
export function sortChecks(checks: Check[]): Check[] {
  const rank = { failed: 0, missing: 0, warning: 1, ok: 2 };
  return [...checks].sort((a, b) => rank[a.status] - rank[b.status]);
}
