import {
  Camera,
  Cpu,
  Disc3,
  EthernetPort,
  HardDrive,
  type LucideIcon,
  MemoryStick,
  Monitor,
  NotebookText,
  Power,
  Undo2,
} from "lucide-react";
import type { ComponentType } from "react";
import { navigate } from "../../app/navigation";
import { Page } from "../../app/page";
import { Button, Icon, useRoving } from "../../components";
import { formatBytes, type Machine } from "../../data";
import { t, type MessageKey } from "../../i18n";
import { CdPanel } from "./cd-panel";
import "./edit.css";
import { GeneralPanel } from "./general-panel";
import { DiskPanel, DisplayPanel, MemoryPanel, ProcessorPanel, StartupPanel } from "./hardware-panels";
import { NetworkPanel } from "./network-panel";
import { SnapshotsPanel } from "./snapshots-panel";
import { type Edit, useEdit } from "./use-edit";

export interface PanelProps {
  edit: Edit;
}

interface Tab {
  id: string;
  title: MessageKey;
  lead: MessageKey;
  icon: LucideIcon;
  value: (machine: Machine) => string;
  Panel: ComponentType<PanelProps>;
}

const TABS: Tab[] = [
  {
    id: "general",
    title: "edit.general",
    lead: "edit.generalLead",
    icon: NotebookText,
    value: () => "",
    Panel: GeneralPanel,
  },
  {
    id: "processor",
    title: "edit.processor",
    lead: "edit.processorLead",
    icon: Cpu,
    value: ({ cpus }) => t("edit.coresValue", { cores: cpus }),
    Panel: ProcessorPanel,
  },
  {
    id: "memory",
    title: "edit.memory",
    lead: "edit.memoryLead",
    icon: MemoryStick,
    value: ({ memory }) => formatBytes(memory),
    Panel: MemoryPanel,
  },
  {
    id: "disk",
    title: "edit.disk",
    lead: "edit.diskLead",
    icon: HardDrive,
    value: ({ disks }) => (disks[0] ? formatBytes(disks[0].capacity) : t("common.none")),
    Panel: DiskPanel,
  },
  {
    id: "cd",
    title: "edit.cd",
    lead: "edit.cdLead",
    icon: Disc3,
    value: ({ medium }) => medium?.name ?? t("edit.cdEmpty"),
    Panel: CdPanel,
  },
  {
    id: "ports",
    title: "edit.network",
    lead: "edit.networkLead",
    icon: EthernetPort,
    value: ({ nics }) => (nics[0]?.network === "default" ? t("edit.networkShared") : (nics[0]?.network ?? "")),
    Panel: NetworkPanel,
  },
  {
    id: "display",
    title: "edit.display",
    lead: "edit.displayLead",
    icon: Monitor,
    value: ({ resolution: [width, height] }) =>
      t("edit.resolutionValue", { width: String(width), height: String(height) }),
    Panel: DisplayPanel,
  },
  {
    id: "startup",
    title: "edit.startup",
    lead: "edit.startupLead",
    icon: Power,
    value: ({ firmware }) => t(firmware === "uefi" ? "edit.uefi" : "edit.bios"),
    Panel: StartupPanel,
  },
  {
    id: "snapshots",
    title: "edit.snapshots",
    lead: "edit.snapshotsLead",
    icon: Camera,
    value: ({ auto_snapshots: rules }) =>
      t(rules.before_start || rules.every_hours > 0 ? "edit.autoOn" : "edit.autoOff"),
    Panel: SnapshotsPanel,
  },
];

interface Props {
  machine: Machine;
  tab: string | undefined;
}

/** A machine's settings. Each is saved when it changes; what needs the machine off says so and offers it. */
export function EditPage({ machine, tab }: Props) {
  const edit = useEdit(machine);
  const onKeyDown = useRoving("[role=tab]", "both");
  const selected = TABS.find((one) => one.id === tab) ?? TABS[1] ?? TABS[0];
  const back = () => navigate({ page: "machine", machine: machine.id });
  const name = t("edit.title", { name: machine.name });
  if (!selected) return null;
  return (
    <Page
      name={name}
      ruled
      onBack={back}
      actions={
        <>
          <span className="t3 t12 edit-saved" aria-live="polite">
            {t(edit.saving ? "edit.saving" : "edit.saved")}
          </span>
          <Button
            variant="quiet"
            icon={Undo2}
            unavailable={edit.undo === undefined}
            {...(edit.undo ? { onPress: edit.undo } : {})}
          >
            {t("common.undo")}
          </Button>
        </>
      }
    >
      <div className="edit">
        {/* eslint-disable-next-line jsx-a11y/interactive-supports-focus -- its tabs take the focus */}
        <div
          className="edit-tabs scroll"
          role="tablist"
          aria-orientation="vertical"
          aria-label={t("edit.hardware")}
          onKeyDown={onKeyDown}
        >
          {TABS.map((one) => (
            <button
              key={one.id}
              type="button"
              role="tab"
              id={`edit-tab-${one.id}`}
              className="edit-tab inset"
              aria-label={t(one.title)}
              aria-description={one.value(machine)}
              aria-selected={one.id === selected.id}
              aria-controls="edit-panel"
              tabIndex={one.id === selected.id ? 0 : -1}
              onFocus={() => {
                if (one.id !== selected.id) navigate({ page: "edit", machine: machine.id, tab: one.id }, true);
              }}
              onClick={() => navigate({ page: "edit", machine: machine.id, tab: one.id }, true)}
            >
              <Icon icon={one.icon} className="t2" />
              <span className="medium">{t(one.title)}</span>
              <span className="grow trunc t3 t12 edit-tab-value">{one.value(machine)}</span>
            </button>
          ))}
        </div>
        <div className="scroll edit-panel" role="tabpanel" id="edit-panel" aria-label={t(selected.title)}>
          <div className="edit-inner">
            <h2 className="h1">{t(selected.title)}</h2>
            <p className="t2 edit-lead">{t(selected.lead)}</p>
            <selected.Panel edit={edit} />
          </div>
        </div>
      </div>
    </Page>
  );
}
