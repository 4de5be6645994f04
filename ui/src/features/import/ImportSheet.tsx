import { CircleAlert, CircleCheck, CircleX, TriangleAlert } from "lucide-react";
import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { navigate } from "../../app/navigation";
import { Button, Icon, Ring, Sheet, TextField, Tile, toast, useRoving } from "../../components";
import { type Arch, formatBytes, toApiError, useClient, useDoctor, useImport, useMachines, useRestoreBackup } from "../../data";
import { t } from "../../i18n";
import { joinWords } from "../activity/job-words";
import { BACKUP_ENDING, looksLikeBackup } from "../carry/formats";
import { rememberRequest } from "../activity/requests";
import "./import.css";
import { ItemDetail } from "./ItemDetail";
import { isBackup, isIso, isReady, type Item, problemOf, reduceItems, startItems, toImportRequest, totals } from "./items";
import { isBundle } from "./possible";

const EXTENSIONS = [
  ...["iso", "qcow2", "img", "raw", "vmdk", "vdi", "vhd", "vhdx", "ova", "ovf", "utm", "vbox", "vmx", "conf", "xml"],
  ...["gz", "xz", "zst", "bz2", "zip"],
  BACKUP_ENDING,
];

interface Props {
  paths: string[];
  onClose: () => void;
}

/** What the dropped or chosen files are, what becomes of them, and one button for all. */
export function ImportSheet({ paths, onClose }: Props) {
  const client = useClient();
  const { data: machines = [] } = useMachines();
  const free = useDoctor().data?.host.disk_free;
  const importing = useImport();
  const restoring = useRestoreBackup();
  const [items, dispatch] = useReducer(reduceItems, paths, startItems);
  const [selected, setSelected] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const asked = useRef(new Set<string>());
  const known = useRef(machines);
  useEffect(() => {
    known.current = machines;
  });

  const plan = useCallback(
    async (path: string, arch?: Arch) => {
      const asBackup = async () =>
        dispatch({ type: "backup", path, info: await client.backupInfo(path), machines: known.current });
      const asImage = async () =>
        dispatch({ type: "planned", path, plan: await client.importPlan(path, arch), machines: known.current });
      try {
        if (looksLikeBackup(path)) await asBackup();
        // A backup may have any name: what is no image may be one. If not, why it is no image counts.
        else await asImage().catch((refusal: unknown) => asBackup().catch(() => Promise.reject(toApiError(refusal))));
      } catch (error) {
        dispatch({ type: "refused", path, error: toApiError(error).info });
      }
    },
    [client],
  );
  // Files dropped while the sheet is open join it.
  useEffect(() => dispatch({ type: "add", paths }), [paths]);
  useEffect(() => {
    for (const item of items) {
      if (item.state !== "reading" || asked.current.has(item.path)) continue;
      asked.current.add(item.path);
      void plan(item.path);
    }
  }, [items, plan]);

  const pick = async () => {
    const more = await client.platform.pickFiles({
      title: t("import.pickTitle"),
      multiple: true,
      extensions: EXTENSIONS,
      extensionsName: t("import.pickTypes"),
    });
    if (more.length > 0) dispatch({ type: "add", paths: more });
  };

  const ready = items.filter((item) => isReady(item) || isBackup(item));
  const problems = new Map(ready.map((item) => [item.path, problemOf(item, items, busy ? [] : machines)]));
  const good = ready.filter((item) => problems.get(item.path) === null);
  const current = items.find((item) => item.path === selected) ?? items[0];
  const { copy, moved } = totals(good);
  const noRoom = free !== undefined && copy > free;

  const run = async () => {
    if (busy || good.length === 0) return;
    setBusy(true);
    let started = 0;
    let machine = "";
    for (const item of good) {
      try {
        let answer;
        if (isBackup(item)) answer = await restoring.mutateAsync({ file: item.path, name: item.name.trim() });
        else {
          const request = toImportRequest(item);
          answer = await importing.mutateAsync(request);
          rememberRequest(answer.job.id, { kind: "import", request });
        }
        started += 1;
        machine = answer.machine.id;
        if (good.length > 1) dispatch({ type: "remove", path: item.path });
      } catch (error) {
        dispatch({ type: "failed", path: item.path, error: toApiError(error).info });
        setSelected(item.path);
      }
    }
    setBusy(false);
    if (started < good.length) return;
    onClose();
    if (started === 1) navigate({ page: "machine", machine });
    else {
      toast({ title: t("import.started", { count: started }) });
      navigate({ page: "activity" });
    }
  };

  const onlyBackups = ready.length > 0 && ready.every(isBackup);
  const title = items.length > 0 ? t("import.title", { count: items.length }) : t("import.titleNone");
  return (
    <Sheet
      label={title}
      title={title}
      onClose={onClose}
      width={920}
      className="import"
      sticky
      footer={
        <>
          <span className={noRoom ? "grow num danger-text" : "t2 grow num"}>
            {joinWords([
              copy > 0 && t("import.footer.copy", { size: formatBytes(copy) }),
              free !== undefined && t("import.footer.free", { size: formatBytes(free) }),
              moved > 0
                ? t("import.footer.moved", { count: moved })
                : good.length > 0 && t("import.footer.stay"),
            ])}
          </span>
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button
            size="lg"
            variant="primary"
            unavailable={good.length === 0 || noRoom}
            onPress={() => void run()}
          >
            {t(onlyBackups ? "import.restoreButton" : "import.button", { count: good.length || items.length })}
          </Button>
        </>
      }
    >
      <div className="import-body">
        <div className="import-list">
          {items.length > 0 ? (
            <ItemList
              items={items}
              current={current?.path ?? null}
              problems={problems}
              onSelect={setSelected}
            />
          ) : null}
          <button type="button" className="import-more t12" onClick={() => void pick()}>
            <span>{t("import.more")}</span>
            <span className="link">{t("import.choose")}</span>
          </button>
          {/* A browser tells no paths, and the service may run on another computer. */}
          {client.platform.kind === "web" ? <PathField onAdd={(path) => dispatch({ type: "add", paths: [path] })} /> : null}
        </div>
        <div className="import-pane scroll">
          {current ? (
            <ItemDetail
              key={current.path}
              item={current}
              problem={problems.get(current.path) ?? null}
              onChoose={(choice) => dispatch({ type: "choose", path: current.path, choice })}
              onArch={(arch) => void plan(current.path, arch)}
              onName={(name) => dispatch({ type: "name", path: current.path, name })}
              onLeaveOut={() => dispatch({ type: "remove", path: current.path })}
            />
          ) : (
            <p className="t2">{t("import.nothing")}</p>
          )}
        </div>
      </div>
    </Sheet>
  );
}

