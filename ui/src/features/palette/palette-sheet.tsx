import { CornerDownLeft, Search } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { keyWords } from "../../app/keys";
import { useCurrentMachine } from "../../app/main-page";
import { Icon, Sheet } from "../../components";
import { useMachines, useSnapshots } from "../../data";
import { t } from "../../i18n";
import { useMachineActions } from "../machine/use-actions";
import { useSnapshotActions } from "../snapshots/use-snapshot-actions";
import { type Command, commands } from "./commands";
import { findIn } from "./find-in";
import "./palette.css";

/** Rows drawn at most. */
const SHOWN = 60;

/** The label with the found parts set off. */
function Marked({ label, search }: { label: string; search: string }) {
  const parts: ReactNode[] = [];
  let at = 0;
  for (const [from, to] of findIn(label, search) ?? []) {
    if (from < at) continue;
    parts.push(label.slice(at, from), <b key={from}>{label.slice(from, to)}</b>);
    at = to;
  }
  parts.push(label.slice(at));
  return <>{parts}</>;
}

/** Type what you want. Arrows move, Enter runs, Tab picks another machine. */
export function PaletteSheet({ onClose }: { onClose: () => void }) {
  const { data: machines = [] } = useMachines();
  const selected = useCurrentMachine();
  const [offset, setOffset] = useState(0);
  const start = Math.max(0, machines.findIndex((one) => one.id === selected?.id));
  const machine = offset === 0 ? selected : machines[(start + offset) % Math.max(1, machines.length)];
  const { data: list } = useSnapshots(machine?.id);
  const actions = useMachineActions();
  const snapshotActions = useSnapshotActions();
  const [search, setSearch] = useState("");
  const [active, setActive] = useState(0);
  const box = useRef<HTMLDivElement>(null);

  const all = useMemo(
    () => commands({ machine, machines, snapshots: list?.snapshots ?? [], actions, snapshotActions }),
    [machine, machines, list, actions, snapshotActions],
  );
  const found = useMemo(() => {
    // “sna” also finds the snapshots themselves, by the name of their group.
    const matching = all.filter((command) => findIn(`${command.label} ${command.keywords ?? ""}`, search) !== null);
    // Without a search, the list of machines would bury the rest.
    return (search ? matching : matching.filter((command) => !command.id.startsWith("machine:"))).slice(0, SHOWN);
  }, [all, search]);
  const at = Math.min(active, Math.max(0, found.length - 1));

  useEffect(() => {
    box.current?.querySelector(`#palette-${at}`)?.scrollIntoView({ block: "nearest" });
  }, [at]);

  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setActive((at + 1) % Math.max(1, found.length));
    else if (event.key === "ArrowUp") setActive((at - 1 + found.length) % Math.max(1, found.length));
    else if (event.key === "Home" && !search) setActive(0);
    else if (event.key === "End" && !search) setActive(found.length - 1);
    else if (event.key === "Enter") run(found[at]);
    else if (event.key === "Tab") {
      if (machines.length > 1) setOffset((offset + (event.shiftKey ? machines.length - 1 : 1)) % machines.length);
      setActive(0);
    } else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") onClose();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <Sheet label={t("shell.palette")} onClose={onClose} width={620} align="top" className="palette">
      <div className="palette-head">
        <Icon icon={Search} className="t3" />
        <input
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-autocomplete="list"
          aria-activedescendant={found.length > 0 ? `palette-${at}` : undefined}
          aria-label={t("palette.command")}
          placeholder={t("palette.placeholder")}
          value={search}
          spellCheck={false}
          autoComplete="off"
          // The palette is its field.
          autoFocus
          onChange={(event) => {
            setSearch(event.target.value);
            setActive(0);
          }}
          onKeyDown={onKeyDown}
        />
        <span className="kbd" aria-hidden="true">
          {keyWords("escape").join("")}
        </span>
      </div>
      <div ref={box} id="palette-list" role="listbox" aria-label={t("palette.commands")} className="palette-list">
        {found.map((command, index) => (
          <div key={command.id} role="presentation">
            {index === 0 || found[index - 1]?.group !== command.group ? (
              <div className="palette-group" role="presentation">
                {command.group}
              </div>
            ) : null}
            {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus */}
            <div
              id={`palette-${index}`}
              role="option"
              aria-selected={index === at}
              aria-label={command.label}
              className="palette-option"
              onPointerMove={() => setActive(index)}
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => run(command)}
            >
              <Icon icon={command.icon} className="t2" />
              <span className="grow trunc medium">
                <Marked label={command.label} search={search} />
              </span>
              <span className="t3 t12 num palette-detail">{command.detail}</span>
              {index === at ? <Icon icon={CornerDownLeft} size={14} className="t3" /> : null}
            </div>
          </div>
        ))}
      </div>
      {found.length === 0 ? <p className="palette-none t3">{t("palette.none", { search })}</p> : null}
      <div className="vh" aria-live="polite">
        {search ? t("palette.results", { count: found.length }) : ""}
      </div>
      <div className="palette-foot t3 t12" aria-hidden="true">
        <span className="row">
          <span className="kbd">{keyWords("up").join("")}</span>
          <span className="kbd">{keyWords("down").join("")}</span>
          {t("palette.move")}
        </span>
        <span className="row">
          <span className="kbd">{keyWords("enter").join("")}</span>
          {t("palette.run")}
        </span>
        <span className="row">
          <span className="kbd">{keyWords("tab").join("")}</span>
          {t("palette.nextMachine")}
        </span>
      </div>
    </Sheet>
  );
}
