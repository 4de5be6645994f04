import type { LucideIcon } from "lucide-react";
import type { ReactNode, Ref } from "react";
import { Button as AriaButton, type ButtonProps as AriaButtonProps, ToggleButton } from "react-aria-components";
import "./button.css";
import { Icon } from "./icon";
import { Tip } from "./tooltip";

type Variant = "default" | "primary" | "quiet" | "danger" | "danger-primary" | "glass";
type Size = "sm" | "md" | "lg" | "xl";

export interface ButtonProps extends Omit<AriaButtonProps, "children" | "className" | "isDisabled"> {
  variant?: Variant;
  size?: Size;
  icon?: LucideIcon;
  trailing?: ReactNode;
  children: ReactNode;
  className?: string;
  /** Can't be used now. It stays focusable; say why in text beside it and point `aria-describedby` at that. */
  unavailable?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

/** A text button. The accessible name is its text unless `aria-label` says otherwise. */
export function Button(props: ButtonProps) {
  const { variant = "default", size = "md", icon, trailing, children, className, unavailable, onPress, ...rest } = props;
  return (
    <AriaButton
      {...rest}
      {...(unavailable ? { "aria-disabled": true } : onPress ? { onPress } : {})}
      className={["btn", variant, size, unavailable ? "unavailable" : "", className ?? ""].filter(Boolean).join(" ")}
    >
      {icon ? <Icon icon={icon} size={14} /> : null}
      {children}
      {trailing}
    </AriaButton>
  );
}

export interface IconButtonProps extends Omit<AriaButtonProps, "children" | "className"> {
  icon: LucideIcon;
  /** Name and tooltip. */
  label: string;
  /** Shown in the tooltip: `Ctrl E`. */
  shortcut?: string | undefined;
  iconSize?: 12 | 14 | 16 | 20;
  small?: boolean;
  className?: string;
  children?: ReactNode;
  ref?: Ref<HTMLButtonElement>;
}

/** A square button with an icon; its tooltip says the name and the shortcut. */
export function IconButton(props: IconButtonProps) {
  const { icon, label, shortcut, iconSize = 16, small, className, children, ...rest } = props;
  return (
    <Tip text={label} shortcut={shortcut}>
      <AriaButton
        {...rest}
        aria-label={label}
        className={["ib", small ? "small" : "", className ?? ""].filter(Boolean).join(" ")}
      >
        <Icon icon={icon} size={iconSize} />
        {children}
      </AriaButton>
    </Tip>
  );
}

interface IconToggleProps {
  icon: LucideIcon;
  label: string;
  shortcut?: string | undefined;
  pressed: boolean;
  onChange: (pressed: boolean) => void;
  className?: string;
}

/** An icon button that stays pressed (`aria-pressed`). */
export function IconToggle({ icon, label, shortcut, pressed, onChange, className }: IconToggleProps) {
  return (
    <Tip text={label} shortcut={shortcut}>
      <ToggleButton
        aria-label={label}
        isSelected={pressed}
        onChange={onChange}
        className={["ib", className ?? ""].filter(Boolean).join(" ")}
      >
        <Icon icon={icon} />
      </ToggleButton>
    </Tip>
  );
}
