import { Amount } from "../../components";
import { formatBytes, GIB, splitBytes } from "../../data";
import { t } from "../../i18n";
import type { Limits } from "./draft";

/** How much of this computer a new machine gets: cores, and memory and disk in GB. */
interface Sizes {
  cpus: number;
  memory: number;
  disk: number;
}

interface Props {
  sizes: Sizes;
  limits: Limits;
  /** The disk is as it comes: only cores and memory are asked for. */
  fixedDisk?: boolean;
  onChange: (part: Partial<Sizes>) => void;
}

const inGb = (value: number): string => formatBytes(value * GIB);
/** What is free, on the slider: where its hatch begins and what it says. */
const free = (value: number | null, words: "newvm.memory.free" | "newvm.disk.free") =>
  value === null ? {} : { busyFrom: value, busyText: t(words, { size: inGb(value) }) };

/** The sliders of a machine that is to be made, from a template or a file. */
export function Sizes({ sizes, limits, fixedDisk = false, onChange }: Props) {
  const { cpus, memory, disk } = sizes;
  const cores = t("newvm.processors.unit", { count: limits.cpus.max });
  const memoryParts = splitBytes(memory * GIB);
  const diskParts = splitBytes(disk * GIB);
  const beyond = limits.memory.free !== null && memory > limits.memory.free;
  return (
    <>
      <Amount
        label={t("newvm.processors")}
        shown={cpus}
        unit={cores}
        value={cpus}
        {...limits.cpus}
        valueText={`${cpus} ${cores}`}
        onChange={(value) => onChange({ cpus: value })}
        minText={String(limits.cpus.min)}
        maxText={String(limits.cpus.max)}
      />
      <Amount
        label={t("newvm.memory")}
        shown={memoryParts.value}
        unit={memoryParts.unit}
        value={memory}
        min={limits.memory.min}
        max={limits.memory.max}
        step={0.5}
        valueText={inGb(memory)}
        onChange={(value) => onChange({ memory: value })}
        {...free(limits.memory.free, "newvm.memory.free")}
        minText={inGb(limits.memory.min)}
        maxText={inGb(limits.memory.max)}
        describedBy={beyond ? "newvm-memory-note" : undefined}
      >
        {beyond ? (
          <p className="hint warn-text" id="newvm-memory-note">
            {t("newvm.memory.beyond", { free: inGb(limits.memory.free ?? 0) })}
          </p>
        ) : null}
      </Amount>
      {fixedDisk ? null : (
        <Amount
          label={t("newvm.disk")}
          shown={diskParts.value}
          unit={t("newvm.disk.unit", { unit: diskParts.unit })}
          value={disk}
          min={limits.disk.min}
          max={limits.disk.max}
          valueText={inGb(disk)}
          onChange={(value) => onChange({ disk: value })}
          {...free(limits.disk.free, "newvm.disk.free")}
          minText={inGb(limits.disk.min)}
          maxText={inGb(limits.disk.max)}
        />
      )}
    </>
  );
}
