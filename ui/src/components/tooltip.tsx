import type { ReactElement } from "react";
import { Tooltip, TooltipTrigger } from "react-aria-components";
import "./tooltip.css";

interface Props {
  text: string;
  shortcut?: string | undefined;
  children: ReactElement;
}

/** What a control is called and its shortcut, on hover and keyboard focus. The first child must be pressable. */
export function Tip({ text, shortcut, children }: Props) {
  return (
    <TooltipTrigger delay={700} closeDelay={60}>
      {children}
      <Tooltip className="tooltip" offset={6} aria-hidden="true">
        {text}
        {shortcut ? <span className="tooltip-key">{shortcut}</span> : null}
      </Tooltip>
    </TooltipTrigger>
  );
}
