import type { CSSProperties } from "react";

/** Samples across the width: one a second for a minute. */
export const SAMPLES = 60;
const WIDTH = 200;
const HEIGHT = 40;

/** The line and the area under it; young series start at the right. Pure, so that it can be tested. */
export function sparkPaths(values: (number | null)[], max: number): { line: string; area: string } {
  const top = max > 0 ? max : 1;
  const step = WIDTH / (SAMPLES - 1);
  const start = SAMPLES - values.length;
  let line = "";
  let first: number | null = null;
  let last = 0;
  values.forEach((value, index) => {
    if (value === null) return;
    const x = (start + index) * step;
    const y = HEIGHT - 2 - (Math.min(value, top) / top) * (HEIGHT - 6);
    line += `${line ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    first ??= x;
    last = x;
  });
  if (first === null) return { line: "", area: "" };
  return { line, area: `${line}L${last.toFixed(1)} ${HEIGHT}L${(first as number).toFixed(1)} ${HEIGHT}Z` };
}

interface Props {
  /** Name of the picture: `Processor, last 60 seconds`. */
  label: string;
  values: (number | null)[];
  max: number;
  color: string;
}

export function Sparkline({ label, values, max, color }: Props) {
  const { line, area } = sparkPaths(values, max);
  return (
    <svg
      className="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
      style={{ color: `var(${color})` } as CSSProperties}
    >
      <path d={area} fill="currentColor" opacity="0.13" />
      <path d={line} fill="none" stroke="currentColor" strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
