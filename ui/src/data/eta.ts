/** Time left that people can believe: shown late, rounded, and never growing by jumps. */

/** Rounded time left: the message to use and its number. */
export interface TimeLeft {
  unit: "seconds" | "minutes" | "hours";
  count: number;
}

/** `13 seconds`, `about 2 min`, `about 3 h`. Coarser as it is longer. */
export function roundTimeLeft(seconds: number): TimeLeft {
  if (seconds < 10) return { unit: "seconds", count: Math.max(1, Math.round(seconds)) };
  if (seconds < 55) return { unit: "seconds", count: Math.round(seconds / 5) * 5 };
  if (seconds < 55 * 60) return { unit: "minutes", count: Math.max(1, Math.round(seconds / 60)) };
  return { unit: "hours", count: Math.max(1, Math.round(seconds / 3600)) };
}

/** Share of a new estimate taken over when it is shorter, and when it is longer. */
const TAKE_SHORTER = 0.35;
const TAKE_LONGER = 0.12;
/** The shown time may at most stand still and then grow by this much for each second that passes. */
const MAX_GROWTH_PER_SECOND = 1.5;
/** A gap longer than this (sleep, pause) starts afresh, seconds. */
const FORGET_AFTER = 30;

/** Smooths the service's estimates for one job. */
export class SmoothEta {
  private shown: number | null = null;
  private at = 0;

  /** Takes an estimate (null: not known) at `now` milliseconds; returns what to show, in seconds. */
  update(estimate: number | null | undefined, now: number): number | null {
    if (estimate === null || estimate === undefined || !Number.isFinite(estimate) || estimate < 0) {
      this.shown = null;
      return null;
    }
    const elapsed = (now - this.at) / 1000;
    if (this.shown === null || elapsed > FORGET_AFTER || elapsed < 0) {
      this.shown = estimate;
    } else {
      const expected = Math.max(0, this.shown - elapsed);
      const take = estimate < expected ? TAKE_SHORTER : TAKE_LONGER;
      // The weights are for one second; shorter gaps take less, so that the rate of events does not matter.
      const share = 1 - (1 - take) ** Math.min(elapsed, FORGET_AFTER);
      const next = expected + (estimate - expected) * share;
      this.shown = Math.min(next, this.shown + elapsed * MAX_GROWTH_PER_SECOND);
    }
    this.at = now;
    return this.shown;
  }
}
