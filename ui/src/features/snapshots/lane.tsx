import { NOW, type Segment } from "./lanes";

const COLORS = ["var(--accent)", "var(--brand)", "var(--saved)", "var(--s-disk)", "var(--s-net)"];
export const laneColor = (lane: number): string =>
  lane === 0 ? (COLORS[0] as string) : (COLORS[((lane - 1) % (COLORS.length - 1)) + 1] as string);

/** Middle of a lane and the width of all of them, in pixels; many lanes stand closer. */
function geometry(lanes: number): { x: (lane: number) => number; width: number } {
  const step = lanes <= 2 ? 18 : lanes === 3 ? 13 : Math.max(5, Math.floor(36 / lanes));
  const x = (lane: number) => 10 + lane * step;
  return { x, width: x(lanes - 1) + 12 };
}

interface Props {
  id: string;
  lane: number;
  lanes: number;
  lines: Segment[];
  /** Height of the part with the point, in pixels; the row may be taller. */
  height: number;
}

/**
 * The part of the tree left of one row: above, the point and the bends at a fixed height; below, the lines that go
 * on, as long as the row is tall.
 */
export function Lane({ id, lane, lanes, lines, height }: Props) {
  const { x, width } = geometry(lanes);
  const middle = height / 2;
  const stroke = (line: Segment) => ({
    stroke: laneColor(line.lane),
    strokeWidth: 2,
    strokeLinecap: "round" as const,
    strokeDasharray: line.dashed ? "2 4" : undefined,
  });
  return (
    <span className="lane" style={{ width }} aria-hidden="true">
      <svg className="lane-head" width={width} height={height} viewBox={`0 0 ${width} ${height}`} fill="none">
        {lines.map((line, index) => {
          const start = line.from === "top" ? 0 : middle;
          const end = line.to === "bottom" ? height : middle;
          const a = x(line.lane);
          const b = x(line.into);
          const path =
            a === b ? `M${a} ${start}V${end}` : `M${a} ${start}C${a} ${middle * 0.75} ${b} ${middle * 0.35} ${b} ${end}`;
          return <path key={index} d={path} {...stroke(line)} />;
        })}
        {id === NOW ? (
          <>
            <circle cx={x(lane)} cy={middle} r="8" fill="var(--accent-soft)" />
            <circle cx={x(lane)} cy={middle} r="4.5" fill="var(--accent)" />
          </>
        ) : (
          <circle cx={x(lane)} cy={middle} r="4.5" fill="var(--bg-sunken)" stroke={laneColor(lane)} strokeWidth="2" />
        )}
      </svg>
      <svg
        className="lane-tail"
        style={{ top: height, height: `calc(100% - ${height}px)` }}
        width={width}
        viewBox={`0 0 ${width} 1`}
        preserveAspectRatio="none"
        fill="none"
      >
        {lines
          .filter((line) => line.to === "bottom")
          .map((line, index) => (
            <path key={index} d={`M${x(line.lane)} 0V1`} vectorEffect="non-scaling-stroke" {...stroke(line)} />
          ))}
      </svg>
    </span>
  );
}
