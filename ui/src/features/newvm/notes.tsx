import { CircleCheck, Info, ShieldCheck, Snail } from "lucide-react";
import type { ReactNode } from "react";
import { Note } from "../../components";
import { formatBytes, speedOf } from "../../data";
import type { DoctorReport } from "../../data";
import { rich, t } from "../../i18n";
import { archName, asArch, type Card, type CardArch, hostOf } from "./gallery";
import { timesText } from "./GalleryStep";

const strong = (chunks: ReactNode[]) => <b className="medium newvm-strong">{chunks}</b>;

interface SpeedNoteProps {
  card: Card;
  arch: CardArch;
  report: DoctorReport | undefined;
  onUseArch: (key: string) => void;
  onOpenDoctor: () => void;
}

/** How much slower an emulated machine is here: as measured, or not said; and the way out. Nothing when native. */
export function SpeedNote({ card, arch, report, onUseArch, onOpenDoctor }: SpeedNoteProps) {
  const speed = speedOf(report, arch.arch);
  if (!report || !speed?.report || speed.native) return null;
  const host = asArch(report.host.arch);
  const ofHost = card.arches.find((entry) => entry.arch === host);
  const hostIsFast = host !== undefined && (speedOf(report, host)?.native ?? false);
  const times = speed.slowdown ? timesText(speed.slowdown) : null;
  const values = { b: strong, host: archName(report.host.arch), arch: archName(arch.arch), times: times ?? "" };
  const foreign = host !== arch.arch;
  return (
    <Note tone="warn" icon={Snail}>
      <span className="t2">
        {foreign
          ? rich(times ? "newvm.slow.times" : "newvm.slow.unmeasured", values)
          : rich(times ? "newvm.slow.noAcceleration" : "newvm.slow.noAccelerationUnmeasured", values)}
      </span>{" "}
      {foreign && ofHost && hostIsFast ? (
        <button type="button" className="link" onClick={() => onUseArch(ofHost.key)}>
          {t("newvm.slow.useInstead", { arch: archName(ofHost.arch) })}
        </button>
      ) : !foreign ? (
        <button type="button" className="link" onClick={onOpenDoctor}>
          {t("newvm.slow.why")}
        </button>
      ) : null}
    </Note>
  );
}

/** Where the download comes from and the strongest check there is for it. */
export function VerifiedNote({ arch }: { arch: CardArch }) {
  const { source } = arch;
  if (source.cached) {
    return (
      <Note tone="ok" icon={CircleCheck}>
        <span className="t2">{t("newvm.verified.cached")}</span>
      </Note>
    );
  }
  const host = hostOf(source.url);
  const size = source.size ? formatBytes(source.size) : null;
  const text =
    source.verified_by === "none"
      ? t("newvm.verified.none", { host })
      : size
        ? t(`newvm.verified.${source.verified_by}`, { host, size })
        : t(`newvm.verified.${source.verified_by}NoSize`, { host });
  return (
    <Note icon={source.verified_by === "gpg" ? ShieldCheck : Info}>
      <span className="t2 newvm-wrap">{text}</span>
    </Note>
  );
}
