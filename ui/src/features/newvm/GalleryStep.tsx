import { ArchiveRestore, Check, ChevronRight, Disc3, Snail, TriangleAlert, Zap } from "lucide-react";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { openSheet } from "../../app/ui-state";
import { Button, Icon, Note, Ring, SearchField, Segmented, Sheet, Tile, useRoving } from "../../components";
import { formatBytes, formatNumber, speedOf, useClient, useDoctor, useTemplates } from "../../data";
import type { DoctorReport } from "../../data";
import { rich, t, type MessageKey } from "../../i18n";
import {
  archName,
  asArch,
  buildCards,
  type Card,
  type CardArch,
  filterCards,
  findChoice,
  firstChoice,
  isOwnMedium,
  KINDS,
  type Kind,
} from "./gallery";
import "./newvm.css";

const IMAGE_EXTENSIONS = ["iso", "qcow2", "img", "raw"];

export const timesText = (slowdown: number): string => formatNumber(slowdown, slowdown < 10 ? 1 : 0);

interface Props {
  choice: string | null;
  /** The next step was asked for and waits for Doctor's first answer. */
  waiting: boolean;
  onChoose: (key: string) => void;
  onContinue: (key: string) => void;
  onClose: () => void;
  onImport: (paths: string[]) => void;
  onOpenDoctor: () => void;
}

/** Step 1: which system, for which processor. */
export function GalleryStep(props: Props) {
  const { choice, waiting, onChoose, onContinue, onClose, onImport, onOpenDoctor } = props;
  const templates = useTemplates();
  const doctor = useDoctor();
  const client = useClient();
  const [kind, setKind] = useState<Kind>("all");
  const [search, setSearch] = useState("");
  const cards = useMemo(() => buildCards(templates.data ?? []), [templates.data]);
  const shown = useMemo(() => filterCards(cards, kind, search), [cards, kind, search]);
  // A filter that hides the choice offers the first match instead: what is not seen is not chosen.
  const chosen = findChoice(shown, choice) ?? findChoice(shown, firstChoice(shown, asArch(doctor.data?.host.arch)));
  const speed = chosen ? speedOf(doctor.data, chosen.arch.arch) : undefined;
  const impossible = speed !== undefined && speed.report === undefined;

  const pick = async () => {
    const paths = await client.platform.pickFiles({
      title: t("newvm.pickTitle"),
      multiple: true,
      extensions: IMAGE_EXTENSIONS,
      extensionsName: t("newvm.pickTypes"),
    });
    if (paths.length > 0) onImport(paths);
  };
  const goOn = () => {
    if (!chosen || impossible || waiting) return;
    // A system without an address comes on a medium of the user's own.
    if (isOwnMedium(chosen.arch)) void pick();
    else onContinue(chosen.arch.key);
  };

  return (
    <Sheet
      label={t("newvm.title")}
      title={t("newvm.title")}
      onClose={onClose}
      className="newvm newvm-first"
      headerExtra={
        <div className="newvm-search">
          <SearchField
            label={t("newvm.search")}
            placeholder={t("newvm.search")}
            value={search}
            onChange={setSearch}
            clearLabel={t("newvm.clearSearch")}
            onKeyDown={(event) => {
              if (event.key !== "Enter") return;
              // The next step's form has the focus before this key's own action would happen, and would be sent by it.
              event.preventDefault();
              goOn();
            }}
          />
        </div>
      }
      footer={
        <>
          <div className="grow row newvm-speed" aria-live="polite" id="newvm-speed">
            {waiting ? (
              <>
                <Ring value={null} />
                <span className="t2">{t("newvm.testing")}</span>
              </>
            ) : (
              <SpeedLine chosen={chosen} report={doctor.data} onOpenDoctor={onOpenDoctor} />
            )}
          </div>
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button
            size="lg"
            variant="primary"
            unavailable={!chosen || impossible || waiting}
            aria-describedby="newvm-speed"
            onPress={goOn}
          >
            {t("common.continue")}
          </Button>
        </>
      }
    >
      <div className="newvm-filters">
        <Segmented
          label={t("newvm.kind")}
          value={kind}
          options={KINDS.map((value) => ({ value, label: t(`newvm.kind.${value}`) }))}
          onChange={setKind}
        />
        <Legend report={doctor.data} />
      </div>
      <div className="sheet-body newvm-body">
        {templates.error ? (
          <Note tone="bad">
            <b className="medium">{t("newvm.loadFailed")}</b> <span className="t2">{templates.error.message}</span>
          </Note>
        ) : (
          <Gallery
            cards={shown}
            choice={chosen?.arch.key ?? null}
            report={doctor.data}
            onChoose={onChoose}
            onContinue={goOn}
          />
        )}
        {templates.data && shown.length === 0 ? (
          <div className="newvm-empty">
            {cards.some((card) => kind === "all" || card.kind === kind) ? (
              <>
                <span>{t("newvm.noMatch")}</span>
                <button
                  type="button"
                  className="link"
                  onClick={() => {
                    setSearch("");
                    setKind("all");
                  }}
                >
                  {t("newvm.clearFilter")}
                </button>
              </>
            ) : (
              <span>{t("newvm.noneOfKind", { kind: t(`newvm.kind.${kind}` as MessageKey) })}</span>
            )}
          </div>
        ) : null}
        <button type="button" className="card newvm-image" aria-label={t("newvm.image")} onClick={() => void pick()}>
          <span className="newvm-disc">
            <Icon icon={Disc3} size={20} />
          </span>
          <span className="grow">
            <span className="semi newvm-block">{t("newvm.image")}</span>
            <span className="t3 t12">{t("newvm.imageDetail")}</span>
          </span>
          <Icon icon={ChevronRight} size={14} />
        </button>
        <button
          type="button"
          className="card newvm-image"
          aria-label={t("newvm.backup")}
          onClick={() => openSheet({ kind: "restore-backup" })}
        >
          <span className="newvm-disc">
            <Icon icon={ArchiveRestore} size={20} />
          </span>
          <span className="grow">
            <span className="semi newvm-block">{t("newvm.backup")}</span>
            <span className="t3 t12">{t("newvm.backupDetail")}</span>
          </span>
          <Icon icon={ChevronRight} size={14} />
        </button>
      </div>
    </Sheet>
  );
}

