/** What the display really does, measured: the numbers of “Display statistics”. */

/** Span over which latency and the worst case are taken, milliseconds. */
const WINDOW = 10_000;
/** Span over which rates are taken, milliseconds. */
const RATE_WINDOW = 2_000;
/** Beyond this the clocks of the two ends can't be the same; the number would be a lie. Milliseconds. */
const LATENCY_SANE = 10_000;

interface Sample {
  at: number;
  latency: number | null;
  bytes: number;
  area: number;
}

export interface DisplayNumbers {
  /** Frames shown a second. */
  fps: number;
  /** Milliseconds from the guest's frame to the window, or null where the clocks differ. */
  p50: number | null;
  p95: number | null;
  worst: number | null;
  bytesPerSecond: number;
  /** Share of the picture that changed in a frame, 0 to 1. */
  changedArea: number;
  dropped: number;
  frames: number;
}

/** The value below which `share` of the sorted numbers lie (nearest rank). */
export function percentile(sorted: number[], share: number): number | null {
  if (sorted.length === 0) return null;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? null;
}

export class StatsRecorder {
  private samples: Sample[] = [];
  private lastSequence: number | null = null;
  private frames = 0;
  private dropped = 0;

  /** One frame was shown at `now`; `captured` is when the guest drew it (both in ms since 1970). */
  shown(frame: { sequence: number; captured: number; bytes: number; area: number }, now: number): void {
    const latency = now - frame.captured;
    this.samples.push({
      at: now,
      latency: latency >= -1 && latency <= LATENCY_SANE ? Math.max(0, latency) : null,
      bytes: frame.bytes,
      area: frame.area,
    });
    this.frames += 1;
    if (this.lastSequence !== null) {
      const gap = (frame.sequence - this.lastSequence) >>> 0;
      if (gap > 1 && gap < 0x8000_0000) this.dropped += gap - 1;
    }
    this.lastSequence = frame.sequence;
    const cut = now - WINDOW;
    if (this.samples.length > 64 && (this.samples[0]?.at ?? now) < cut) {
      this.samples = this.samples.filter((sample) => sample.at >= cut);
    }
  }

  /** A new connection counts its frames anew. */
  reconnected(): void {
    this.lastSequence = null;
  }

  numbers(now: number): DisplayNumbers {
    const recent = this.samples.filter((sample) => sample.at >= now - WINDOW);
    const rate = recent.filter((sample) => sample.at >= now - RATE_WINDOW);
    const latencies = recent
      .map((sample) => sample.latency)
      .filter((latency): latency is number => latency !== null)
      .sort((a, b) => a - b);
    const sum = (of: (sample: Sample) => number): number => rate.reduce((total, sample) => total + of(sample), 0);
    return {
      fps: rate.length / (RATE_WINDOW / 1000),
      p50: percentile(latencies, 0.5),
      p95: percentile(latencies, 0.95),
      worst: latencies.at(-1) ?? null,
      bytesPerSecond: sum((sample) => sample.bytes) / (RATE_WINDOW / 1000),
      changedArea: rate.length ? sum((sample) => sample.area) / rate.length : 0,
      dropped: this.dropped,
      frames: this.frames,
    };
  }
}
