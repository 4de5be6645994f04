import { Disc3, Snail, TriangleAlert, Zap } from "lucide-react";
import type { ReactNode } from "react";
import { Button, ErrorCard, Icon, Note, Ring, Select, Switch, TextField, Tile } from "../../components";
import { formatBytes, speedOf, useClient, useDoctor, useHostUsage } from "../../data";
import type { Arch } from "../../data";
import { t } from "../../i18n";
import { limitsOf, type NameProblem } from "../newvm/draft";
import { archName } from "../newvm/gallery";
import { timesText } from "../newvm/GalleryStep";
import { Sizes } from "../newvm/Sizes";
import { ActionRadios } from "./ActionRadios";
import { BackupFacts } from "../carry/BackupFacts";
import { type BackupItem, type Choice, isBackup, isIso, type Item, type ReadyItem } from "./items";
import { Fates, Hardware } from "./PlanParts";
import { isBundle, possibleActions } from "./possible";

const ARCHES: Arch[] = ["x86_64", "aarch64", "riscv64", "i386", "arm", "ppc64", "s390x"];

interface Props {
  item: Item;
  problem: NameProblem | null;
  onChoose: (choice: Partial<Choice>) => void;
  onArch: (arch: Arch) => void;
  /** Of a backup. */
  onName: (name: string) => void;
  onLeaveOut: () => void;
}

/** One file: what it is, what becomes of it, and the machine it makes. */
export function ItemDetail({ item, problem, onChoose, onArch, onName, onLeaveOut }: Props) {
  const { platform } = useClient();
  if (item.state === "reading") {
    return (
      <p className="row t2" role="status">
        <Ring value={null} />
        {t("import.readingFile", { file: item.file })}
      </p>
    );
  }
  const leaveOut = (
    <Button aria-label={t("import.leaveOutName", { file: item.file })} onPress={onLeaveOut}>
      {t("import.leaveOut")}
    </Button>
  );
  if (item.state === "refused") {
    return (
      <ErrorCard
        title={t("import.refusedTitle", { file: item.file })}
        safety={t("import.refusedSafe")}
        error={item.error}
        actions={leaveOut}
        onCopy={(text) => void platform.copyText(text)}
      />
    );
  }
  if (isBackup(item)) return <Backup item={item} problem={problem} onName={onName} leaveOut={leaveOut} />;
  return <Ready item={item} problem={problem} onChoose={onChoose} onArch={onArch} leaveOut={leaveOut} />;
}

interface ReadyProps extends Omit<Props, "item" | "onName" | "onLeaveOut"> {
  item: ReadyItem;
  leaveOut: ReactNode;
}

function Ready({ item, problem, onChoose, onArch, leaveOut }: ReadyProps) {
  const { platform } = useClient();
  const { plan, choice } = item;
  const iso = isIso(item);
  const possible = possibleActions(plan);
  const usage = useHostUsage();
  const host = useDoctor().data?.host;
  const free = usage.data?.host.disk_free ?? host?.disk_free;
  return (
    <div className="import-detail">
      <div className="row import-head">
        <Tile glyph={plan.glyph} family={(plan.system ?? "").split(" ")[0]?.toLowerCase() || "none"} />
        <div className="grow">
          <h3 className="h1 import-wrap">{isBundle(plan) ? plan.name : (plan.system ?? item.file)}</h3>
          <div className="t2">
            {iso
              ? t("import.head.iso", { description: t("import.kind.iso"), size: formatBytes(plan.size) })
              : isBundle(plan)
                ? t("import.head.machine", {
                    description: plan.description,
                    size: formatBytes(plan.size),
                    disks: plan.disks.length,
                  })
                : t("import.head.disk", { size: formatBytes(plan.size), disk: formatBytes(plan.disk) })}
          </div>
        </div>
        <SpeedPill arch={choice.arch} />
        {leaveOut}
      </div>
      {item.failure ? (
        <ErrorCard
          title={t("import.failedTitle", { file: item.file })}
          safety={t("import.failedSafe")}
          error={item.failure}
          onCopy={(text) => void platform.copyText(text)}
        />
      ) : null}
      <div className="import-two">
        <section>
          <h4 className="sec">{t("import.recognised")}</h4>
          <dl className="import-facts">
            <Fact term={t("import.format")}>{plan.description}</Fact>
            <Fact term={t("import.system")}>{plan.system ?? t("import.systemUnknown")}</Fact>
            <Fact term={t("import.architecture")}>
              <Select
                label={t("import.architecture")}
                value={choice.arch}
                options={ARCHES.map((arch) => ({ value: arch, label: archName(arch) }))}
                onChange={onArch}
              />
              <span className="t3 t12">{t("import.archBy", { reason: plan.arch_reason })}</span>
            </Fact>
            <Fact term={t("import.bootsWith")}>
              <Select
                label={t("import.bootsWith")}
                value={choice.firmware}
                options={[
                  { value: "uefi", label: t("import.uefi") },
                  { value: "bios", label: t("import.bios") },
                ]}
                onChange={(firmware) => onChoose({ firmware })}
              />
            </Fact>
            {plan.disks.length < 2 && plan.partitions.length > 0 ? (
              <Fact term={t("import.partitions")}>{plan.partitions.join(", ")}</Fact>
            ) : null}
          </dl>
        </section>
        <Fates plan={plan} />
      </div>
      <Hardware plan={plan} />
      {plan.warnings.map((warning) => (
        <Note tone="warn" key={warning}>
          {warning}
        </Note>
      ))}
      {iso ? (
        <Note icon={Disc3}>
          <span className="t2">{t(plan.inside === "iso" ? "import.isoPackedNote" : "import.isoNote")}</span>
        </Note>
      ) : (
        <div>
          <div className="sec import-title">{t("import.action")}</div>
          <ActionRadios
            value={possible[choice.action] === null ? choice.action : "copy"}
            onChange={(action) => onChoose({ action })}
            needs={plan.needs}
            free={free}
            impossible={possible}
          />
        </div>
      )}
      <MachineForm item={item} problem={problem} onChoose={onChoose} />
    </div>
  );
}

