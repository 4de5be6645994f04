/** Reads. Every hook returns a TanStack query; events keep them true, so nothing polls but `useStats`. */
import { useInfiniteQuery, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useMemo } from "react";
import { type ApiError } from "./client";
import { keys } from "./keys";
import { useClient } from "./provider";
import type {
  AcceleratorReport,
  ActivityEntry,
  Arch,
  BackupInfo,
  CommandShown,
  Comparison,
  Config,
  DiskDetails,
  DoctorReport,
  ExportPlan,
  ExportRequest,
  ImportPlan,
  Job,
  Listing,
  Logs,
  Machine,
  ServiceInfo,
  SnapshotList,
  SnapshotsDeleted,
  SpaceReport,
  Stats,
  Template,
  TrashEmptied,
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

/** The disks of a machine, with where their bytes are: attached ones, detached ones, those in the bin. */
export const useDisks = (machine: string): Read<DiskDetails[]> => {
  const client = useClient();
  return useQuery({ queryKey: keys.disks(machine), queryFn: () => client.disks(machine), staleTime: 0 });
};

/** A folder of a disk, page by page; of a snapshot, or of the present (null). */
export const useFiles = (machine: string, disk: string, snapshot: string | null, path: string) => {
  const client = useClient();
  return useInfiniteQuery<Listing, ApiError, Listing[], readonly unknown[], string | null>({
    queryKey: keys.files(machine, disk, snapshot, path),
    queryFn: ({ pageParam }) =>
      client.files(machine, disk, path, {
        ...(snapshot === null ? {} : { snapshot }),
        ...(pageParam === null ? {} : { after: pageParam }),
      }),
    initialPageParam: null,
    getNextPageParam: (last) => (last.more ? (last.entries.at(-1)?.name ?? null) : null),
    select: ({ pages }) => pages,
    staleTime: 0,
    // A listing is a process of its own: what fails is asked for again by the user.
    retry: false,
  });
};

/** What a file is and what importing it would do; nothing is asked without a path. */
export const useImportPlan = (path: string | null): Read<ImportPlan> => {
  const client = useClient();
  return useQuery({
    queryKey: ["import-plan", path],
    queryFn: () => client.importPlan(path ?? ""),
    enabled: path !== null,
    staleTime: 0,
    gcTime: 0,
  });
};

/** What an export would write; nothing is asked without a request. */
export const useExportPlan = (machine: string, request: ExportRequest | null): Read<ExportPlan> => {
  const client = useClient();
  return useQuery({
    queryKey: ["export", machine, request],
    queryFn: () => client.exportPlan(machine, request ?? { to: "" }),
    enabled: request !== null,
    staleTime: 0,
    gcTime: 0,
  });
};

/** What a backup holds; nothing is asked without a path. */
export const useBackupInfo = (file: string | null): Read<BackupInfo> => {
  const client = useClient();
  return useQuery({
    queryKey: ["backup", file],
    queryFn: () => client.backupInfo(file ?? ""),
    enabled: file !== null,
    staleTime: 0,
    gcTime: 0,
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

/** What emptying the trash would free: machines, and disks in the bins of others. */
export const useTrashPlan = (): Read<TrashEmptied> => {
  const client = useClient();
  return useQuery({ queryKey: keys.trashPlan, queryFn: () => client.emptyTrash(true), staleTime: 0 });
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
