import { Copy } from "lucide-react";
import { type RefObject, useEffect, useState } from "react";
import { IconButton } from "../../components";
import { formatNumber, formatPercent, formatRate } from "../../data";
import { t } from "../../i18n";
import type { DisplaySession } from "./session";
import type { DisplayNumbers } from "./stats";

/** Latency below which people call a screen smooth, milliseconds. */
const SMOOTH = 60;
const HISTORY = 60;

interface Props {
  session: RefObject<DisplaySession | null>;
  size: { width: number; height: number } | null;
  encoding: string | null;
  onCopy: (text: string) => void;
}

/** What the display does, measured once a second; readable as text. */
export function StatsPanel({ session, size, encoding, onCopy }: Props) {
  const [numbers, setNumbers] = useState<DisplayNumbers | null>(null);
  const [history, setHistory] = useState<number[]>([]);
  useEffect(() => {
    const sample = () => {
      const now = session.current?.numbers() ?? null;
      setNumbers(now);
      if (now) setHistory((old) => [...old, now.p50 ?? 0].slice(-HISTORY));
    };
    sample();
    const timer = setInterval(sample, 1_000);
    return () => clearInterval(timer);
  }, [session]);

  const ms = (value: number | null | undefined): string =>
    value === null || value === undefined ? t("common.none") : t("display.stats.ms", { value: formatNumber(value, 0) });
  const rows: [string, string][] = [
    [t("display.stats.frames"), t("display.stats.framesValue", { count: formatNumber(numbers?.fps ?? 0, 0) })],
    [t("display.stats.p50"), ms(numbers?.p50)],
    [t("display.stats.p95"), ms(numbers?.p95)],
    [t("display.stats.worst"), ms(numbers?.worst)],
    [t("display.stats.bandwidth"), formatRate(numbers?.bytesPerSecond ?? 0)],
    [t("display.stats.area"), formatPercent(numbers?.changedArea ?? 0)],
    [t("display.stats.dropped"), formatNumber(numbers?.dropped ?? 0, 0)],
    [
      t("display.stats.size"),
      size ? t("display.stats.sizeValue", { width: String(size.width), height: String(size.height) }) : t("common.none"),
    ],
    // The socket itself carries plain RGBA; a service that knows how the guest's picture reached it says so.
    [t("display.stats.encoding"), encoding ?? t("display.stats.rgba")],
  ];
  const verdict =
    !numbers || numbers.fps === 0 ? "still" : numbers.p95 !== null && numbers.p95 > SMOOTH ? "behind" : "smooth";
  return (
    <section className="display-stats" aria-label={t("display.statistics")}>
      <div className="row display-stats-head">
        <span className="semi grow">{t("display.stats.title")}</span>
        <span className={`t11 ${verdict}`}>{t(`display.stats.${verdict}`)}</span>
        <IconButton
          icon={Copy}
          iconSize={12}
          small
          label={t("display.stats.copy")}
          onPress={() => onCopy(rows.map((row) => row.join(": ")).join("\n"))}
        />
      </div>
      <dl className="mono selectable">
        {rows.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd className="num">{value}</dd>
          </div>
        ))}
      </dl>
      <Chart values={history} />
    </section>
  );
}

function Chart({ values }: { values: number[] }) {
  const top = Math.max(20, ...values);
  const points = values.map(
    (value, index) => `${((HISTORY - values.length + index) / (HISTORY - 1)) * 200},${32 - (value / top) * 30}`,
  );
  return (
    <svg
      className="display-chart"
      viewBox="0 0 200 32"
      preserveAspectRatio="none"
      role="img"
      aria-label={t("display.stats.latencyChart")}
    >
      {points.length > 1 ? <polyline points={points.join(" ")} vectorEffect="non-scaling-stroke" /> : null}
    </svg>
  );
}
