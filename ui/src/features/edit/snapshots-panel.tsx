import { useEffect, useState } from "react";
import { Select, SettingRow, Switch, TextField } from "../../components";
import { t } from "../../i18n";
import type { PanelProps } from "./edit-page";
import { readCount } from "./read-count";

/** Hours offered; 0 is never. */
const EVERY = [0, 1, 2, 4, 6, 12, 24, 168];

const everyWords = (hours: number): string =>
  hours === 0 ? t("edit.everyNever") : t("edit.everyHours", { hours });

function KeepRow({ edit }: PanelProps) {
  const { keep } = edit.machine.auto_snapshots;
  const [text, setText] = useState(String(keep));
  useEffect(() => setText(String(keep)), [keep]);
  const count = readCount(text);
  const save = () => {
    if (count !== null) edit.save("snapshots.keep", count, keep);
  };
  return (
    <SettingRow
      title={t("edit.keepLast")}
      detail={t("edit.keepLastDetail")}
      control={
        <div className="edit-number">
          <TextField
            label={t("edit.keepLast")}
            hideLabel
            type="number"
            min={1}
            max={1000}
            value={text}
            error={count === null ? t("edit.keepLastBad") : undefined}
            onChange={setText}
            onBlur={save}
            onKeyDown={(event) => {
              if (event.key === "Enter") save();
            }}
          />
        </div>
      }
    />
  );
}

/** When Nestbox takes snapshots by itself, and how many of them stay. Changes at any time. */
export function SnapshotsPanel({ edit }: PanelProps) {
  const { auto_snapshots: rules } = edit.machine;
  const hours = EVERY.includes(rules.every_hours) ? EVERY : [...EVERY, rules.every_hours].sort((a, b) => a - b);
  return (
    <>
      <SettingRow
        title={t("edit.beforeStart")}
        detail={t("edit.beforeStartDetail")}
        control={
          <Switch
            label={t("edit.beforeStart")}
            checked={rules.before_start}
            onChange={(on) => edit.save("snapshots.before-start", on, rules.before_start)}
          />
        }
      />
      <SettingRow
        title={t("edit.every")}
        detail={t("edit.everyDetail")}
        control={
          <Select
            label={t("edit.every")}
            value={String(rules.every_hours)}
            options={hours.map((value) => ({ value: String(value), label: everyWords(value) }))}
            onChange={(value) => edit.save("snapshots.every", Number(value), rules.every_hours)}
          />
        }
      />
      <KeepRow edit={edit} />
    </>
  );
}