function PathField({ onAdd }: { onAdd: (path: string) => void }) {
  const [path, setPath] = useState("");
  return (
    <form
      className="import-path"
      onSubmit={(event) => {
        event.preventDefault();
        if (path.trim()) onAdd(path.trim());
        setPath("");
      }}
    >
      <TextField label={t("import.path")} value={path} onChange={setPath} />
      <Button type="submit" unavailable={path.trim() === ""}>
        {t("import.addPath")}
      </Button>
    </form>
  );
}

interface ListProps {
  items: Item[];
  current: string | null;
  problems: Map<string, unknown>;
  onSelect: (path: string) => void;
}

function ItemList({ items, current, problems, onSelect }: ListProps) {
  const onKeyDown = useRoving("[role=option]", "vertical");
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector<HTMLElement>("[role=option][tabindex='0']")?.focus({ preventScroll: true });
  }, []);
  return (
    // eslint-disable-next-line jsx-a11y/interactive-supports-focus -- the options take the focus
    <div ref={list} role="listbox" aria-label={t("import.items")} onKeyDown={onKeyDown}>
      {items.map((item) => (
        // Focus selects: arrows move through the files.
        // eslint-disable-next-line jsx-a11y/click-events-have-key-events
        <div
          key={item.path}
          role="option"
          aria-selected={item.path === current}
          aria-label={item.file}
          aria-description={kindOf(item)}
          tabIndex={item.path === current ? 0 : -1}
          className="import-item"
          title={item.path}
          onFocus={() => onSelect(item.path)}
          onClick={() => onSelect(item.path)}
        >
          <Tile
            small
            glyph={isReady(item) ? item.plan.glyph : (isBackup(item) ? item.info.name : item.file).slice(0, 2)}
            family={(systemOf(item) ?? "").split(" ")[0]?.toLowerCase() || "none"}
          />
          <span className="grow col">
            <span className="medium trunc">{item.file}</span>
            <span className="t3 t12 trunc">{kindOf(item)}</span>
          </span>
          <ItemMark item={item} nameProblem={Boolean(problems.get(item.path))} />
        </div>
      ))}
    </div>
  );
}

const systemOf = (item: Item): string | null =>
  isReady(item) ? item.plan.system : isBackup(item) ? item.info.system : null;

function kindOf(item: Item): string {
  if (item.state === "reading") return t("import.reading");
  if (item.state === "refused") return t("import.refused");
  if (isBackup(item)) return t("import.kind.backup");
  if (isBundle(item.plan)) return t("import.kind.machine", { disks: item.plan.disks.length });
  return t(isIso(item) ? "import.kind.iso" : "import.kind.disk");
}

function ItemMark({ item, nameProblem }: { item: Item; nameProblem: boolean }) {
  if (item.state === "reading") return <Ring value={null} />;
  const [icon, className, word] =
    item.state === "refused"
      ? ([CircleX, "danger-text", t("import.refused")] as const)
      : item.failure || nameProblem
        ? ([CircleAlert, "danger-text", t("import.nameTaken")] as const)
        : isReady(item) && item.plan.warnings.length > 0
          ? ([TriangleAlert, "warn-text", t("import.warned")] as const)
          : ([CircleCheck, "ok-text", t("import.ready")] as const);
  return (
    <span className={className} title={word}>
      <Icon icon={icon} size={14} />
    </span>
  );
}
