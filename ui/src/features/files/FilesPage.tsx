import { Camera, ChevronRight, CornerLeftUp, FolderOutput } from "lucide-react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { navigate } from "../../app/navigation";
import { Page } from "../../app/page";
import { Button, ErrorCard, Icon, IconButton, Note, Ring, Select, toast } from "../../components";
import {
  type FileEntry,
  formatMoment,
  type Machine,
  useClient,
  useCopyOut,
  useDisks,
  useFiles,
  useJob,
  useSnapshots,
  useTakeSnapshot,
} from "../../data";
import { t } from "../../i18n";
import { diskName } from "../disks/disk-words";
import { OverwriteSheet } from "../carry/OverwriteSheet";
import { CopyOutSheet } from "./CopyOutSheet";
import { CopyResult } from "./CopyResult";
import { address, crumbsOf, entriesOf, firstVolume, joinPath, parentOf, volumeAt } from "./entries";
import "./files.css";
import { FileTable } from "./FileTable";
import { volumeName, Volumes } from "./Volumes";

const NOW = "now";
const CODE_RUNNING = "machine-running";

interface Place {
  /** Null until a listing says which one is shown first. */
  volume: number | null;
  path: string;
  /** The folder one came from by keys: it has the focus. Null: nothing takes the focus. */
  from: string | null;
}

interface Props {
  machine: Machine;
  disk: string;
}

