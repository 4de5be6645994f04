import { ChevronLeft, KeyRound, Router, Snail, Wrench, X, Zap } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Button, Icon, IconButton, Note, Select, Sheet, Switch, TextField, Tile } from "../../components";
import { errorText } from "../../components";
import {
  speedOf,
  useCreateMachine,
  useDoctor,
  useHostUsage,
  useMachines,
} from "../../data";
import { t } from "../../i18n";
import { rememberRequest } from "../activity/requests";
import { AdvancedOptions, type Advanced, withAdvanced } from "./AdvancedOptions";
import { type Draft, hasAccount, limitsOf, nameProblem, newDraft, toRequest, userProblem } from "./draft";
import { archName, type Card, type CardArch } from "./gallery";
import { HostBudget } from "./HostBudget";
import { SpeedNote, VerifiedNote } from "./notes";
import { Sizes } from "./Sizes";

interface Props {
  card: Card;
  arch: CardArch;
  onBack: () => void;
  onClose: () => void;
  onCreated: (machineId: string) => void;
  onOpenDoctor: () => void;
  onUseArch: (key: string) => void;
}

/** Step 2: name, how much of this computer, how to sign in. */
export function ConfigStep(props: Props) {
  const { card, arch, onBack, onClose, onCreated, onOpenDoctor, onUseArch } = props;
  const doctor = useDoctor();
  const machines = useMachines();
  const usage = useHostUsage();
  const create = useCreateMachine();
  const limits = limitsOf(doctor.data?.host, usage.data?.host, card.template.defaults);
  const [draft, setDraft] = useState<Draft>(() => newDraft(card, arch, limits, machines.data ?? []));
  const [advanced, setAdvanced] = useState<Advanced | null>(null);
  const [tried, setTried] = useState(false);
  const nameRef = useRef<HTMLInputElement>(null);
  const passwordRef = useRef<HTMLInputElement>(null);
  const set = (part: Partial<Draft>) => setDraft((old) => ({ ...old, ...part }));

  useEffect(() => nameRef.current?.focus({ preventScroll: true }), []);

  const account = hasAccount(arch);
  const speed = speedOf(doctor.data, arch.arch);
  // The machine being created takes the name itself: while the request runs, that is no conflict.
  const problem = create.isPending || create.isSuccess ? null : nameProblem(draft.name, machines.data ?? []);
  const nameTaken = create.error?.code === "name-taken" && create.variables?.name === draft.name.trim();
  const nameError = nameTaken
    ? t("newvm.name.taken")
    : problem && (tried || problem !== "empty")
      ? t(`newvm.name.${problem}`)
      : undefined;
  const userError = account && userProblem(draft.user) ? t("newvm.user.bad") : undefined;
  const passwordMissing = account && draft.signIn === "password" && draft.password === "";

  const submit = () => {
    setTried(true);
    if (create.isPending) return;
    if (problem || userError) {
      nameRef.current?.focus();
      return;
    }
    if (passwordMissing) {
      passwordRef.current?.focus();
      return;
    }
    const request = withAdvanced(toRequest(draft, card, arch), advanced);
    create.mutate(request, {
      onSuccess: ({ job, machine }) => {
        rememberRequest(job.id, { kind: "create", request });
        onCreated(machine.id);
      },
    });
  };

  const failure = create.error && !nameTaken ? errorText(create.error) : null;

  return (
    <Sheet
      label={t("newvm.title")}
      onClose={onClose}
      className="newvm"
      sticky
      footer={
        <>
          <Button
            variant="quiet"
            icon={Wrench}
            aria-expanded={advanced !== null}
            onPress={() => setAdvanced((old) => (old ? null : { firmware: "auto", tags: "", keys: "", userData: "" }))}
          >
            {t("newvm.options")}
          </Button>
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button size="lg" variant="primary" onPress={submit}>
            {t("common.create")}
          </Button>
        </>
      }
    >
      <header className="sheet-head">
        <IconButton icon={ChevronLeft} label={t("common.back")} onPress={onBack} />
        <Tile glyph={card.template.glyph} family={card.template.family} small />
        <h2 className="h1 trunc">{card.template.name}</h2>
        {speed?.report ? (
          <span className={speed.native ? "pill ok" : "pill warn"}>
            <Icon icon={speed.native ? Zap : Snail} size={12} />
            {t(speed.native ? "newvm.pill.native" : "newvm.pill.emulated", { arch: archName(arch.arch) })}
          </span>
        ) : (
          <span className="pill">{archName(arch.arch)}</span>
        )}
        <span className="grow" />
        <IconButton icon={X} label={t("common.close")} onPress={onClose} />
      </header>
      <form
        className="sheet-body newvm-config"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <div className="newvm-form">
          <TextField
            ref={nameRef}
            label={t("newvm.name")}
            value={draft.name}
            onChange={(name) => set({ name })}
            error={nameError}
            maxLength={240}
          />
          <Sizes sizes={draft} limits={limits} onChange={set} />
          {account ? (
            <div className="newvm-pair">
              <TextField
                label={t("newvm.user")}
                value={draft.user}
                onChange={(user) => set({ user })}
                error={userError}
              />
              <div>
                <span className="label">{t("newvm.signIn")}</span>
                <Select
                  label={t("newvm.signIn")}
                  value={draft.signIn}
                  icon={KeyRound}
                  className="newvm-select"
                  options={[
                    { value: "key", label: t("newvm.signIn.key"), detail: t("newvm.signIn.keyDetail") },
                    { value: "password", label: t("newvm.signIn.password"), detail: t("newvm.signIn.passwordDetail") },
                  ]}
                  onChange={(signIn) => set({ signIn })}
                />
              </div>
              {draft.signIn === "password" ? (
                <TextField
                  ref={passwordRef}
                  label={t("newvm.password")}
                  type="password"
                  value={draft.password}
                  onChange={(password) => set({ password })}
                  hint={t("newvm.password.hint")}
                  error={tried && passwordMissing ? t("newvm.password.empty") : undefined}
                />
              ) : null}
            </div>
          ) : (
            <p className="t3">{t("newvm.noAccount")}</p>
          )}
          <div className="newvm-pair">
            <div>
              <span className="label">{t("newvm.network")}</span>
              <Select
                label={t("newvm.network")}
                value={draft.network}
                icon={Router}
                className="newvm-select"
                options={[{ value: "default", label: t("newvm.network.shared") }]}
                onChange={(network) => set({ network })}
                describedBy="newvm-network-hint"
              />
              <p className="hint" id="newvm-network-hint">
                {t("newvm.network.sharedHint")}
              </p>
            </div>
            <div>
              <span className="label">{t("newvm.start")}</span>
              <div className="row newvm-switch">
                <Switch label={t("newvm.start")} checked={draft.start} onChange={(start) => set({ start })} />
                <span className="t2">{t(draft.start ? "common.yes" : "common.no")}</span>
              </div>
            </div>
          </div>
          {advanced ? <AdvancedOptions value={advanced} onChange={setAdvanced} account={account} /> : null}
        </div>
        <div className="newvm-side">
          <HostBudget host={doctor.data?.host} usage={usage.data?.host} draft={draft} arch={arch} />
          <SpeedNote card={card} arch={arch} report={doctor.data} onUseArch={onUseArch} onOpenDoctor={onOpenDoctor} />
          <VerifiedNote arch={arch} />
        </div>
        <input type="submit" hidden />
      </form>
      {failure ? (
        <div role="alert" className="newvm-failure">
          <Note tone="bad">
            <b className="medium">{t("newvm.failed")}</b> {failure.message}
            {failure.hint ? <p className="t2 newvm-multiline">{failure.hint}</p> : null}
          </Note>
        </div>
      ) : null}
    </Sheet>
  );
}
