/** The one events socket: keeps the cache true, reconnects, and reads everything again after a gap. */
import type { QueryClient } from "@tanstack/react-query";
import type { ApiSocket, Platform } from "../platform/types";
import { keys } from "./keys";
import { type Cached, reduceEvent, type Stale } from "./reducer";
import type { ActivityEntry, Job, Machine, ServiceEvent } from "./types";

export type ConnectionState = "connecting" | "open" | "lost";

/** First and longest wait before trying again, in milliseconds. */
const BACKOFF_FIRST = 250;
const BACKOFF_LAST = 5_000;

/** Wait before attempt `attempt` (0 = first retry): doubles up to the longest, with up to a quarter of jitter. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const base = Math.min(BACKOFF_LAST, BACKOFF_FIRST * 2 ** Math.min(attempt, 16));
  return Math.round(base * (0.75 + random() * 0.25));
}

/** Keys whose content events keep true: read again after a gap. */
const LIVE_ROOTS = new Set(["machines", "snapshots", "disks", "jobs", "templates", "doctor", "config", "activity", "trash", "space"]);

function invalidateLive(queries: QueryClient): void {
  void queries.invalidateQueries({ predicate: (query) => LIVE_ROOTS.has(String(query.queryKey[0])) });
}

function invalidate(queries: QueryClient, stale: Stale): void {
  const key =
    stale.what === "snapshots" || stale.what === "disks" ? keys[stale.what](stale.machine) : keys[stale.what];
  void queries.invalidateQueries({ queryKey: key });
}

/** Applies one event to the query cache. */
export function applyEvent(queries: QueryClient, event: ServiceEvent): void {
  const before: Cached = {
    machines: queries.getQueryData<Machine[]>(keys.machines),
    jobs: queries.getQueryData<Job[]>(keys.jobs),
    activity: queries.getQueryData<ActivityEntry[]>(keys.activity),
  };
  const { cached, stale, lost } = reduceEvent(before, event);
  if (lost) {
    invalidateLive(queries);
    return;
  }
  if (cached.machines !== before.machines) queries.setQueryData(keys.machines, cached.machines);
  if (cached.jobs !== before.jobs) queries.setQueryData(keys.jobs, cached.jobs);
  if (cached.activity !== before.activity) queries.setQueryData(keys.activity, cached.activity);
  for (const item of stale) invalidate(queries, item);
}

/**
 * Connects and stays connected until the returned function is called. `onEvent` sees every event after the
 * cache did.
 */
export function connectEvents(
  platform: Platform,
  queries: QueryClient,
  onState: (state: ConnectionState) => void,
  onEvent?: (event: ServiceEvent) => void,
): () => void {
  let stopped = false;
  let socket: ApiSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;

  const connect = (): void => {
    if (stopped) return;
    onState(attempt === 0 ? "connecting" : "lost");
    socket = platform.openSocket("/v1/events", {
      onOpen: () => {
        if (stopped) return;
        attempt = 0;
        onState("open");
        invalidateLive(queries);
      },
      onMessage: (data) => {
        if (stopped || typeof data !== "string") return;
        let event: ServiceEvent;
        try {
          event = JSON.parse(data) as ServiceEvent;
        } catch {
          return;
        }
        applyEvent(queries, event);
        onEvent?.(event);
      },
      onClose: () => {
        if (stopped) return;
        socket = null;
        onState("lost");
        timer = setTimeout(connect, backoff(attempt));
        attempt += 1;
      },
    });
  };
  connect();

  return () => {
    stopped = true;
    clearTimeout(timer);
    socket?.close();
  };
}
