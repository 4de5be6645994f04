/** Writes. Answers go straight into the cache; events bring the rest (and what other clients do). */
import { useMutation, type UseMutationResult, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { type ApiError, type Client, toApiError } from "./client";
import { keys } from "./keys";
import { useClient } from "./provider";
import { upsert, upsertJob } from "./reducer";
import type {
  Accelerator,
  BackupRequest,
  BackupRestoreStarted,
  CachePruned,
  CloneRequest,
  CloneStarted,
  Config,
  CopyOutRequest,
  CreateRequest,
  DiskAddRequest,
  DiskChangeRequest,
  DiskChanged,
  DiskDetails,
  DiskRemoved,
  DoctorReport,
  ExportRequest,
  ImportRequest,
  Job,
  JobStarted,
  Machine,
  PortForward,
  RestoreBackupRequest,
  RestoreOptions,
  Restored,
  Setting,
  Snapshot,
  SnapshotTaken,
  SnapshotsDeleted,
  TakenTogether,
  TogetherRequest,
  TrashEmptied,
  TrashEntry,
} from "./types";

type Write<T, V> = UseMutationResult<T, ApiError, V>;

function putMachine(queries: QueryClient, machine: Machine): void {
  queries.setQueryData<Machine[]>(keys.machines, (list) => (list ? upsert(list, machine) : list));
}

function putJob(queries: QueryClient, job: Job): void {
  queries.setQueryData<Job[]>(keys.jobs, (list) => (list ? upsertJob(list, job) : list));
}

function useWrite<T, V>(
  write: (client: Client, variables: V) => Promise<T>,
  done: (queries: QueryClient, result: NoInfer<T>, variables: NoInfer<V>) => void,
): Write<T, V> {
  const client = useClient();
  const queries = useQueryClient();
  return useMutation<T, ApiError, V>({
    mutationFn: async (variables) => {
      try {
        return await write(client, variables);
      } catch (error) {
        throw toApiError(error);
      }
    },
    onSuccess: (result, variables) => done(queries, result, variables),
  });
}

export const useStartMachine = (): Write<
  Machine,
  { id: string; accelerator?: Accelerator; disposable?: boolean }
> => useWrite((client, { id, ...options }) => client.start(id, options), putMachine);

export const useKeepChanges = (): Write<Machine, string> =>
  useWrite((client, id) => client.keepChanges(id), putMachine);

export const useStopMachine = (): Write<Machine, { id: string; force?: boolean }> =>
  useWrite((client, { id, force }) => client.stop(id, force), putMachine);

export const useResetMachine = (): Write<Machine, string> =>
  useWrite((client, id) => client.reset(id), putMachine);

export const usePauseMachine = (): Write<Machine, string> =>
  useWrite((client, id) => client.pause(id), putMachine);

export const useResumeMachine = (): Write<Machine, string> =>
  useWrite((client, id) => client.resume(id), putMachine);

export const useSuspendMachine = (): Write<Machine, string> =>
  useWrite((client, id) => client.suspend(id), putMachine);

export const useDiscardState = (): Write<Machine, string> =>
  useWrite(
    (client, id) => client.discardState(id),
    (queries, machine) => {
      putMachine(queries, machine);
      spaceStale(queries);
    },
  );

export const useCloneMachine = (): Write<CloneStarted, { id: string } & CloneRequest> =>
  useWrite(
    (client, { id, ...request }) => client.clone(id, request),
    (queries, { machine, job }, variables) => {
      putNew(queries, machine);
      if (job) putJob(queries, job);
      snapshotsStale(queries, null, variables);
    },
  );

/** Merges images that nothing needs by themselves and compresses old memory. */
export const useTidy = (): Write<Job, string> => useWrite((client, id) => client.tidy(id), putJob);

export const useRenameMachine = (): Write<Machine, { id: string; name: string }> =>
  useWrite((client, { id, name }) => client.rename(id, name), putMachine);

export const useChangeMachine = (): Write<Machine, { id: string; changes: Record<string, unknown> }> =>
  useWrite((client, { id, changes }) => client.change(id, changes), putMachine);

export const useDeleteMachine = (): Write<TrashEntry, string> =>
  useWrite(
    (client, id) => client.remove(id),
    (queries, _entry, id) => {
      queries.setQueryData<Machine[]>(keys.machines, (list) => list?.filter((machine) => machine.id !== id));
      void queries.invalidateQueries({ queryKey: keys.trash });
    },
  );

export const useCreateMachine = (): Write<JobStarted, CreateRequest> =>
  useWrite((client, request) => client.create(request), putStarted);

export const useImport = (): Write<JobStarted, ImportRequest> =>
  useWrite((client, request) => client.import(request), putStarted);

/** A quick job may be over before its answer is here: a machine that events told of is newer than the answer's. */
function putNew(queries: QueryClient, machine: Machine): void {
  queries.setQueryData<Machine[]>(keys.machines, (list) =>
    list?.some((one) => one.id === machine.id) ? list : list && [...list, machine],
  );
}

function putStarted(queries: QueryClient, started: JobStarted): void {
  putNew(queries, started.machine);
  putJob(queries, started.job);
}

export const useCancelJob = (): Write<Job, string> => useWrite((client, id) => client.cancelJob(id), putJob);
export const usePauseJob = (): Write<Job, string> => useWrite((client, id) => client.pauseJob(id), putJob);
export const useResumeJob = (): Write<Job, string> => useWrite((client, id) => client.resumeJob(id), putJob);

function snapshotsStale(queries: QueryClient, _result: unknown, { id }: { id: string }): void {
  void queries.invalidateQueries({ queryKey: keys.snapshots(id) });
  spaceStale(queries);
}

function spaceStale(queries: QueryClient): void {
  void queries.invalidateQueries({ queryKey: keys.space });
}

export const usePruneCache = (): Write<CachePruned, void> =>
  useWrite(
    (client) => client.pruneCache(),
    (queries) => {
      spaceStale(queries);
      void queries.invalidateQueries({ queryKey: keys.templates });
    },
  );

export const useTakeSnapshot = (): Write<
  SnapshotTaken,
  { id: string; name?: string; notes?: string; memory?: boolean; keep?: boolean }
> => useWrite((client, { id, ...request }) => client.takeSnapshot(id, request), snapshotsStale);

export const useTakeTogether = (): Write<TakenTogether, TogetherRequest> =>
  useWrite(
    (client, request) => client.takeTogether(request),
    (queries) => void queries.invalidateQueries({ queryKey: keys.allSnapshots }),
  );

export const useDropMemory = (): Write<Snapshot, { id: string; snapshot: string }> =>
  useWrite((client, { id, snapshot }) => client.dropMemory(id, snapshot), snapshotsStale);

export const useChangeSnapshot = (): Write<
  Snapshot,
  { id: string; snapshot: string; name?: string; notes?: string; keep?: boolean }
> => useWrite((client, { id, snapshot, ...change }) => client.changeSnapshot(id, snapshot, change), snapshotsStale);

export const useDeleteSnapshot = (): Write<SnapshotsDeleted, { id: string; snapshot: string; subtree?: boolean }> =>
  useWrite(
    (client, { id, snapshot, subtree }) =>
      client.deleteSnapshot(id, snapshot, subtree === undefined ? {} : { subtree }),
    snapshotsStale,
  );

export const useRestoreSnapshot = (): Write<
  Restored,
  { id: string; snapshot: string } & RestoreOptions
> =>
  useWrite(
    (client, { id, snapshot, ...options }) => client.restoreSnapshot(id, snapshot, options),
    (queries, result, variables) => {
      putMachine(queries, result.machine);
      snapshotsStale(queries, result, variables);
    },
  );

/** The disks of the machine are read again: what changed one may have moved others. */
function disksStale(queries: QueryClient, _result: unknown, { id }: { id: string }): void {
  void queries.invalidateQueries({ queryKey: keys.disks(id) });
  spaceStale(queries);
}

/** A change that may have begun a job. */
function diskChanged(queries: QueryClient, result: { job: Job | null }, variables: { id: string }): void {
  if (result.job) putJob(queries, result.job);
  disksStale(queries, result, variables);
}

type OfDisk<More = object> = { id: string; disk: string } & More;

export const useAddDisk = (): Write<DiskChanged, { id: string } & DiskAddRequest> =>
  useWrite((client, { id, ...request }) => client.addDisk(id, request), diskChanged);

export const useChangeDisk = (): Write<DiskDetails, OfDisk<{ change: DiskChangeRequest }>> =>
  useWrite((client, { id, disk, change }) => client.changeDisk(id, disk, change), disksStale);

export const useRemoveDisk = (): Write<DiskRemoved, OfDisk> =>
  useWrite((client, { id, disk }) => client.removeDisk(id, disk), disksStale);

export const useRestoreDisk = (): Write<DiskDetails, OfDisk> =>
  useWrite((client, { id, disk }) => client.restoreDisk(id, disk), disksStale);

export const useDetachDisk = (): Write<DiskDetails, OfDisk> =>
  useWrite((client, { id, disk }) => client.detachDisk(id, disk), disksStale);

export const useAttachDisk = (): Write<DiskChanged, OfDisk<{ to?: string }>> =>
  useWrite((client, { id, disk, to }) => client.attachDisk(id, disk, to), diskChanged);

export const useResizeDisk = (): Write<DiskChanged, OfDisk<{ size: number }>> =>
  useWrite((client, { id, disk, size }) => client.resizeDisk(id, disk, size), diskChanged);

export const useCompactDisk = (): Write<Job, OfDisk> =>
  useWrite((client, { id, disk }) => client.compactDisk(id, disk), putJob);

export const useCheckDisk = (): Write<Job, OfDisk<{ repair?: boolean }>> =>
  useWrite((client, { id, disk, repair }) => client.checkDisk(id, disk, repair), putJob);

export const useCopyOut = (): Write<Job, OfDisk<{ request: CopyOutRequest }>> =>
  useWrite((client, { id, disk, request }) => client.copyOut(id, disk, request), putJob);

export const useExportMachine = (): Write<Job, { id: string; request: ExportRequest }> =>
  useWrite((client, { id, request }) => client.export(id, request), putJob);

export const useBackup = (): Write<Job, { id: string; request: BackupRequest }> =>
  useWrite((client, { id, request }) => client.backup(id, request), putJob);

export const useRestoreBackup = (): Write<BackupRestoreStarted, RestoreBackupRequest> =>
  useWrite(
    (client, request) => client.restoreBackup(request),
    (queries, { job, machine }) => {
      putJob(queries, job);
      putMachine(queries, machine);
    },
  );

export const usePutBack = (): Write<Machine, string> =>
  useWrite(
    (client, id) => client.putBack(id),
    (queries, machine) => {
      putMachine(queries, machine);
      void queries.invalidateQueries({ queryKey: keys.trash });
    },
  );

export const useEmptyTrash = (): Write<TrashEmptied, void> =>
  useWrite(
    (client) => client.emptyTrash(),
    (queries) => {
      void queries.invalidateQueries({ queryKey: keys.trash });
      spaceStale(queries);
    },
  );

/** Sets one setting; null takes the value away, so that the default counts again. */
export const useSetConfig = (): Write<Setting | null, { key: string; value: string | null }> =>
  useWrite(
    (client, { key, value }) => (value === null ? client.unsetConfig(key) : client.setConfig(key, value)),
    (queries, _answer, { key, value }) => {
      queries.setQueryData<Config>(keys.config, (config) => {
        const others = Object.entries(config ?? {}).filter(([name]) => name !== key);
        return Object.fromEntries(value === null ? others : [...others, [key, value]]);
      });
      if (key.startsWith("mirror.")) void queries.invalidateQueries({ queryKey: keys.templates });
    },
  );

export const useAddPort = (): Write<PortForward, { id: string; port: PortForward }> =>
  useWrite((client, { id, port }) => client.addPort(id, port), machinesStale);

export const useRemovePort = (): Write<null, { id: string; port: PortForward }> =>
  useWrite((client, { id, port }) => client.removePort(id, port), machinesStale);

export const useInsertMedium = (): Write<Machine, { id: string; path: string }> =>
  useWrite((client, { id, path }) => client.insertMedium(id, path), putMachine);

export const useEjectMedium = (): Write<Machine, string> =>
  useWrite((client, id) => client.ejectMedium(id), putMachine);

function machinesStale(queries: QueryClient): void {
  void queries.invalidateQueries({ queryKey: keys.machines });
}

export const useRunDoctor = (): Write<DoctorReport, void> =>
  useWrite(
    (client) => client.doctor(true),
    (queries, report) => queries.setQueryData(keys.doctor, report),
  );
