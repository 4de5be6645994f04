import { Check, Disc3, Minus, Pencil, Snail, TriangleAlert, Zap } from "lucide-react";
import type { ReactNode } from "react";
import { Button, ErrorCard, Icon, Note, Ring, Select, Switch, TextField, Tile } from "../../components";
import { formatBytes, speedOf, useClient, useDoctor, useHostUsage } from "../../data";
import type { Arch, ImportItem } from "../../data";
import { t } from "../../i18n";
import { limitsOf, type NameProblem } from "../newvm/draft";
import { archName } from "../newvm/gallery";
import { timesText } from "../newvm/GalleryStep";
import { Sizes } from "../newvm/Sizes";
import { ActionRadios } from "./ActionRadios";
import { type Choice, isIso, type Item, type ReadyItem } from "./items";

const ARCHES: Arch[] = ["x86_64", "aarch64", "riscv64", "i386", "arm", "ppc64", "s390x"];

interface Props {
  item: Item;
  problem: NameProblem | null;
  onChoose: (choice: Partial<Choice>) => void;
  onArch: (arch: Arch) => void;
  onLeaveOut: () => void;
}

/** One file: what it is, what becomes of it, and the machine it makes. */
export function ItemDetail({ item, problem, onChoose, onArch, onLeaveOut }: Props) {
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
  return <Ready item={item} problem={problem} onChoose={onChoose} onArch={onArch} leaveOut={leaveOut} />;
}

interface ReadyProps extends Omit<Props, "item" | "onLeaveOut"> {
  item: ReadyItem;
  leaveOut: ReactNode;
}

function Ready({ item, problem, onChoose, onArch, leaveOut }: ReadyProps) {
  const { platform } = useClient();
  const { plan, choice } = item;
  const iso = isIso(item);
  const usage = useHostUsage();
  const host = useDoctor().data?.host;
  const free = usage.data?.host.disk_free ?? host?.disk_free;
  return (
    <div className="import-detail">
      <div className="row import-head">
        <Tile glyph={plan.glyph} family={(plan.system ?? "").split(" ")[0]?.toLowerCase() || "none"} />
        <div className="grow">
          <h3 className="h1 import-wrap">{plan.system ?? item.file}</h3>
          <div className="t2">
            {iso
              ? t("import.head.iso", { description: t("import.kind.iso"), size: formatBytes(plan.size) })
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
            {plan.partitions.length > 0 ? (
              <Fact term={t("import.partitions")}>{plan.partitions.join(", ")}</Fact>
            ) : null}
          </dl>
        </section>
        {plan.items.length > 0 ? (
          <section>
            <h4 className="sec">{t("import.kept")}</h4>
            <ul className="import-fates">
              {plan.items.map((line) => (
                <FateRow key={line.what} line={line} />
              ))}
            </ul>
          </section>
        ) : null}
      </div>
      {plan.warnings.map((warning) => (
        <Note tone="warn" key={warning}>
          {warning}
        </Note>
      ))}
      {iso ? (
        <Note icon={Disc3}>
          <span className="t2">{t("import.isoNote")}</span>
        </Note>
      ) : (
        <div>
          <div className="sec import-title">{t("import.action")}</div>
          <ActionRadios
            value={choice.action}
            onChange={(action) => onChoose({ action })}
            needs={plan.needs}
            free={free}
          />
        </div>
      )}
      <MachineForm item={item} problem={problem} onChoose={onChoose} />
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

const FATES = {
  kept: { icon: Check, className: "ok-text" },
  changed: { icon: Pencil, className: "t2" },
  dropped: { icon: Minus, className: "t2" },
};

function FateRow({ line }: { line: ImportItem }) {
  const fate = FATES[line.fate];
  return (
    <li className={line.fate === "dropped" ? "row t2" : "row"}>
      <Icon icon={fate.icon} size={14} className={fate.className} />
      <span className="import-wrap">
        <span className="vh">{t(`import.fate.${line.fate}`)}: </span>
        {line.what}
        {line.why ? <span className="t3 t12 import-why">{line.why}</span> : null}
      </span>
    </li>
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
