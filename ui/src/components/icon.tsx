import type { LucideIcon, LucideProps } from "lucide-react";

interface Props extends Omit<LucideProps, "ref"> {
  icon: LucideIcon;
  size?: 12 | 14 | 16 | 20 | 24 | 28 | 40;
  filled?: boolean;
}

const STROKE: Record<number, number> = { 12: 2, 14: 1.75, 16: 1.75, 20: 1.6, 24: 1.5, 28: 1.5, 40: 1.4 };

/** A decorative icon: the control it is in has the name. */
export function Icon({ icon: Glyph, size = 16, filled = false, ...rest }: Props) {
  return (
    <Glyph
      size={size}
      strokeWidth={STROKE[size] ?? 1.75}
      aria-hidden="true"
      focusable="false"
      fill={filled ? "currentColor" : "none"}
      style={{ flex: "none" }}
      {...rest}
    />
  );
}
