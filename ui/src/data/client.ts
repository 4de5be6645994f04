/** The typed client: one function a route, errors as `ApiError`. Knows the platform, not React. */
import type { Method, Platform } from "../platform/types";
import type {
  Accelerator,
  ActivityEntry,
  Arch,
  BackupInfo,
  BackupRequest,
  BackupRestoreStarted,
  CachePruned,
  CloneRequest,
  CloneStarted,
  CommandShown,
  Comparison,
  Config,
  CopyOutRequest,
  CreateRequest,
  DiskAddRequest,
  DiskChangeRequest,
  DiskChanged,
  DiskDetails,
  DiskRemoved,
  DoctorReport,
  ErrorInfo,
  ExportPlan,
  ExportRequest,
  ImportPlan,
  ImportRequest,
  Job,
  JobStarted,
  Listing,
  Logs,
  Machine,
  PortForward,
  RestoreBackupRequest,
  RestoreOptions,
  Restored,
  ServiceInfo,
  Setting,
  Snapshot,
  SnapshotList,
  SnapshotTaken,
  SnapshotsDeleted,
  SpaceReport,
  Stats,
  TakenTogether,
  Template,
  TogetherRequest,
  TrashEmptied,
  TrashEntry,
} from "./types";

/** An error of the service (or of reaching it): switch on `code`, show `message` and `hint`. */
export class ApiError extends Error {
  readonly code: string;
  readonly kind: ErrorInfo["kind"];
  readonly hint: string;
  readonly details: Record<string, unknown>;
  /** HTTP status; 0 when the service was not reached. */
  readonly status: number;

  constructor(info: ErrorInfo, status: number) {
    super(info.message);
    this.name = "ApiError";
    this.code = info.code;
    this.kind = info.kind;
    this.hint = info.hint;
    this.details = info.details;
    this.status = status;
  }

  /** The wire form, for error cards. */
  get info(): ErrorInfo {
    return { code: this.code, kind: this.kind, message: this.message, hint: this.hint, details: this.details };
  }
}

/** The cure is room on this computer's disk. */
export const CODE_NO_SPACE = "no-space";
/** Codes that this client makes itself. */
export const CODE_UNREACHABLE = "service-unreachable";
export const CODE_BAD_ANSWER = "bad-answer";

const asText = (value: unknown): string => (typeof value === "string" ? value : "");

/** Reads an error body with suspicion: whatever is missing becomes empty. */
export function errorFromBody(body: unknown, status: number): ApiError {
  const raw = (body as { error?: Partial<ErrorInfo> } | null)?.error;
  return new ApiError(
    {
      code: asText(raw?.code) || CODE_BAD_ANSWER,
      kind: raw?.kind ?? "failed",
      message: asText(raw?.message),
      hint: asText(raw?.hint),
      details: typeof raw?.details === "object" && raw.details !== null ? raw.details : { status },
    },
    status,
  );
}

