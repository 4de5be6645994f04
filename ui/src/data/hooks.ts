/** Reads. Every hook returns a TanStack query; events keep them true, so nothing polls but `useStats`. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useMemo } from "react";
import type { ApiError } from "./client";
import { keys } from "./keys";
import { useClient } from "./provider";
import type {
  AcceleratorReport,
  ActivityEntry,
  Arch,
  CommandShown,
  Comparison,
  Config,
  DoctorReport,
  Job,
  Logs,
  Machine,
  ServiceInfo,
  SnapshotList,
  SnapshotsDeleted,
  SpaceReport,
  Stats,
  Template,
  TrashEntry,
} from "./types";

type Read<T> = UseQueryResult<T, ApiError>;

/** Milliseconds between two samples of usage. */
const STATS_PERIOD = 1_000;

export const useService = (): Read<ServiceInfo> => {
  const client = useClient();
  return useQuery({ queryKey: keys.service, queryFn: client.service });
};

export const useMachines = (): Read<Machine[]> => {
  const client = useClient();
  return useQuery({ queryKey: keys.machines, queryFn: client.machines });
};

/** One machine out of the list; undefined when it is not (or no longer) there. */
export function useMachine(id: string | null | undefined): Machine | undefined {
  const { data } = useMachines();
  return useMemo(() => data?.find((machine) => machine.id === id), [data, id]);
}

export const useSnapshots = (machine: string | null | undefined): Read<SnapshotList> => {
  const client = useClient();
  return useQuery({
    queryKey: keys.snapshots(machine ?? ""),
    queryFn: () => client.snapshots(machine ?? ""),
    enabled: Boolean(machine),
  });
};

export const useJobs = (): Read<Job[]> => {
  const client = useClient();
  return useQuery({ queryKey: keys.jobs, queryFn: client.jobs });
};

export function useJob(id: string | null | undefined): Job | undefined {
  const { data } = useJobs();
  return useMemo(() => data?.find((job) => job.id === id), [data, id]);
}

export const useTemplates = (): Read<Template[]> => {
  const client = useClient();
  return useQuery({ queryKey: keys.templates, queryFn: client.templates });
};

export const useDoctor = (): Read<DoctorReport> => {
  const client = useClient();
  return useQuery({ queryKey: keys.doctor, queryFn: () => client.doctor() });
};

export const useConfig = (): Read<Config> => {
  const client = useClient();
  return useQuery({ queryKey: keys.config, queryFn: client.config });
};

export const useActivity = (): Read<ActivityEntry[]> => {
  const client = useClient();
  return useQuery({ queryKey: keys.activity, queryFn: client.activity });
};

export const useTrash = (): Read<TrashEntry[]> => {
  const client = useClient();
  return useQuery({ queryKey: keys.trash, queryFn: client.trash });
};

/** What takes space; measured anew each time it is opened. */
export const useSpace = (): Read<SpaceReport> => {
  const client = useClient();
  return useQuery({ queryKey: keys.space, queryFn: client.space, staleTime: 0 });
};

/** What differs between a snapshot and another, or the present (null); nothing is asked without a first one. */
export const useComparison = (machine: string, from: string | null, to: string | null): Read<Comparison> => {
  const client = useClient();
  return useQuery({
    queryKey: keys.comparison(machine, from ?? "", to),
    queryFn: () => client.compare(machine, from ?? "", to),
    enabled: from !== null,
    staleTime: 0,
  });
};

/** What deleting a snapshot and all that grew from it would delete and free. */
export const useSubtree = (machine: string, snapshot: string): Read<SnapshotsDeleted> => {
  const client = useClient();
  return useQuery({
    queryKey: ["snapshots", machine, snapshot, "subtree"],
    queryFn: () => client.deleteSnapshot(machine, snapshot, { subtree: true, dryRun: true }),
    staleTime: 0,
  });
};

/** Usage of this computer and, with an id, of one machine: once a second while `active` and the window is visible. */
export const useStats = (machine: string | null, active: boolean): Read<Stats> => {
  const client = useClient();
  return useQuery({
    queryKey: keys.stats(machine),
    queryFn: () => client.stats(machine ?? undefined),
    enabled: active,
    refetchInterval: active ? STATS_PERIOD : false,
    refetchIntervalInBackground: false,
    staleTime: STATS_PERIOD,
  });
};

/** Usage of this computer, read once (fresh) when something opens. */
export const useHostUsage = (): Read<Stats> => {
  const client = useClient();
  return useQuery({ queryKey: keys.stats(null), queryFn: () => client.stats(), staleTime: 5_000 });
};

export const useLogs = (machine: string, active: boolean): Read<Logs> => {
  const client = useClient();
  return useQuery({ queryKey: keys.logs(machine), queryFn: () => client.logs(machine), enabled: active, staleTime: 0 });
};

export const useCommand = (machine: string, active: boolean): Read<CommandShown> => {
  const client = useClient();
  return useQuery({
    queryKey: keys.command(machine),
    queryFn: () => client.command(machine),
    enabled: active,
    staleTime: 0,
  });
};

/** How a guest of one architecture would run here. */
export interface Speed {
  /** A hardware accelerator passed its test. */
  native: boolean;
  /** The report of what would run it; undefined when Doctor knows nothing about the architecture. */
  report: AcceleratorReport | undefined;
  /** Measured, or null. */
  slowdown: number | null;
}

/** What Doctor's tests say about one architecture. */
export function speedOf(report: DoctorReport | undefined, arch: Arch): Speed | undefined {
  if (!report) return undefined;
  const mine = report.accelerators.filter((entry) => entry.arch === arch && entry.usable);
  const hardware = mine.find((entry) => entry.name !== "tcg");
  if (hardware) return { native: true, report: hardware, slowdown: null };
  const emulated = mine.find((entry) => entry.name === "tcg");
  return { native: false, report: emulated, slowdown: emulated?.slowdown ?? null };
}
