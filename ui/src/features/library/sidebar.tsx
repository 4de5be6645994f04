import { Activity, Check, Plus, Settings, Stethoscope, Tag, Trash2, TriangleAlert, type LucideIcon } from "lucide-react";
import { type ReactNode, useCallback, useMemo, useRef, useState } from "react";
import { keyLabel } from "../../app/keys";
import { type Route, routeHref, type Section, useRoute } from "../../app/navigation";
import { openSheet } from "../../app/ui-state";
import { useRail } from "../../app/use-narrow";
import { Icon, IconButton, Menu, Ring, SearchField } from "../../components";
import { isOver, type Machine, useDoctor, useJobs, useMachines, useTrash } from "../../data";
import { t } from "../../i18n";
import { Logo } from "./logo";
import { MachineTree } from "./machine-tree";
import "./sidebar.css";
import { allTags, type Filter, NO_FILTER, treeRows } from "./tree-model";

const CLOSED_KEY = "nestbox.groups.closed";

function readClosed(): Set<string> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(CLOSED_KEY) ?? "[]");
    return new Set(Array.isArray(value) ? value.filter((one) => typeof one === "string") : []);
  } catch {
    return new Set();
  }
}

function useClosedGroups(): [ReadonlySet<string>, (row: string, open: boolean) => void] {
  const [closed, setClosed] = useState<ReadonlySet<string>>(readClosed);
  const toggle = useCallback((row: string, open: boolean) => {
    setClosed((before) => {
      const next = new Set(before);
      const group = row.replace(/^group:/, "");
      if (open) next.delete(group);
      else next.add(group);
      try {
        localStorage.setItem(CLOSED_KEY, JSON.stringify([...next]));
      } catch {
        // Folds last until the window closes, then.
      }
      return next;
    });
  }, []);
  return [closed, toggle];
}

interface SectionLinkProps {
  section: Section;
  icon: LucideIcon;
  label: string;
  description?: string | undefined;
  trailing?: ReactNode;
}

function SectionLink({ section, icon, label, description, trailing }: SectionLinkProps) {
  const route: Route = useRoute();
  return (
    <a
      href={routeHref({ page: section })}
      className="inset"
      aria-label={label}
      aria-description={description}
      title={label}
      aria-current={route.page === section ? "page" : undefined}
    >
      <Icon icon={icon} />
      <span className="grow section-label">{label}</span>
      {trailing}
    </a>
  );
}

function ActivityLink() {
  const { data: jobs = [] } = useJobs();
  const running = jobs.filter((job) => !isOver(job));
  const known = running.filter((job) => job.progress !== null);
  const total = known.reduce((sum, job) => sum + (job.progress ?? 0), 0);
  return (
    <SectionLink
      section="activity"
      icon={Activity}
      label={t("shell.activity")}
      description={running.length > 0 ? t("shell.jobs", { count: running.length }) : undefined}
      trailing={
        running.length > 0 ? (
          <>
            <span className="t3 t11 num section-label">{running.length}</span>
            <Ring value={known.length > 0 ? total / known.length : null} />
          </>
        ) : null
      }
    />
  );
}

function DoctorLink() {
  const { data: report } = useDoctor();
  const worst = report?.checks.some((check) => check.status === "failed" || check.status === "missing");
  const emulated = report && !report.accelerators.some((one) => one.usable && one.name !== "tcg");
  const warn = report !== undefined && (!report.ok || worst === true || emulated === true);
  return (
    <SectionLink
      section="doctor"
      icon={Stethoscope}
      label={t("shell.doctor")}
      description={report ? t(warn ? "shell.doctorWarn" : "shell.doctorOk") : undefined}
      trailing={
        report ? (
          <span className={warn ? "warn-text section-mark" : "ok-text section-mark"}>
            <Icon icon={warn ? TriangleAlert : Check} size={14} />
          </span>
        ) : null
      }
    />
  );
}

function TrashLink() {
  const { data: entries = [] } = useTrash();
  const count = entries.length;
  return (
    <SectionLink
      section="trash"
      icon={Trash2}
      label={t("shell.trash")}
      description={t("shell.trashOpen", { count })}
      trailing={count > 0 ? <span className="t3 t11 num section-label">{count}</span> : null}
    />
  );
}

interface ChipsProps {
  machines: Machine[];
  filter: Filter;
  onFilter: (filter: Filter) => void;
}

