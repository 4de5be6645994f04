import { useMemo, useState } from "react";
import { navigate } from "../../app/navigation";
import { openSheet } from "../../app/ui-state";
import { type Arch, useDoctor, useTemplates } from "../../data";
import { ConfigStep } from "./ConfigStep";
import { asArch, buildCards, findChoice, firstChoice } from "./gallery";
import { GalleryStep } from "./GalleryStep";

export interface NewVmSheetProps {
  onClose: () => void;
  /** Starts on the second step with this template (or, if there is none by that id, this family's principal one). */
  template?: string | undefined;
  arch?: Arch | undefined;
}

/** New VM in two steps: which system, then how much of this computer. */
export function NewVmSheet({ onClose, template, arch }: NewVmSheetProps) {
  const templates = useTemplates();
  const doctor = useDoctor();
  const cards = useMemo(() => buildCards(templates.data ?? []), [templates.data]);
  const host = arch ?? asArch(doctor.data?.host.arch);
  const [picked, setPicked] = useState<string | null>(null);
  const [step, setStep] = useState<"gallery" | "config">(template ? "config" : "gallery");
  const suggested = useMemo(() => {
    const wanted = cards.filter((card) => card.template.id === template);
    const family = cards.filter((card) => card.template.family === template);
    return firstChoice([...wanted, ...family, ...cards], host);
  }, [cards, host, template]);
  const choice = picked ?? suggested;
  const chosen = findChoice(cards, choice);

  const openDoctor = () => {
    onClose();
    navigate({ page: "doctor" });
  };

  // The form starts from this computer's limits, so it waits for Doctor (which answers from its cache).
  if (step === "config" && chosen && !doctor.isPending) {
    return (
      <ConfigStep
        key={chosen.arch.key}
        card={chosen.card}
        arch={chosen.arch}
        onBack={() => setStep("gallery")}
        onClose={onClose}
        onCreated={(machine) => {
          onClose();
          navigate({ page: "machine", machine });
        }}
        onOpenDoctor={openDoctor}
        onUseArch={setPicked}
      />
    );
  }
  return (
    <GalleryStep
      choice={choice}
      waiting={step === "config" && doctor.isPending}
      onChoose={setPicked}
      onContinue={(key) => {
        setPicked(key);
        setStep("config");
      }}
      onClose={onClose}
      onImport={(paths) => openSheet({ kind: "import", paths })}
      onOpenDoctor={openDoctor}
    />
  );
}