interface BackupProps {
  item: BackupItem;
  problem: NameProblem | null;
  onName: (name: string) => void;
  leaveOut: ReactNode;
}

/** A machine that Nestbox wrote itself: restored as it was. */
function Backup({ item, problem, onName, leaveOut }: BackupProps) {
  const { platform } = useClient();
  const { info } = item;
  return (
    <div className="import-detail">
      <div className="row import-head">
        <Tile glyph={info.name.slice(0, 2)} family={(info.system ?? "").split(" ")[0]?.toLowerCase() || "none"} />
        <div className="grow">
          <h3 className="h1 import-wrap">{info.name}</h3>
          <div className="t2">{t("import.kind.backup")}</div>
        </div>
        {leaveOut}
      </div>
      {item.failure ? (
        <ErrorCard
          title={t("import.failedTitle", { file: item.file })}
          safety={t("import.failedSafe")}
          error={item.failure}
          onCopy={(text) => void platform.copyText(text)}
        />
      ) : null}
      <p className="t2">{t("import.backupLead")}</p>
      <BackupFacts info={info} />
      <TextField
        label={t("newvm.name")}
        value={item.name}
        onChange={onName}
        maxLength={240}
        error={problem ? t(`newvm.name.${problem}`) : undefined}
      />
    </div>
  );
}

function MachineForm({ item, problem, onChoose }: Pick<ReadyProps, "item" | "problem" | "onChoose">) {
  const { choice } = item;
  const host = useDoctor().data?.host;
  const usage = useHostUsage().data?.host;
  const limits = limitsOf(host, usage, item.plan);
  return (
    <section className="import-machine" aria-label={t("import.machine")}>
      <h4 className="sec">{t("import.machine")}</h4>
      <div className="import-two">
        <TextField
          label={t("newvm.name")}
          value={choice.name}
          onChange={(name) => onChoose({ name })}
          error={problem ? t(`newvm.name.${problem}`) : undefined}
        />
        <div>
          <span className="label">{t("newvm.start")}</span>
          <div className="row import-switch">
            <Switch label={t("newvm.start")} checked={choice.start} onChange={(start) => onChoose({ start })} />
            <span className="t2">{t(choice.start ? "common.yes" : "common.no")}</span>
          </div>
        </div>
        <Sizes sizes={choice} limits={limits} fixedDisk={!isIso(item)} onChange={onChoose} />
      </div>
    </section>
  );
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <div>
      <dt className="t3">{term}</dt>
      <dd className="medium import-wrap">{children}</dd>
    </div>
  );
}

function SpeedPill({ arch }: { arch: Arch }) {
  const speed = speedOf(useDoctor().data, arch);
  if (!speed) return null;
  if (!speed.report) {
    return (
      <span className="pill bad">
        <Icon icon={TriangleAlert} size={12} />
        {t("import.cantRun")}
      </span>
    );
  }
  return (
    <span className={speed.native ? "pill ok" : "pill warn"}>
      <Icon icon={speed.native ? Zap : Snail} size={12} />
      {speed.native
        ? t("import.native")
        : speed.slowdown
          ? t("import.emulatedTimes", { times: timesText(speed.slowdown) })
          : t("import.emulated")}
    </span>
  );
}
