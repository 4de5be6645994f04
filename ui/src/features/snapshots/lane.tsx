import { NOW, type Segment } from "./lanes";

const COLORS = ["var(--accent)", "var(--brand)", "var(--saved)", "var(--s-disk)", "var(--s-net)"];
export const laneColor = (lane: number): string =>
  lane === 0 ? (COLORS[0] as string) : (COLORS[((lane - 1) % (COLORS.length - 1)) + 1] as string);

/** Middle of a lane and the width of all of them, in pixels; many lanes stand closer. */
function geometry(lanes: number): { x: (lane: number) => number; width: number } {
  const step = lanes <= 2 ? 18 : lanes === 3 ? 13 : Math.max(7, Math.floor(40 / lanes));
  const x = (lane: number) => 10 + lane * step;
  return { x, width: x(lanes - 1) + 12 };
}

interface Props {
  id: string;
  lane: number;
  lanes: number;
  lines: Segment[];
  height: number;
  /** Only the lines that go on below: under an open row. */
  through?: boolean;
}

/** The part of the tree left of one row. */
export function Lane({ id, lane, lanes, lines, height, through = false }: Props) {
  const { x, width } = geometry(lanes);
  const middle = height / 2;
  const shown = through ? lines.filter((line) => line.to === "bottom") : lines;
  return (
    <svg className="lane" width={width} height={height} viewBox={`0 0 ${width} ${height}`} fill="none" aria-hidden="true">
      {shown.map((line, index) => {
        const start = through || line.from === "top" ? 0 : middle;
        const end = through || line.to === "bottom" ? height : middle;
        const a = x(line.lane);
        const b = x(line.into);
        const path =
          a === b || through
            ? `M${a} ${start}V${end}`
            : `M${a} ${start}C${a} ${middle * 0.75} ${b} ${middle * 0.35} ${b} ${end}`;
        return (
          <path
            key={index}
            d={path}
            stroke={laneColor(line.lane)}
            strokeWidth="2"
            strokeLinecap="round"
            strokeDasharray={line.dashed ? "2 4" : undefined}
          />
        );
      })}
      {through ? null : id === NOW ? (
        <>
          <circle cx={x(lane)} cy={middle} r="8" fill="var(--accent-soft)" />
          <circle cx={x(lane)} cy={middle} r="4.5" fill="var(--accent)" />
        </>
      ) : (
        <circle
          cx={x(lane)}
          cy={middle}
          r="4.5"
          fill="var(--bg-sunken)"
          stroke={laneColor(lane)}
          strokeWidth="2"
        />
      )}
    </svg>
  );
}
