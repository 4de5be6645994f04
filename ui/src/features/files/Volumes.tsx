import { useRoving } from "../../components";
import { formatBytes, type Volume } from "../../data";
import { t } from "../../i18n";
import { joinWords } from "../activity/job-words";

interface Props {
  volumes: Volume[];
  chosen: number | null;
  onChoose: (number: number) => void;
}

export const volumeName = (volume: Volume): string =>
  volume.label ?? volume.name ?? t("files.volume", { number: volume.number });

/** The parts of a disk; those that can't be read say why. */
export function Volumes({ volumes, chosen, onChoose }: Props) {
  const onKeyDown = useRoving("[role=radio]");
  // One is the tab stop even when none is chosen.
  const stop = volumes.some((one) => one.number === chosen) ? chosen : volumes[0]?.number;
  return (
    // eslint-disable-next-line jsx-a11y/interactive-supports-focus -- the radios take the focus
    <div className="files-volumes" role="radiogroup" aria-label={t("files.volumes")} onKeyDown={onKeyDown}>
      {volumes.map((volume) => {
        const facts = joinWords([
          volume.filesystem,
          volume.used === null
            ? formatBytes(volume.size)
            : t("files.usedOf", { used: formatBytes(volume.used), size: formatBytes(volume.size) }),
        ]);
        return (
          <button
            key={volume.number}
            type="button"
            role="radio"
            className="files-volume"
            aria-checked={volume.number === chosen}
            aria-disabled={volume.browsable ? undefined : true}
            aria-label={volumeName(volume)}
            aria-description={joinWords([facts, volume.reason])}
            tabIndex={volume.number === stop ? 0 : -1}
            onClick={() => {
              if (volume.browsable) onChoose(volume.number);
            }}
          >
            <span className="medium">{volumeName(volume)}</span>
            <span className="t3 t12 num">{facts}</span>
            {volume.reason ? <span className="t2 t12">{volume.reason}</span> : null}
          </button>
        );
      })}
    </div>
  );
}
