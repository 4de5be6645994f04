import { Check, type LucideIcon } from "lucide-react";
import { type ReactElement, useRef } from "react";
import { Menu as AriaMenu, MenuItem, MenuSection, MenuTrigger, Popover, Separator, Text } from "react-aria-components";
import { Icon } from "./icon";
import "./menu.css";

export interface MenuEntry {
  id: string;
  label: string;
  icon?: LucideIcon;
  shortcut?: string | undefined;
  danger?: boolean;
  /** What it does, in small text under the label. */
  detail?: string | undefined;
  /** Why it can't be used now: shown under the label. */
  reason?: string | undefined;
  /** Draws a line above. */
  separated?: boolean;
  /** On or off: the entry is a check box of the menu. */
  checked?: boolean;
  onSelect: () => void;
}

interface Props {
  /** Name of the menu. */
  label: string;
  trigger: ReactElement;
  items: MenuEntry[];
  placement?: "bottom start" | "bottom end" | "top start" | "top end";
  /** For a menu that something else than its button opens, too. */
  isOpen?: boolean;
  onOpenChange?: (open: boolean) => void;
}

function Entry({ item }: { item: MenuEntry }) {
  const below = item.reason ?? item.detail;
  return (
    <MenuItem
      id={item.id}
      className={item.danger ? "menu-item danger" : "menu-item"}
      textValue={item.label}
      aria-label={item.label}
      onAction={item.onSelect}
      shouldCloseOnSelect
    >
      {item.icon ? <Icon icon={item.icon} size={14} /> : <span className="menu-gap" />}
      <span className="grow">
        {item.label}
        {below ? (
          <Text slot="description" className="menu-reason">
            {below}
          </Text>
        ) : null}
      </span>
      {item.checked ? <Icon icon={Check} size={14} /> : null}
      {item.shortcut ? <span className="menu-key">{item.shortcut}</span> : null}
    </MenuItem>
  );
}

function Entries({ label, items }: { label: string; items: MenuEntry[] }) {
  return (
    <AriaMenu aria-label={label} className="menu" disabledKeys={items.filter((i) => i.reason).map((i) => i.id)}>
      {items.flatMap((item) => [
        ...(item.separated ? [<Separator key={`${item.id}-line`} className="menu-line" />] : []),
        item.checked === undefined ? (
          <Entry key={item.id} item={item} />
        ) : (
          <MenuSection
            key={item.id}
            aria-label={item.label}
            selectionMode="multiple"
            selectedKeys={item.checked ? [item.id] : []}
          >
            <Entry item={item} />
          </MenuSection>
        ),
      ])}
    </AriaMenu>
  );
}

interface ContextMenuProps {
  label: string;
  items: MenuEntry[];
  /** What was asked about: the menu opens at it. */
  target: Element;
  onClose: () => void;
}

/** A menu that a right click or the menu key opened. */
export function ContextMenu({ label, items, target, onClose }: ContextMenuProps) {
  const place = useRef(target);
  const choose = (item: MenuEntry) => {
    onClose();
    item.onSelect();
  };
  return (
    <Popover
      className="popover"
      triggerRef={place}
      placement="bottom start"
      isOpen
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Entries label={label} items={items.map((item) => ({ ...item, onSelect: () => choose(item) }))} />
    </Popover>
  );
}

/** A menu button: `trigger` must be a Button or IconButton. */
export function Menu({ label, trigger, items, placement = "bottom end", isOpen, onOpenChange }: Props) {
  return (
    <MenuTrigger {...(isOpen === undefined ? {} : { isOpen })} {...(onOpenChange ? { onOpenChange } : {})}>
      {trigger}
      <Popover className="popover" placement={placement} offset={6}>
        <Entries label={label} items={items} />
      </Popover>
    </MenuTrigger>
  );
}
