/** Samples across the width: one a second for a minute. */
export const SAMPLES = 60;
const WIDTH = 200;
const HEIGHT = 40;

/** The line and the area under it; young series start at the right. Pure, so that it can be tested. */
export function sparkPaths(values: (number | null)[], max: number): { line: string; area: string } {
  const top = max > 0 ? max : 1;
  const step = WIDTH / (SAMPLES - 1);
  const start = SAMPLES - values.length;
  const points = values.flatMap((value, index) => {
    if (value === null) return [];
    const y = HEIGHT - 2 - (Math.min(value, top) / top) * (HEIGHT - 6);
    return [{ x: ((start + index) * step).toFixed(1), y: y.toFixed(1) }];
  });
  const [first] = points;
  const last = points[points.length - 1];
  if (!first || !last) return { line: "", area: "" };
  const line = `M${points.map(({ x, y }) => `${x} ${y}`).join("L")}`;
  return { line, area: `${line}L${last.x} ${HEIGHT}L${first.x} ${HEIGHT}Z` };
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
      style={{ color: `var(${color})` }}
    >
      <path d={area} fill="currentColor" opacity="0.13" />
      <path d={line} fill="none" stroke="currentColor" strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