interface GalleryProps {
  cards: Card[];
  choice: string | null;
  report: DoctorReport | undefined;
  onChoose: (key: string) => void;
  onContinue: () => void;
}

function Gallery({ cards, choice, report, onChoose, onContinue }: GalleryProps) {
  const onKeyDown = useRoving("[role=radio]");
  // Enter on what is chosen already goes on, as in a form.
  const goOnOrMove = (event: KeyboardEvent<HTMLElement>) => {
    const radio = (event.target as HTMLElement).closest("[role=radio]");
    if (event.key === "Enter" && radio?.getAttribute("aria-checked") === "true") {
      event.preventDefault();
      onContinue();
    } else onKeyDown(event);
  };
  const group = useRef<HTMLDivElement>(null);
  const focused = useRef(false);
  // The chosen radio has the focus when the sheet opens (the catalogue may come a moment later).
  useEffect(() => {
    if (focused.current || cards.length === 0) return;
    focused.current = true;
    const radio = group.current?.querySelector<HTMLElement>("[role=radio][tabindex='0']");
    radio?.focus({ preventScroll: true });
  }, [cards]);
  const keys = cards.flatMap((card) => card.arches.map((arch) => arch.key));
  const tabStop = choice && keys.includes(choice) ? choice : keys[0];

  return (
    // eslint-disable-next-line jsx-a11y/interactive-supports-focus -- the radios take the focus
    <div ref={group} className="newvm-gallery" role="radiogroup" aria-label={t("newvm.templates")} onKeyDown={goOnOrMove}>
      {cards.map((card) => {
        const selected = card.arches.find((arch) => arch.key === choice);
        const first = selected ?? card.arches.find((arch) => speedOf(report, arch.arch)?.native) ?? card.arches[0];
        return (
          // The whole card is a larger target for its radios; keyboards and screen readers use those.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions
          <div
            key={card.template.id}
            className={selected ? "newvm-card on" : "newvm-card"}
            onClick={() => first && onChoose(first.key)}
            onDoubleClick={onContinue}
          >
            <Tile glyph={card.template.glyph} family={card.template.family} />
            <div className="newvm-card-text">
              <div className="semi trunc newvm-card-title" title={card.template.name}>
                {card.title}
              </div>
              <CardLine card={card} arch={first} />
            </div>
            <div className="newvm-arches">
              {card.arches.map((arch) => (
                <ArchRadio
                  key={arch.key}
                  arch={arch}
                  checked={arch.key === choice}
                  tabStop={arch.key === tabStop}
                  native={speedOf(report, arch.arch)?.native ?? false}
                  onChoose={onChoose}
                />
              ))}
            </div>
          </div>
        );
      })}
    </div>
  );
}