/** Any thrown thing as an `ApiError`. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const system = error instanceof Error ? error.message : String(error);
  return new ApiError(
    { code: CODE_UNREACHABLE, kind: "failed", message: "", hint: "", details: { system } },
    0,
  );
}

const enc = encodeURIComponent;
const query = (values: Record<string, string | number | boolean | null | undefined>): string => {
  const pairs = Object.entries(values)
    .filter((pair): pair is [string, string | number | boolean] => pair[1] !== undefined && pair[1] !== null)
    .map(([key, value]) => `${enc(key)}=${enc(String(value))}`);
  return pairs.length ? `?${pairs.join("&")}` : "";
};

export type Client = ReturnType<typeof createClient>;

/** The client over one platform. */
export function createClient(platform: Platform) {
  async function call<T>(method: Method, path: string, body?: unknown): Promise<T> {
    let answer;
    try {
      answer = await platform.request(method, `/v1${path}`, body);
    } catch (error) {
      throw toApiError(error);
    }
    if (answer.status >= 200 && answer.status < 300) return answer.body as T;
    throw errorFromBody(answer.body, answer.status);
  }
  const get = <T>(path: string) => call<T>("GET", path);
  const post = <T>(path: string, body: unknown = {}) => call<T>("POST", path, body);
  const machine = (id: string) => `/machines/${enc(id)}`;
  const disk = (id: string, one: string) => `${machine(id)}/disks/${enc(one)}`;
  const snapshot = (id: string, snap: string) => `${machine(id)}/snapshots/${enc(snap)}`;

  return {
    platform,
    service: () => get<ServiceInfo>("/service"),
    doctor: (refresh = false) => get<DoctorReport>(`/doctor${refresh ? "?refresh=true" : ""}`),
    templates: () => get<{ templates: Template[] }>("/templates").then((r) => r.templates),

    machines: () => get<{ machines: Machine[] }>("/machines").then((r) => r.machines),
    machine: (id: string) => get<Machine>(machine(id)),
    create: (request: CreateRequest) => post<JobStarted>("/machines", request),
    change: (id: string, changes: Record<string, unknown>) => call<Machine>("PATCH", machine(id), { changes }),
    remove: (id: string) => call<TrashEntry>("DELETE", machine(id)),
    rename: (id: string, name: string) => post<Machine>(`${machine(id)}/rename`, { name }),
    start: (id: string, options: { accelerator?: Accelerator; disposable?: boolean } = {}) =>
      post<Machine>(`${machine(id)}/start`, options),
    /** Of a disposable run: what it wrote stays after all. */
    keepChanges: (id: string) => post<Machine>(`${machine(id)}/keep-changes`),
    stop: (id: string, force = false) => post<Machine>(`${machine(id)}/stop`, { force }),
    reset: (id: string) => post<Machine>(`${machine(id)}/reset`),
    pause: (id: string) => post<Machine>(`${machine(id)}/pause`),
    resume: (id: string) => post<Machine>(`${machine(id)}/resume`),
    suspend: (id: string) => post<Machine>(`${machine(id)}/suspend`),
    discardState: (id: string) => post<Machine>(`${machine(id)}/discard-state`),
    clone: (id: string, request: CloneRequest) => post<CloneStarted>(`${machine(id)}/clone`, request),
    tidy: (id: string) => post<Job>(`${machine(id)}/tidy`),
    command: (id: string) => get<CommandShown>(`${machine(id)}/command`),
    logs: (id: string) => get<Logs>(`${machine(id)}/logs`),
    type: (id: string, text: string) => post<null>(`${machine(id)}/type`, { text }),
    keys: (id: string, keys: string[]) => post<null>(`${machine(id)}/keys`, { keys }),
    addPort: (id: string, port: PortForward) => post<PortForward>(`${machine(id)}/ports`, port),
    removePort: (id: string, port: PortForward) =>
      call<null>("DELETE", `${machine(id)}/ports${query({ host: port.host, protocol: port.protocol })}`),
    insertMedium: (id: string, path: string) => call<Machine>("PUT", `${machine(id)}/medium`, { path }),
    ejectMedium: (id: string) => call<Machine>("DELETE", `${machine(id)}/medium`),
    display: (id: string) => post<{ url: string }>(`${machine(id)}/display`).then((r) => r.url),
    screenshot: (id: string, maxWidth?: number) =>
      platform.picture(`/v1${machine(id)}/screenshot${query({ max_width: maxWidth })}`),
    thumbnail: (id: string, version: number) =>
      platform.picture(`/v1${machine(id)}/thumbnail${query({ v: version })}`),

    snapshots: (id: string) => get<SnapshotList>(`${machine(id)}/snapshots`),
    takeSnapshot: (id: string, request: { name?: string; notes?: string; memory?: boolean; keep?: boolean } = {}) =>
      post<SnapshotTaken>(`${machine(id)}/snapshots`, request),
    takeTogether: (request: TogetherRequest) => post<TakenTogether>("/snapshots", request),
    changeSnapshot: (id: string, snap: string, change: { name?: string; notes?: string; keep?: boolean }) =>
      call<Snapshot>("PATCH", snapshot(id, snap), change),
    deleteSnapshot: (id: string, snap: string, options: { subtree?: boolean; dryRun?: boolean } = {}) =>
      call<SnapshotsDeleted>(
        "DELETE",
        `${snapshot(id, snap)}${query({ subtree: options.subtree, dry_run: options.dryRun })}`,
      ),
    restoreSnapshot: (id: string, snap: string, options: RestoreOptions = {}) =>
      post<Restored>(`${snapshot(id, snap)}/restore`, options),
    dropMemory: (id: string, snap: string) => post<Snapshot>(`${snapshot(id, snap)}/drop-memory`),
    /** From a snapshot to another one, or to the present (null). */
    compare: (id: string, snap: string, other: string | null) =>
      get<Comparison>(`${snapshot(id, snap)}/compare${query({ with: other ?? "now" })}`),
    snapshotPicture: (id: string, snap: string) => platform.picture(`/v1${snapshot(id, snap)}/screenshot`),

    disks: (id: string) => get<{ disks: DiskDetails[] }>(`${machine(id)}/disks`).then((r) => r.disks),
    addDisk: (id: string, request: DiskAddRequest) => post<DiskChanged>(`${machine(id)}/disks`, request),
    changeDisk: (id: string, one: string, change: DiskChangeRequest) =>
      call<DiskDetails>("PATCH", disk(id, one), change),
    /** Into the machine's bin. */
    removeDisk: (id: string, one: string) => call<DiskRemoved>("DELETE", disk(id, one)),
    /** Out of the bin. */
    restoreDisk: (id: string, one: string) => post<DiskDetails>(`${disk(id, one)}/restore`),
    detachDisk: (id: string, one: string) => post<DiskDetails>(`${disk(id, one)}/detach`),
    /** To the machine itself, or to another one. */
    attachDisk: (id: string, one: string, to?: string) =>
      post<DiskChanged>(`${disk(id, one)}/attach`, to === undefined ? {} : { to }),
    resizeDisk: (id: string, one: string, size: number) => post<DiskChanged>(`${disk(id, one)}/resize`, { size }),
    compactDisk: (id: string, one: string) => post<Job>(`${disk(id, one)}/compact`),
    checkDisk: (id: string, one: string, repair = false) => post<Job>(`${disk(id, one)}/check`, { repair }),
    files: (id: string, one: string, path: string, options: { snapshot?: string; after?: string; limit?: number } = {}) =>
      get<Listing>(`${disk(id, one)}/files${query({ path, ...options })}`),
    copyOut: (id: string, one: string, request: CopyOutRequest) => post<Job>(`${disk(id, one)}/copy-out`, request),
    export: (id: string, request: ExportRequest) => post<Job>(`${machine(id)}/export`, request),
    exportPlan: (id: string, request: ExportRequest) => post<ExportPlan>(`${machine(id)}/export?dry_run=true`, request),
    backup: (id: string, request: BackupRequest) => post<Job>(`${machine(id)}/backup`, request),
    restoreBackup: (request: RestoreBackupRequest) => post<BackupRestoreStarted>("/restore-backup", request),
    backupInfo: (file: string) => post<BackupInfo>("/restore-backup?dry_run=true", { file }),

    trash: () => get<{ entries: TrashEntry[] }>("/trash").then((r) => r.entries),
    putBack: (id: string) => post<Machine>(`/trash/${enc(id)}/restore`),
    emptyTrash: (dryRun = false) => call<TrashEmptied>("DELETE", `/trash${query({ dry_run: dryRun || undefined })}`),

    space: () => get<SpaceReport>("/space"),
    /** All downloads that no machine needs, unfinished ones too. */
    pruneCache: () => call<CachePruned>("DELETE", "/cache"),

    importPlan: (path: string, arch?: Arch) => post<ImportPlan>("/import/plan", arch ? { path, arch } : { path }),
    import: (request: ImportRequest) => post<JobStarted>("/import", request),

    jobs: () => get<{ jobs: Job[] }>("/jobs").then((r) => r.jobs),
    cancelJob: (id: string) => post<Job>(`/jobs/${enc(id)}/cancel`),
    pauseJob: (id: string) => post<Job>(`/jobs/${enc(id)}/pause`),
    resumeJob: (id: string) => post<Job>(`/jobs/${enc(id)}/resume`),
    activity: () => get<{ entries: ActivityEntry[] }>("/activity").then((r) => r.entries),

    config: () => get<{ config: Config }>("/config").then((r) => r.config),
    setConfig: (key: string, value: string) => call<Setting>("PUT", `/config/${enc(key)}`, { value }),
    unsetConfig: (key: string) => call<null>("DELETE", `/config/${enc(key)}`),
    stats: (id?: string) => get<Stats>(`/stats${query({ machine: id })}`),
  };
}
