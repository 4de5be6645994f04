import { HardDrive } from "lucide-react";
import { useMemo, useState } from "react";
import { navigate } from "../../app/navigation";
import { Page } from "../../app/page";
import { Button, Clamped, ErrorCard, errorText, Icon, Ring, Scroll, toast } from "../../components";
import { type ApiError, formatBytes, type SpaceItem, useClient, useSpace } from "../../data";
import { t } from "../../i18n";
import { EmptyBinSheet } from "../trash";
import { FreeSheet } from "./FreeSheet";
import { freeableOf, groupsOf, noteOf, type SpaceGroup } from "./groups";
import "./space.css";
import { useFree } from "./use-free";

/** What everything takes on this computer's disk, and what can go. */
export function SpacePage() {
  const { platform } = useClient();
  const { data, error, refetch } = useSpace();
  const [asking, setAsking] = useState<SpaceItem | null>(null);
  const free = useFree();
  const groups = useMemo(() => (data ? groupsOf(data) : []), [data]);
  const freeable = data ? freeableOf(data) : 0;
  const failed = (failure: ApiError) => {
    const { message, hint } = errorText(failure);
    toast({ tone: "error", title: t("space.notFreed"), detail: [message, hint].join(" ") });
  };
  // Tidying loses nothing; everything else asks.
  const onAction = (item: SpaceItem) => {
    if (item.action === "tidy") free(item).catch(failed);
    else setAsking(item);
  };
  return (
    <Page name={t("space.title")} onBack={() => navigate({ page: "settings" })}>
      <Scroll label={t("space.title")}>
        <div className="page narrow space-page">
          {error ? (
            <ErrorCard
              title={t("space.failed")}
              error={error.info}
              onCopy={(text) => void platform.copyText(text)}
              actions={
                <Button variant="primary" onPress={() => void refetch()}>
                  {t("common.tryAgain")}
                </Button>
              }
            />
          ) : data === undefined ? (
            <p className="row t2" role="status">
              <Ring value={null} />
              {t("space.measuring")}
            </p>
          ) : groups.length === 0 ? (
            <div className="space-empty">
              <Icon icon={HardDrive} size={40} className="t3" />
              <h2 className="h1">{t("space.empty")}</h2>
              <p className="t2">{t("space.emptyDetail")}</p>
            </div>
          ) : (
            <>
              <p className="t2 num">
                {t(freeable > 0 ? "space.lead" : "space.leadNothing", {
                  free: formatBytes(data.free),
                  freeable: formatBytes(freeable),
                })}
              </p>
              {groups.map((group) => (
                <Group key={group.machine ?? ""} group={group} onAction={onAction} />
              ))}
            </>
          )}
        </div>
      </Scroll>
      {asking?.action === "empty-trash" ? <EmptyBinSheet onClose={() => setAsking(null)} /> : null}
      {data && asking && asking.action !== "empty-trash" ? (
        <FreeSheet
          item={asking}
          downloads={freeableOf(data, "prune-cache")}
          free={free}
          onClose={() => setAsking(null)}
        />
      ) : null}
    </Page>
  );
}

interface GroupProps {
  group: SpaceGroup;
  onAction: (item: SpaceItem) => void;
}

function Group({ group, onAction }: GroupProps) {
  const name = group.name ?? t("space.library");
  const largest = Math.max(1, ...group.items.map((item) => item.bytes));
  return (
    <section>
      <h2 className="sec space-head">
        <span className="trunc">{name}</span>
        <span className="t3 num">{t("space.total", { size: formatBytes(group.bytes) })}</span>
      </h2>
      <div className="card">
        <table className="space-table" aria-label={name}>
          <thead>
            <tr>
              <th scope="col">{t("space.what")}</th>
              <th scope="col" className="space-size">
                {t("space.size")}
              </th>
              <th scope="col" className="space-action">
                <span className="vh">{t("space.action")}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {group.items.map((item, at) => (
              <Row
                key={`${item.kind} ${item.snapshot ?? ""} ${item.title} ${at}`}
                item={item}
                largest={largest}
                onAction={onAction}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

interface RowProps {
  item: SpaceItem;
  /** Bytes of the group's largest: the bar's full length. */
  largest: number;
  onAction: (item: SpaceItem) => void;
}

function Row({ item, largest, onAction }: RowProps) {
  const { action } = item;
  const note = noteOf(item);
  const words = action ? t(`space.do.${action}`) : null;
  return (
    <tr>
      <th scope="row">
        <Clamped text={item.title} lines={2} className="medium" />
        {note ? <span className="t3 t12 space-note">{note}</span> : null}
      </th>
      <td className="num space-size">
        <span>{formatBytes(item.bytes)}</span>
        <span className="space-bar" aria-hidden="true">
          <i style={{ inlineSize: `${(item.bytes / largest) * 100}%` }} />
        </span>
      </td>
      <td className="space-action">
        {words && action ? (
          <span className="space-do">
            {item.freeable < item.bytes ? (
              <span className="t3 t12 num">{t("space.frees", { size: formatBytes(item.freeable) })}</span>
            ) : null}
            <Button aria-label={t("space.doName", { action: words, title: item.title })} onPress={() => onAction(item)}>
              {words}
            </Button>
          </span>
        ) : null}
      </td>
    </tr>
  );
}
