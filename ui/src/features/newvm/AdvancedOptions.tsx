import { useId } from "react";
import { Select, TextField } from "../../components";
import type { CreateRequest } from "../../data";
import { t } from "../../i18n";

/** The options few need, as text. */
export interface Advanced {
  firmware: "auto" | "uefi" | "bios";
  tags: string;
  keys: string;
  userData: string;
}

const parts = (text: string, separator: RegExp): string[] => [
  ...new Set(
    text
      .split(separator)
      .map((part) => part.trim())
      .filter(Boolean),
  ),
];

/** Adds what was filled in. */
export function withAdvanced(request: CreateRequest, advanced: Advanced | null): CreateRequest {
  if (!advanced) return request;
  const tags = parts(advanced.tags, /,/);
  const keys = parts(advanced.keys, /\r?\n/);
  return {
    ...request,
    ...(advanced.firmware === "auto" ? {} : { firmware: advanced.firmware }),
    ...(tags.length > 0 ? { tags } : {}),
    ...(keys.length > 0 ? { ssh_keys: keys } : {}),
    ...(advanced.userData.trim() ? { user_data: advanced.userData } : {}),
  };
}

interface Props {
  value: Advanced;
  onChange: (value: Advanced) => void;
  account: boolean;
}

export function AdvancedOptions({ value, onChange, account }: Props) {
  const set = (part: Partial<Advanced>) => onChange({ ...value, ...part });
  return (
    <section className="newvm-form newvm-advanced" aria-label={t("newvm.options")}>
      <div className="newvm-pair">
        <div>
          <span className="label">{t("newvm.firmware")}</span>
          <Select
            label={t("newvm.firmware")}
            value={value.firmware}
            className="newvm-select"
            options={(["auto", "uefi", "bios"] as const).map((option) => ({
              value: option,
              label: t(`newvm.firmware.${option}`),
            }))}
            onChange={(firmware) => set({ firmware })}
          />
        </div>
        <TextField label={t("newvm.tags")} value={value.tags} onChange={(tags) => set({ tags })} hint={t("newvm.tags.hint")} />
      </div>
      {account ? (
        <>
          <TextArea
            label={t("newvm.keys")}
            hint={t("newvm.keys.hint")}
            value={value.keys}
            onChange={(keys) => set({ keys })}
          />
          <TextArea
            label={t("newvm.userData")}
            hint={t("newvm.userData.hint")}
            value={value.userData}
            onChange={(userData) => set({ userData })}
          />
        </>
      ) : null}
    </section>
  );
}

function TextArea(props: { label: string; hint: string; value: string; onChange: (value: string) => void }) {
  const id = useId();
  return (
    <div>
      <label className="label" htmlFor={id}>
        {props.label}
      </label>
      <textarea
        id={id}
        className="field mono"
        rows={3}
        spellCheck={false}
        aria-describedby={`${id}-hint`}
        value={props.value}
        onChange={(event) => props.onChange(event.target.value)}
      />
      <p className="hint" id={`${id}-hint`}>
        {props.hint}
      </p>
    </div>
  );
}
