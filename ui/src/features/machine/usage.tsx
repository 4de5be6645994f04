import { useMemo } from "react";
import { formatBytesOf, formatNumber, type Machine, splitBytes, type Usage, useStats } from "../../data";
import { t } from "../../i18n";
import { SAMPLES, Sparkline } from "./sparkline";

interface Sample {
  cpu: number;
  memory: number;
  disk: number;
  network: number | null;
}

/** The last minute of each machine; kept while the window is open, so that a look away loses nothing. */
const histories = new Map<string, { at: number; started: string | null; samples: Sample[] }>();

const sampleOf = (usage: Usage): Sample => ({
  cpu: usage.cpu,
  memory: usage.memory_resident,
  disk: usage.disk_read_bps + usage.disk_write_bps,
  network: usage.net_rx_bps === null || usage.net_tx_bps === null ? null : usage.net_rx_bps + usage.net_tx_bps,
});

/** Adds a sample taken at `at`; a new session or a long gap starts afresh. */
function record(machine: Machine, usage: Usage | undefined, at: number): Sample[] {
  const old = histories.get(machine.id);
  const fresh = old?.started !== machine.started_at || at - old.at > 10_000;
  const samples = fresh ? [] : (old?.samples ?? []);
  if (!usage || (!fresh && old?.at === at)) return samples;
  const next = [...samples, sampleOf(usage)].slice(-SAMPLES);
  histories.set(machine.id, { at, started: machine.started_at, samples: next });
  return next;
}

interface MetricProps {
  name: string;
  value: string;
  unit: string;
  label: string;
  values: (number | null)[];
  max: number;
  color: string;
}

function Metric({ name, value, unit, label, values, max, color }: MetricProps) {
  return (
    <div className="metric">
      <span className="metric-name">{name}</span>
      <span className="metric-value num">
        {value} <small>{unit}</small>
      </span>
      <Sparkline label={label} values={values} max={max} color={color} />
    </div>
  );
}

function MetricOff({ name }: { name: string }) {
  return (
    <div className="metric off">
      <span className="metric-name">{name}</span>
      <span className="metric-value t3">{t("common.none")}</span>
    </div>
  );
}

const KIB = 1024;

/** A rate's number and unit, never below kilobytes; the scale of its line is at least one mebibyte a second, so that idling is flat. */
function rateParts(rate: number): { value: string; unit: string } {
  const { value, unit } = rate < KIB ? { value: formatNumber(rate / KIB, 1), unit: splitBytes(KIB).unit } : splitBytes(rate);
  return { value, unit: t("usage.perSecond", { unit }) };
}

const LEAST_SCALE = 1_048_576;
const peak = (values: (number | null)[]): number => Math.max(LEAST_SCALE, ...values.map((value) => value ?? 0)) * 1.1;

const SECONDS = { seconds: SAMPLES };

/** Processor, memory, disk and network: a number that is measured now and the last minute. */
export function UsagePanel({ machine }: { machine: Machine }) {
  const active = machine.state === "running" || machine.state === "paused" || machine.state === "stopping";
  const { data, dataUpdatedAt } = useStats(machine.id, active);
  const usage = active ? data?.machines.find((one) => one.id === machine.id) : undefined;
  const samples = useMemo(() => record(machine, usage, dataUpdatedAt), [machine, usage, dataUpdatedAt]);
  const names = [t("usage.processor"), t("usage.memory"), t("usage.disk"), t("usage.network")] as const;
  if (!usage) {
    return (
      <section className="side" aria-label={t("usage.title")}>
        <div className="metrics">
          {names.map((name) => (
            <MetricOff key={name} name={name} />
          ))}
        </div>
      </section>
    );
  }
  const now = sampleOf(usage);
  const share = Math.min(100, (now.cpu / Math.max(1, machine.cpus)) * 100);
  const memory = formatBytesOf(now.memory, machine.memory);
  const disk = rateParts(now.disk);
  const network = now.network === null ? null : rateParts(now.network);
  const diskValues = samples.map((sample) => sample.disk);
  const networkValues = samples.map((sample) => sample.network);
  return (
    <section className="side" aria-label={t("usage.title")}>
      <div className="metrics">
        <Metric
          name={names[0]}
          value={formatNumber(share, 0)}
          unit={t("usage.ofCores", { cores: machine.cpus })}
          label={t("usage.processorLabel", SECONDS)}
          values={samples.map((sample) => sample.cpu)}
          max={machine.cpus}
          color="--s-cpu"
        />
        <Metric
          name={names[1]}
          value={memory.done}
          unit={t("usage.of", { total: memory.total })}
          label={t("usage.memoryLabel", SECONDS)}
          values={samples.map((sample) => sample.memory)}
          max={machine.memory}
          color="--s-mem"
        />
        <Metric
          name={names[2]}
          value={disk.value}
          unit={disk.unit}
          label={t("usage.diskLabel", SECONDS)}
          values={diskValues}
          max={peak(diskValues)}
          color="--s-disk"
        />
        {network ? (
          <Metric
            name={names[3]}
            value={network.value}
            unit={network.unit}
            label={t("usage.networkLabel", SECONDS)}
            values={networkValues}
            max={peak(networkValues)}
            color="--s-net"
          />
        ) : (
          <MetricOff name={names[3]} />
        )}
      </div>
    </section>
  );
}
