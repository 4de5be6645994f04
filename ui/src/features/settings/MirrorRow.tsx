import { X } from "lucide-react";
import { useState } from "react";
import { Button, errorText, IconButton, TextField } from "../../components";
import { useSetConfig } from "../../data";
import { t } from "../../i18n";

interface Props {
  family: string;
  /** The system's name for people. */
  name: string;
  value: string;
}

/** One mirror: kept when confirmed, so that half an address is never used. */
export function MirrorRow({ family, name, value }: Props) {
  const set = useSetConfig();
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? value;
  const changed = text.trim() !== value;
  const error = set.error && typed !== null ? errorText(set.error) : null;
  const keep = (next: string) => {
    set.mutate({ key: `mirror.${family}`, value: next || null }, { onSuccess: () => setTyped(null) });
  };
  return (
    <form
      className="settings-mirror"
      onSubmit={(event) => {
        event.preventDefault();
        if (changed) keep(text.trim());
      }}
    >
      <span className="medium settings-mirror-name">{name}</span>
      <div className="grow">
        <TextField
          label={t("settings.mirror", { family: name })}
          hideLabel
          type="url"
          inputMode="url"
          placeholder={t("settings.mirror.placeholder")}
          value={text}
          onChange={(next) => {
            set.reset();
            setTyped(next);
          }}
          onKeyDown={(event) => {
            if (event.key === "Escape" && typed !== null) {
              event.stopPropagation();
              setTyped(null);
            }
          }}
          error={error ? [error.message, error.hint].filter(Boolean).join(" ") : undefined}
        />
      </div>
      {changed ? (
        <Button type="submit" size="lg" variant="primary">
          {t("settings.mirror.use")}
        </Button>
      ) : value ? (
        <IconButton icon={X} label={t("settings.mirror.reset", { family: name })} onPress={() => keep("")} />
      ) : null}
    </form>
  );
}
