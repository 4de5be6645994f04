import { Plus, X } from "lucide-react";
import { type SubmitEvent, useRef, useState } from "react";
import { Button, Icon, Sheet, TextField } from "../../components";
import { type Machine, useMachines } from "../../data";
import { t } from "../../i18n";
import { allTags } from "../library/tree-model";
import "./tags.css";
import { useMachineActions } from "./use-actions";

interface Props {
  machine: Machine;
  onClose: () => void;
}

const same = (a: string, b: string): boolean => a.toLocaleLowerCase() === b.toLocaleLowerCase();

/** Tags of a machine: saved with each change, undone by the toast. */
export function TagsSheet({ machine, onClose }: Props) {
  const { data: machines = [] } = useMachines();
  const actions = useMachineActions();
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const others = allTags(machines).filter((tag) => !machine.tags.some((mine) => same(mine, tag)));
  const add = (tag: string) => {
    const wanted = tag.trim();
    if (wanted && !machine.tags.some((mine) => same(mine, wanted))) actions.setTags(machine, [...machine.tags, wanted]);
    setText("");
    field.current?.focus();
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!text.includes(",")) add(text);
  };
  const title = t("tags.title", { name: machine.name });
  return (
    <Sheet
      label={title}
      title={title}
      onClose={onClose}
      width={480}
      footer={
        <>
          <span className="grow" />
          <Button size="lg" variant="primary" onPress={onClose}>
            {t("common.done")}
          </Button>
        </>
      }
    >
      <div className="sheet-body tags-body">
        {machine.tags.length === 0 ? (
          <p className="t3">{t("tags.none")}</p>
        ) : (
          <ul className="tag-list" aria-label={t("tags.list")}>
            {machine.tags.map((tag) => (
              <li key={tag} className="tag-item">
                {tag}
                <button
                  type="button"
                  aria-label={t("tags.remove", { tag })}
                  onClick={() => {
                    actions.setTags(
                      machine,
                      machine.tags.filter((mine) => mine !== tag),
                    );
                    field.current?.focus();
                  }}
                >
                  <Icon icon={X} size={12} />
                </button>
              </li>
            ))}
          </ul>
        )}
        <form className="tag-form" onSubmit={submit}>
          <TextField
            ref={field}
            label={t("tags.new")}
            value={text}
            maxLength={120}
            onChange={setText}
            hint={t("tags.hint")}
            error={text.includes(",") ? t("tags.comma") : undefined}
          />
          <Button size="lg" icon={Plus} type="submit">
            {t("tags.add")}
          </Button>
        </form>
        {others.length > 0 ? (
          <section aria-label={t("tags.suggestions")}>
            <h3 className="sec">{t("tags.suggestions")}</h3>
            <div className="tag-list">
              {others.map((tag) => (
                <button
                  key={tag}
                  type="button"
                  className="tag-item suggestion"
                  aria-label={t("tags.addNamed", { tag })}
                  onClick={() => add(tag)}
                >
                  <Icon icon={Plus} size={12} />
                  {tag}
                </button>
              ))}
            </div>
          </section>
        ) : null}
      </div>
    </Sheet>
  );
}
