/** What went wrong with a machine just now, until it is dismissed or works. Not kept between runs. */
import { useSyncExternalStore } from "react";
import type { ErrorInfo } from "../../data";

export interface Failure {
  title: string;
  error: ErrorInfo;
  /** Another way to what was wanted. */
  wayOut?: { label: string; run: () => void };
}

const failures = new Map<string, Failure>();
const listeners = new Set<() => void>();
const tell = () => {
  for (const listener of listeners) listener();
};

export function setFailure(machine: string, failure: Failure): void {
  failures.set(machine, failure);
  tell();
}

export function clearFailure(machine: string): void {
  if (failures.delete(machine)) tell();
}

export const useFailure = (machine: string): Failure | undefined =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => failures.get(machine),
  );
