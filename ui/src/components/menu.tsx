import type { LucideIcon } from "lucide-react";
import type { ReactElement } from "react";
import { Menu as AriaMenu, MenuItem, MenuTrigger, Popover, Separator } from "react-aria-components";
import { Icon } from "./icon";
import "./menu.css";

export interface MenuEntry {
  id: string;
  label: string;
  icon?: LucideIcon;
  shortcut?: string | undefined;
  danger?: boolean;
  /** Why it can't be used now: shown under the label. */
  reason?: string | undefined;
  /** Draws a line above. */
  separated?: boolean;
  checked?: boolean;
  onSelect: () => void;
}

interface Props {
  /** Name of the menu. */
  label: string;
  trigger: ReactElement;
  items: MenuEntry[];
  placement?: "bottom start" | "bottom end" | "top start" | "top end";
  onOpenChange?: (open: boolean) => void;
}

/** A menu button: `trigger` must be a Button or IconButton. */
export function Menu({ label, trigger, items, placement = "bottom end", onOpenChange }: Props) {
  return (
    <MenuTrigger {...(onOpenChange ? { onOpenChange } : {})}>
      {trigger}
      <Popover className="popover" placement={placement} offset={6}>
        <AriaMenu aria-label={label} className="menu" disabledKeys={items.filter((i) => i.reason).map((i) => i.id)}>
          {items.flatMap((item) => [
            ...(item.separated ? [<Separator key={`${item.id}-line`} className="menu-line" />] : []),
            <MenuItem
              key={item.id}
              id={item.id}
              className={item.danger ? "menu-item danger" : "menu-item"}
              textValue={item.label}
              aria-label={item.label}
              onAction={item.onSelect}
            >
              {item.icon ? <Icon icon={item.icon} size={14} /> : <span className="menu-gap" />}
              <span className="grow">
                {item.label}
                {item.reason ? <span className="menu-reason">{item.reason}</span> : null}
              </span>
              {item.shortcut ? <span className="menu-key">{item.shortcut}</span> : null}
            </MenuItem>,
          ])}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  );
}