function Chips({ machines, filter, onFilter }: ChipsProps) {
  const tags = useMemo(() => allTags(machines), [machines]);
  const running = machines.filter((machine) => machine.state === "running").length;
  const chip = (state: Filter["state"], label: string, name: string, count: number) => (
    <button
      type="button"
      className="chip"
      aria-label={name}
      aria-pressed={filter.state === state && filter.tag === null}
      onClick={() => onFilter({ ...filter, state, tag: null })}
    >
      {label} <span className="num">{count}</span>
    </button>
  );
  return (
    <div className="chips" role="group" aria-label={t("shell.filters")}>
      {chip("all", t("shell.all"), t("shell.allName"), machines.length)}
      {chip("running", t("shell.running"), t("shell.runningName"), running)}
      {filter.tag === null ? null : (
        <button
          type="button"
          className="chip trunc"
          aria-pressed="true"
          aria-label={t("shell.clearTag", { tag: filter.tag })}
          onClick={() => onFilter({ ...filter, tag: null })}
        >
          <span className="trunc">{filter.tag}</span>
        </button>
      )}
      <span className="grow" />
      <Menu
        label={t("shell.filterByTag")}
        trigger={<IconButton small icon={Tag} iconSize={14} label={t("shell.filterByTag")} />}
        items={[
          { id: "any", label: t("shell.anyTag"), onSelect: () => onFilter({ ...filter, tag: null }) },
          ...tags.map((tag) => ({
            id: `tag:${tag}`,
            label: tag,
            icon: Tag,
            onSelect: () => onFilter({ ...filter, state: "all" as const, tag }),
          })),
        ]}
      />
    </div>
  );
}

/** Brand, search, filters, the machines, and the sections at the foot. */
export function Sidebar() {
  const { data: machines } = useMachines();
  const [filter, setFilter] = useState<Filter>(NO_FILTER);
  const [closed, toggle] = useClosedGroups();
  const rail = useRail();
  const search = useRef<HTMLInputElement>(null);
  const shown = rail ? NO_FILTER : filter;
  const rows = useMemo(() => treeRows(machines ?? [], shown, closed), [machines, shown, closed]);
  const empty = machines?.length === 0;
  return (
    <aside className="sidebar" aria-label={t("shell.sidebar")} data-pane="sidebar">
      <div className="bar" data-tauri-drag-region="">
        <span className="brand" data-tauri-drag-region="">
          <Logo />
          {t("app.name")}
        </span>
        <span className="grow" data-tauri-drag-region="" />
        <IconButton
          icon={Plus}
          label={t("shell.newVm")}
          shortcut={keyLabel("mod+n")}
          onPress={() => openSheet({ kind: "new-vm" })}
        />
      </div>
      <div className="sidebar-search">
        <SearchField
          ref={search}
          label={t("shell.search")}
          placeholder={t("shell.searchPlaceholder")}
          clearLabel={t("shell.clearSearch")}
          value={filter.search}
          onChange={(value) => setFilter({ ...filter, search: value })}
          onKeyDown={(event) => {
            if (event.key !== "ArrowDown" && event.key !== "Enter") return;
            event.preventDefault();
            document.querySelector<HTMLElement>(".machine-tree [role=treeitem][aria-level='2']")?.focus();
          }}
          trailing={
            <button
              type="button"
              className="kbd palette-key"
              aria-label={t("shell.palette")}
              onClick={() => openSheet({ kind: "palette" })}
            >
              {keyLabel("mod+k")}
            </button>
          }
        />
      </div>
      {empty ? (
        <div className="sidebar-empty">
          <p className="t3">{t("shell.empty")}</p>
        </div>
      ) : (
        <>
          <Chips machines={machines ?? []} filter={filter} onFilter={setFilter} />
          {machines && rows.length === 0 ? (
            <div className="sidebar-empty">
              <p className="t3">{t("shell.noMatch")}</p>
              <button type="button" className="link" onClick={() => setFilter(NO_FILTER)}>
                {t("shell.clearFilter")}
              </button>
            </div>
          ) : (
            <MachineTree rows={rows} onToggle={toggle} />
          )}
        </>
      )}
      <nav className="sections" aria-label={t("shell.sections")}>
        <ActivityLink />
        <DoctorLink />
        <TrashLink />
        <SectionLink section="settings" icon={Settings} label={t("shell.settings")} />
      </nav>
    </aside>
  );
}
