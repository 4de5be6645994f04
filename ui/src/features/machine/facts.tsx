import { Copy, Snail, Zap } from "lucide-react";
import { type ReactNode } from "react";
import { navigate } from "../../app/navigation";
import { Clamped, errorText, Icon, IconButton, toast } from "../../components";
import { formatBytes, formatBytesOf, formatNumber, type Machine, speedOf, useDoctor, useSnapshots, useTidy } from "../../data";
import { formatList, t } from "../../i18n";
import { isActive } from "../library/tree-model";
import { copyText } from "./use-actions";

interface FactProps {
  name: string;
  children: ReactNode;
  note?: string | null | undefined;
  /** Its parts may stand below each other. */
  wraps?: boolean;
}

function Fact({ name, children, note, wraps }: FactProps) {
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd>
        <span className={wraps ? "fact-value wraps" : "fact-value"}>{children}</span>
        {note ? (
          <span className="fact-note" title={note}>
            {note}
          </span>
        ) : null}
      </dd>
    </div>
  );
}

/** Native or emulated: what runs it now, or what would. Slow-downs are measured here or not said. */
function SpeedFact({ machine }: { machine: Machine }) {
  const { data: report } = useDoctor();
  const predicted = speedOf(report, machine.arch);
  const running = machine.accelerator;
  const native = running ? running !== "tcg" : predicted?.native;
  const measured = report?.accelerators.find((one) => one.name === "tcg" && one.arch === machine.arch)?.slowdown;
  const reason = running ? machine.accelerator_reason : predicted?.report?.reason;
  if (native === undefined) {
    return (
      <Fact name={t("facts.speed")}>
        <span className="t3">{t("facts.unknown")}</span>
      </Fact>
    );
  }
  const accelerator = (running ?? predicted?.report?.name)?.toUpperCase();
  return (
    <Fact name={t("facts.speed")} note={reason}>
      <span className={native ? "ok-text fact-icon" : "warn-text fact-icon"}>
        <Icon icon={native ? Zap : Snail} size={14} />
      </span>
      {native
        ? t("facts.native", { accelerator: accelerator ?? "" })
        : measured
          ? t("facts.emulatedMeasured", { times: formatNumber(measured, 0) })
          : t("facts.emulated")}
    </Fact>
  );
}

function AddressFact({ machine }: { machine: Machine }) {
  const address = machine.nics.find((nic) => nic.address)?.address;
  return (
    <Fact name={t("facts.address")}>
      {address ? (
        <>
          <span className="mono trunc">{address}</span>
          <IconButton
            icon={Copy}
            iconSize={12}
            small
            label={t("facts.copyAddress")}
            onPress={() => copyText(address, t("facts.address"))}
          />
        </>
      ) : (
        <span className="t3">{t(isActive(machine) ? "facts.noAddress" : "facts.addressOff")}</span>
      )}
    </Fact>
  );
}

/** So many images in a chain are worth a word. */
const LONG_CHAIN = 15;

/** What ties the machine to others, and how long its disks have become: only where there is something to say. */
function TimelineFacts({ machine }: { machine: Machine }) {
  const { origin, needed_by: neededBy } = machine;
  const depth = useSnapshots(machine.id).data?.depth ?? 0;
  const tidy = useTidy();
  const start = () =>
    tidy.mutate(machine.id, {
      onSuccess: () => toast({ title: t("facts.tidying", { name: machine.name }), tone: "info", key: `tidy:${machine.id}` }),
      onError: (error) =>
        toast({ title: t("facts.notTidied", { name: machine.name }), detail: errorText(error).message, tone: "error" }),
    });
  return (
    <>
      {origin?.linked ? (
        <Fact name={t("facts.origin")} note={t("facts.originAt", { snapshot: origin.snapshot_name })}>
          <span className="trunc">{origin.machine_name}</span>
        </Fact>
      ) : null}
      {neededBy.length > 0 ? (
        <Fact name={t("facts.neededBy")} note={t("facts.neededByNote")}>
          <Clamped text={formatList(neededBy)} lines={2} />
        </Fact>
      ) : null}
      {depth > LONG_CHAIN ? (
        <Fact name={t("facts.chain")} note={t("facts.chainNote")}>
          <span className="num">{t("facts.chainValue", { count: depth })}</span>
          <button type="button" className="link" onClick={start}>
            {t("facts.tidy")}
          </button>
        </Fact>
      ) : null}
    </>
  );
}

/** Eight facts, and a few more where they matter. */
export function Facts({ machine }: { machine: Machine }) {
  const disk = machine.disks[0];
  const used = machine.disks.reduce((sum, one) => sum + one.used, 0);
  const capacity = machine.disks.reduce((sum, one) => sum + one.capacity, 0);
  const space = formatBytesOf(used, capacity);
  const nic = machine.nics[0];
  const [width, height] = machine.resolution;
  return (
    <section className="wide" aria-label={t("facts.title")}>
      <dl className="facts">
        <Fact name={t("facts.system")} note={t("facts.arch", { arch: machine.arch })}>
          <span className="trunc">{machine.system ?? t("facts.unknown")}</span>
        </Fact>
        <AddressFact machine={machine} />
        <SpeedFact machine={machine} />
        <Fact name={t("facts.hardware")}>
          {t("facts.hardwareValue", { cores: machine.cpus, memory: formatBytes(machine.memory) })}
        </Fact>
        <Fact name={t("facts.disk")} wraps>
          {disk ? (
            <span className="num">{t("common.of", { value: space.done, total: space.total })}</span>
          ) : (
            <span className="t3">{t("facts.noDisk")}</span>
          )}
          <button type="button" className="link" onClick={() => navigate({ page: "disks", machine: machine.id })}>
            {t("facts.showDisks")}
          </button>
        </Fact>
        <Fact name={t("facts.network")}>
          {nic ? (
            <span className="trunc">
              {nic.network === "default" ? t("facts.networkShared") : nic.network}
              {nic.link === "down" ? <span className="t3"> {t("facts.unplugged")}</span> : null}
            </span>
          ) : (
            <span className="t3">{t("facts.noNetwork")}</span>
          )}
        </Fact>
        <Fact name={t("facts.display")}>
          <span className="num">{t("facts.resolution", { width: String(width), height: String(height) })}</span>
        </Fact>
        <Fact name={t("facts.firmware")}>{t(machine.firmware === "uefi" ? "facts.uefi" : "facts.bios")}</Fact>
        <TimelineFacts machine={machine} />
      </dl>
    </section>
  );
}
