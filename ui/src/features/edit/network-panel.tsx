import { Plus, Trash2 } from "lucide-react";
import { type SubmitEvent, useState } from "react";
import { Button, IconButton, Note, Segmented, SettingRow, TextField, toast } from "../../components";
import { type PortForward, useAddPort, useRemovePort } from "../../data";
import { t } from "../../i18n";
import type { PanelProps } from "./edit-page";
import { readPort } from "./read-port";

const addressOf = (port: PortForward): string => `127.0.0.1:${port.host}`;

function AddForm({ machine }: { machine: string }) {
  const add = useAddPort();
  const [host, setHost] = useState("");
  const [guest, setGuest] = useState("");
  const [protocol, setProtocol] = useState<"tcp" | "udp">("tcp");
  const [tried, setTried] = useState(false);
  const hostPort = readPort(host);
  const guestPort = readPort(guest);
  const bad = t("edit.portBad");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    setTried(true);
    if (hostPort === null || !guestPort) return;
    add.mutate(
      { id: machine, port: { protocol, host: hostPort, guest: guestPort } },
      {
        onSuccess: () => {
          setHost("");
          setGuest("");
          setTried(false);
        },
      },
    );
  };
  return (
    <>
      <form className="edit-form" onSubmit={submit}>
        <TextField
          label={t("edit.hostPort")}
          placeholder={t("edit.hostPortAny")}
          inputMode="numeric"
          value={host}
          onChange={setHost}
          error={hostPort === null ? bad : undefined}
        />
        <TextField
          label={t("edit.guestPort")}
          inputMode="numeric"
          value={guest}
          onChange={setGuest}
          error={guestPort === null || (tried && guestPort === 0) ? bad : undefined}
        />
        <Segmented
          label={t("edit.forwardProtocol")}
          value={protocol}
          options={[
            { value: "tcp", label: "TCP" },
            { value: "udp", label: "UDP" },
          ]}
          onChange={setProtocol}
        />
        <Button size="lg" icon={Plus} type="submit" isPending={add.isPending}>
          {t("edit.addForward")}
        </Button>
      </form>
      {add.error ? (
        <div className="edit-note">
          <Note tone="bad">
            {add.error.message} {add.error.hint}
          </Note>
        </div>
      ) : null}
    </>
  );
}

/** Port forwards and network cards. Forwards change at any time. */
export function NetworkPanel({ edit }: PanelProps) {
  const { machine } = edit;
  const { mutate: add } = useAddPort();
  const { mutate: remove } = useRemovePort();
  const drop = (port: PortForward) =>
    remove(
      { id: machine.id, port },
      {
        onSuccess: () =>
          toast({
            title: t("edit.forwardRemoved", { address: addressOf(port) }),
            onUndo: () => add({ id: machine.id, port }),
          }),
        onError: (error) => toast({ title: error.message, detail: error.hint, tone: "error" }),
      },
    );
  return (
    <>
      {machine.ports.length === 0 ? (
        <Note>{t("edit.forwardNone")}</Note>
      ) : (
        <div className="card">
          <table className="edit-table" aria-label={t("edit.forwards")}>
            <thead>
              <tr>
                <th scope="col">{t("edit.forwardHost")}</th>
                <th scope="col">{t("edit.forwardGuest")}</th>
                <th scope="col">{t("edit.forwardProtocol")}</th>
                <th scope="col">
                  <span className="vh">{t("edit.forwardActions")}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {machine.ports.map((port) => (
                <tr key={`${port.protocol}:${port.host}`}>
                  <td className="mono selectable">{addressOf(port)}</td>
                  <td className="mono">{port.guest}</td>
                  <td>{port.protocol.toUpperCase()}</td>
                  <td>
                    <IconButton
                      icon={Trash2}
                      label={t("edit.removeForward", { address: addressOf(port) })}
                      onPress={() => drop(port)}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <AddForm machine={machine.id} />
      <div className="edit-note">
        {machine.nics.map((nic, index) => (
          <SettingRow
            key={nic.id}
            title={t("edit.adapter", { number: index + 1 })}
            detail={
              <span className="selectable">
                {t("edit.adapterDetail", {
                  mac: nic.mac,
                  network: nic.network === "default" ? t("edit.networkShared") : nic.network,
                })}
              </span>
            }
          />
        ))}
      </div>
    </>
  );
}