/** What follows the title: the version for a family's principal card, what kind of image it is for the others. */
function aboutOf(card: Card, arch: CardArch | undefined): string {
  if (card.version) return card.version;
  const variant = arch?.source.kind === "installer" && card.template.variant !== "desktop" ? "installer" : card.template.variant;
  return ["installer", "server", "desktop", "minimal"].includes(variant)
    ? t(`newvm.variant.${variant}` as MessageKey)
    : variant;
}

function CardLine({ card, arch }: { card: Card; arch: CardArch | undefined }) {
  const about = aboutOf(card, arch);
  const size = arch?.source.cached
    ? t("newvm.onThisComputer")
    : arch?.source.size
      ? formatBytes(arch.source.size)
      : null;
  return (
    <div className="t3 t12 trunc row newvm-card-line" title={card.template.summary}>
      {arch?.source.cached ? <Icon icon={Check} size={12} className="ok-text" /> : null}
      <span className="trunc">{size ? t("newvm.card", { version: about, size }) : about}</span>
    </div>
  );
}

interface ArchRadioProps {
  arch: CardArch;
  checked: boolean;
  tabStop: boolean;
  native: boolean;
  onChoose: (key: string) => void;
}

function ArchRadio({ arch, checked, tabStop, native, onChoose }: ArchRadioProps) {
  return (
    <button
      type="button"
      role="radio"
      aria-checked={checked}
      aria-label={arch.label}
      aria-description={native ? t("newvm.native") : t("newvm.emulated")}
      tabIndex={tabStop ? 0 : -1}
      className={native ? "newvm-arch native" : "newvm-arch"}
      onClick={(event) => {
        event.stopPropagation();
        onChoose(arch.key);
      }}
    >
      {native ? <Icon icon={Zap} size={12} /> : null}
      {archName(arch.arch)}
    </button>
  );
}

function Legend({ report }: { report: DoctorReport | undefined }) {
  const measured = report?.accelerators.flatMap((entry) =>
    entry.name === "tcg" && entry.usable && entry.slowdown ? [entry.slowdown] : [],
  );
  const least = measured && measured.length > 0 ? timesText(Math.min(...measured)) : null;
  const most = measured && measured.length > 0 ? timesText(Math.max(...measured)) : null;
  return (
    <div className="row t3 t12 newvm-legend">
      <span className="row newvm-key native">
        <i />
        {t("newvm.native")}
      </span>
      <span className="row newvm-key">
        <i />
        {least === null || most === null
          ? t("newvm.emulated")
          : least === most
            ? t("newvm.emulatedTimes", { times: most })
            : t("newvm.emulatedRange", { least, most })}
      </span>
    </div>
  );
}

interface SpeedLineProps {
  chosen: { card: Card; arch: CardArch } | null;
  report: DoctorReport | undefined;
  onOpenDoctor: () => void;
}

/** Whether the chosen system runs natively here, before anything is made. */
function SpeedLine({ chosen, report, onOpenDoctor }: SpeedLineProps) {
  if (!chosen) return <span className="t3">{t("newvm.speed.nothing")}</span>;
  const system = chosen.arch.label;
  const speed = speedOf(report, chosen.arch.arch);
  const b = (chunks: React.ReactNode[]) => <b className="medium newvm-strong">{chunks}</b>;
  if (!speed) return <span className="t3">{t("newvm.speed.checking", { system })}</span>;
  if (!speed.report) {
    return (
      <>
        <Icon icon={TriangleAlert} className="danger-text" />
        <span className="t2">
          {rich("newvm.speed.missing", { b, system, arch: archName(chosen.arch.arch) })}{" "}
          <button type="button" className="link" onClick={onOpenDoctor}>
            {t("newvm.speed.show")}
          </button>
        </span>
      </>
    );
  }
  if (speed.native) {
    return (
      <>
        <Icon icon={Zap} className="ok-text" />
        <span className="t2">
          {rich("newvm.speed.native", { b, system, accelerator: speed.report.name.toUpperCase() })}
        </span>
      </>
    );
  }
  return (
    <>
      <Icon icon={Snail} className="warn-text" />
      <span className="t2">
        {speed.slowdown
          ? rich("newvm.speed.emulatedTimes", { b, system, times: timesText(speed.slowdown) })
          : rich("newvm.speed.emulated", { b, system })}
      </span>
    </>
  );
}
