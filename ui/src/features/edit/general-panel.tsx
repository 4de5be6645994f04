import { useEffect, useState } from "react";
import { openSheet } from "../../app/ui-state";
import { Button, SettingRow, TextField } from "../../components";
import type { ApiError } from "../../data";
import { formatList, t } from "../../i18n";
import type { PanelProps } from "./edit-page";

/** Typing pauses this long before notes are saved, in milliseconds. */
const PAUSE = 700;

function NameRow({ edit }: PanelProps) {
  const { machine, rename } = edit;
  const [name, setName] = useState(machine.name);
  const [error, setError] = useState<string>();
  useEffect(() => setName(machine.name), [machine.name]);
  const save = () => {
    const wanted = name.trim();
    if (!wanted) {
      setName(machine.name);
      return;
    }
    if (wanted !== machine.name) rename(wanted).catch((failure: ApiError) => setError(failure.message));
  };
  return (
    <SettingRow
      title={t("edit.name")}
      detail={t("edit.nameDetail")}
      control={
        <div className="edit-name">
          <TextField
            label={t("edit.name")}
            hideLabel
            value={name}
            maxLength={120}
            error={error}
            onChange={(value) => {
              setName(value);
              setError(undefined);
            }}
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

function NotesRow({ edit }: PanelProps) {
  const { machine, save } = edit;
  const [notes, setNotes] = useState(machine.notes);
  const [before, setBefore] = useState(machine.notes);
  useEffect(() => {
    if (notes === before) return;
    const timer = setTimeout(() => {
      save("notes", notes, before);
      setBefore(notes);
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [notes, before, save]);
  useEffect(() => {
    // Changed elsewhere (or undone) while nothing is being typed here.
    setNotes((mine) => (mine === before ? machine.notes : mine));
    setBefore(machine.notes);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [machine.notes]);
  return (
    <SettingRow
      stacked
      title={t("edit.notes")}
      detail={t("edit.notesDetail")}
      control={
        <textarea
          className="field"
          aria-label={t("edit.notes")}
          rows={6}
          maxLength={20_000}
          value={notes}
          onChange={(event) => setNotes(event.target.value)}
          onBlur={() => {
            save("notes", notes, before);
            setBefore(notes);
          }}
        />
      }
    />
  );
}

/** Name, tags and notes: these change at any time. */
export function GeneralPanel({ edit }: PanelProps) {
  const { machine } = edit;
  return (
    <>
      <NameRow edit={edit} />
      <SettingRow
        title={t("edit.tags")}
        detail={machine.tags.length > 0 ? formatList(machine.tags) : t("edit.tagsDetail")}
        control={
          <Button onPress={() => openSheet({ kind: "tags", machine: machine.id })}>{t("edit.editTags")}</Button>
        }
      />
      <NotesRow edit={edit} />
    </>
  );
}
