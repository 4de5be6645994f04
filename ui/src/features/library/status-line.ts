/** A machine's state in a few words, for its row and cover. */
import { useSyncExternalStore } from "react";
import { formatMoment, type Machine } from "../../data";
import { t } from "../../i18n";

const MINUTE = 60_000;

/** How long, in words: `41 min`, `3 h 12 min`, `6 days`. */
export function durationText(milliseconds: number): string {
  const minutes = Math.floor(Math.max(0, milliseconds) / MINUTE);
  if (minutes < 1) return t("duration.now");
  if (minutes < 60) return t("duration.minutes", { minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return t("duration.hours", { hours, minutes: minutes % 60 });
  return t("duration.days", { days: Math.floor(hours / 24) });
}

/** It can't run, or it stopped in a way nobody asked for: its row says so until it runs again. */
export const troubled = (machine: Machine): boolean =>
  machine.state === "broken" || (machine.state === "stopped" && Boolean(machine.state_reason));

export function statusLine(machine: Machine, now: number): string {
  if (machine.state === "suspended" && machine.suspended_at) {
    return t("status.suspendedSince", { when: formatMoment(machine.suspended_at, new Date(now)) });
  }
  if (machine.state === "running") {
    if (machine.disposable) return t("status.runningDisposable");
    if (machine.accelerator === "tcg") return t("status.runningEmulated");
    const since = machine.started_at ? now - new Date(machine.started_at).getTime() : 0;
    return t("status.running", { duration: durationText(since) });
  }
  return t(`status.${troubled(machine) ? "broken" : machine.state}`);
}

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** This moment, to the half minute: one clock for all rows. */
export const useNow = (): number =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      timer ??= setInterval(() => {
        now = Date.now();
        for (const one of listeners) one();
      }, MINUTE / 2);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) {
          clearInterval(timer);
          timer = undefined;
        }
      };
    },
    () => now,
  );
