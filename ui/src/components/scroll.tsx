import type { ReactNode } from "react";

/** A scrolled page whose content may have nothing to focus: it takes the focus itself, so that keys scroll it. */
export function Scroll({ label, children }: { label: string; children: ReactNode }) {
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scroller without a tab stop can't be scrolled by keys
    <div className="scroll inset" role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
