import type { ComponentProps, ReactNode } from "react";
import { Slider } from "./slider";

interface Props extends ComponentProps<typeof Slider> {
  /** The number, without its unit. */
  shown: ReactNode;
  /** Its unit, and of how many. */
  unit: ReactNode;
  /** Under the slider: a warning about the value. */
  children?: ReactNode;
}

/** An amount of something: its name, the number, the slider that sets it. */
export function Amount({ shown, unit, children, ...slider }: Props) {
  return (
    <div>
      <div className="label">
        <span>{slider.label}</span>
        <span className="num">
          <b className="semi">{shown}</b> <span className="t3">{unit}</span>
        </span>
      </div>
      <Slider {...slider} />
      {children}
    </div>
  );
}
