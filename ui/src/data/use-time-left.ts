import { useEffect, useRef, useState } from "react";
import { roundTimeLeft, SmoothEta, type TimeLeft } from "./eta";
import type { Job } from "./types";

/** Smoothed, rounded time left of a job; null while nothing honest can be said. */
export function useTimeLeft(job: Job | undefined): TimeLeft | null {
  const eta = useRef(new SmoothEta());
  const [left, setLeft] = useState<TimeLeft | null>(null);
  const seconds = job?.state === "running" ? job.seconds_left : null;
  const moved = job?.bytes_done;
  useEffect(() => {
    const smooth = eta.current.update(seconds, Date.now());
    const next = smooth === null ? null : roundTimeLeft(smooth);
    setLeft((old) => (old?.unit === next?.unit && old?.count === next?.count ? old : next));
  }, [seconds, moved]);
  return left;
}