/** The files on a disk, of the present or of a snapshot, and the way to copy them out. */
export function FilesPage({ machine, disk }: Props) {
  const { platform } = useClient();
  const shown = useDisks(machine.id).data?.find((one) => one.id === disk);
  const { data: list } = useSnapshots(machine.id);
  const take = useTakeSnapshot();
  const [snapshot, setSnapshot] = useState<string | null>(null);
  const [place, setPlace] = useState<Place>({ volume: null, path: "/", from: null });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [copying, setCopying] = useState(false);
  const [copied, setCopied] = useState<{ job: string; to: string; paths: string[] } | null>(null);
  const [replacing, setReplacing] = useState(false);
  const again = useCopyOut();
  const job = useJob(copied?.job);
  const files = useFiles(machine.id, disk, snapshot, address(place.volume, place.path));
  const { data: pages, error, hasNextPage, isFetchingNextPage, fetchNextPage } = files;
  const first = pages?.[0];
  const entries = useMemo(() => entriesOf(pages ?? []), [pages]);
  const volumes = first?.volumes ?? [];
  const several = first?.volume === 0 ? firstVolume(first.volumes) : null;
  useEffect(() => {
    if (several !== null) setPlace((now) => (now.volume === null ? { volume: several, path: "/", from: null } : now));
  }, [several]);
  const volume = volumeAt(volumes, place.volume ?? first?.volume ?? 0);
  const name = shown ? diskName(shown) : t("edit.disk");
  const title = t("files.title", { name, machine: machine.name });

  const go = (path: string, from: string | null) => {
    setSelected(new Set());
    setPlace({ volume: place.volume ?? first?.volume ?? null, path, from });
  };
  const open = (entry: FileEntry) => {
    if (entry.kind === "folder") go(joinPath(place.path, entry.name), "");
  };
  const up = () => {
    if (place.path !== "/") go(parentOf(place.path), place.path.split("/").pop() ?? "");
  };
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const look = (next: string | null) => {
    setSnapshot(next);
    setSelected(new Set());
    setPlace({ volume: null, path: "/", from: null });
  };
  const takeAndLook = () =>
    take.mutate(
      { id: machine.id, name: t("files.snapshotName"), memory: false },
      { onSuccess: (taken) => look(taken.id) },
    );

  const replace = ({ to, paths }: { to: string; paths: string[] }) => {
    setReplacing(false);
    again.mutate(
      { id: machine.id, disk, request: { paths, to, overwrite: true, ...(snapshot === null ? {} : { snapshot }) } },
      {
        onSuccess: (started) => setCopied({ job: started.id, to, paths }),
        onError: ({ message, hint }) => {
          toast({ tone: "error", title: message, detail: hint });
        },
      },
    );
  };

  return (
    <Page
      name={title}
      ruled
      onBack={() => navigate({ page: "disks", machine: machine.id })}
      actions={
        <>
          <Select
            label={t("files.when")}
            className="files-point"
            value={snapshot ?? NOW}
            onChange={(value) => look(value === NOW ? null : value)}
            options={[
              { value: NOW, label: t("carry.present") },
              ...[...(list?.snapshots ?? [])]
                .reverse()
                .map((one) => ({ value: one.id, label: one.name, detail: formatMoment(one.created_at) })),
            ]}
          />
          <Button
            variant="primary"
            icon={FolderOutput}
            unavailable={selected.size === 0}
            aria-describedby="files-foot"
            onPress={() => setCopying(true)}
          >
            {t("files.copyOut")}
          </Button>
        </>
      }
    >
      <div className="files">
        {error ? (
          <div className="files-trouble">
            {error.code === CODE_RUNNING ? (
              <div className="files-running">
                <Icon icon={Camera} size={40} className="t3" />
                <h2 className="h1">{t("files.running")}</h2>
                <p className="t2">{t("files.runningDetail")}</p>
                <Button variant="primary" size="lg" icon={Camera} isPending={take.isPending} onPress={takeAndLook}>
                  {t("files.takeAndBrowse")}
                </Button>
                {take.error ? (
                  <Note tone="bad">
                    {take.error.message} {take.error.hint}
                  </Note>
                ) : null}
              </div>
            ) : (
              <ErrorCard
                level={2}
                title={t("files.unreadable", { name })}
                error={error.info}
                onCopy={(text) => void platform.copyText(text)}
                actions={
                  <>
                    <Button variant="primary" onPress={() => void files.refetch()}>
                      {t("common.tryAgain")}
                    </Button>
                    {place.path === "/" ? null : <Button onPress={up}>{t("files.up")}</Button>}
                  </>
                }
              />
            )}
          </div>
        ) : (
          <div className={volumes.length > 0 ? "files-both" : "files-both single"}>
            {volumes.length > 0 ? (
              <Volumes
                volumes={volumes}
                chosen={volume?.number ?? null}
                onChoose={(number) => {
                  setSelected(new Set());
                  setPlace({ volume: number, path: "/", from: null });
                }}
              />
            ) : null}
            <div className="files-main">
              <nav className="files-crumbs" aria-label={t("files.path")}>
                <IconButton
                  icon={CornerLeftUp}
                  iconSize={14}
                  label={t("files.up")}
                  {...(place.path === "/" ? { "aria-disabled": true } : {})}
                  onPress={up}
                />
                <button type="button" className="link" onClick={() => go("/", null)}>
                  {volume ? volumeName(volume) : name}
                </button>
                {crumbsOf(place.path).map((crumb, index, all) => (
                  <span key={crumb.path} className="row files-crumb">
                    <Icon icon={ChevronRight} size={12} className="t3" />
                    {index === all.length - 1 ? (
                      <span className="medium" aria-current="location">
                        {crumb.name}
                      </span>
                    ) : (
                      <button type="button" className="link" onClick={() => go(crumb.path, null)}>
                        {crumb.name}
                      </button>
                    )}
                  </span>
                ))}
              </nav>
              {first?.notes.map((note) => (
                <Note key={note} tone="info">
                  {note}
                </Note>
              ))}
              {!first ? (
                <p className="row t2 files-wait" role="status">
                  <Ring value={null} />
                  {t("files.reading")}
                </p>
              ) : volumes.length > 0 && !volume?.browsable ? (
                <p className="t2 files-wait">{t("files.nothingReadable")}</p>
              ) : entries.length === 0 ? (
                <p className="t2 files-wait">{t("files.empty")}</p>
              ) : (
                <FileTable
                  key={`${volume?.number ?? 0} ${place.path}`}
                  entries={entries}
                  selected={selected}
                  start={place.from}
                  onSelect={setSelected}
                  onOpen={open}
                  onUp={up}
                  onEnd={onEnd}
                />
              )}
            </div>
          </div>
        )}
        {copied && job ? (
          <CopyResult
            job={job}
            to={copied.to}
            onReplace={() => setReplacing(true)}
            onDismiss={() => setCopied(null)}
          />
        ) : null}
        <footer className="files-foot t2 t12 num" id="files-foot">
          {selected.size > 0
            ? t("files.selected", { count: selected.size, total: entries.length })
            : entries.length > 0
              ? t(hasNextPage ? "files.countMore" : "files.count", { count: entries.length })
              : null}
        </footer>
      </div>
      {replacing && copied ? (
        <OverwriteSheet
          paths={copied.paths.map((path) => joinPath(copied.to.replace(/\/$/, ""), path.split("/").pop() ?? ""))}
          onConfirm={() => replace(copied)}
          onClose={() => setReplacing(false)}
        />
      ) : null}
      {copying ? (
        <CopyOutSheet
          machine={machine.id}
          disk={disk}
          snapshot={snapshot}
          paths={[...selected].map((one) => address(volume?.number ?? null, joinPath(place.path, one)))}
          onStarted={(started, to, paths) => setCopied({ job: started.id, to, paths })}
          onClose={() => setCopying(false)}
        />
      ) : null}
    </Page>
  );
}
