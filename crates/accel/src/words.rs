//! Outcomes in plain words.

use crate::{run::Outcome, sys};
use nestbox_model::{Accelerator, Arch};
use std::time::Duration;

/// Reason, cure and technical words for one failed accelerator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) reason: String,
    pub(crate) cure: Option<String>,
    pub(crate) technical: Option<String>,
}

/// Says why `first` (and, if there was one, the second try with the model named) failed.
pub(crate) fn explain(
    arch: Arch,
    accelerator: Accelerator,
    first: (&str, &Outcome),
    second: Option<(&str, &Outcome)>,
    in_virtual_machine: bool,
) -> Explanation {
    let tries = || [Some(first), second].into_iter().flatten();
    let technical: Vec<String> = tries()
        .map(|(model, outcome)| technical(model, outcome))
        .collect();
    let (reason, cure) = if accelerator == Accelerator::Tcg {
        emulation(arch, first.1)
    } else {
        native(
            accelerator,
            first.1,
            second.map(|(_, outcome)| outcome),
            in_virtual_machine,
        )
    };
    Explanation {
        reason,
        cure: Some(cure),
        technical: Some(technical.join(" | ")),
    }
}

fn emulation(arch: Arch, outcome: &Outcome) -> (String, String) {
    let guest = arch.common_name();
    let why = match outcome {
        Outcome::TimedOut(after) => format!("a test guest was not done after {}", seconds(*after)),
        Outcome::Signal(signal, _) => format!("QEMU crashed with a test guest ({})", signal_name(*signal)),
        Outcome::Exited(code, _) => format!("QEMU ended with status {code} instead of running a test guest"),
        Outcome::NotStarted(_) => "QEMU did not start".to_owned(),
        Outcome::Passed(_) => "the test was not consistent".to_owned(),
    };
    (
        format!("The installed QEMU does not run {guest} guests even emulated: {why}."),
        format!(
            "Install QEMU for {guest} again: {}",
            crate::install_hint(crate::Need::Qemu(arch))
        ),
    )
}

fn native(
    accelerator: Accelerator,
    first: &Outcome,
    second: Option<&Outcome>,
    in_virtual_machine: bool,
) -> (String, String) {
    let name = sys::spoken(accelerator);
    if let Outcome::Exited(_, said) = first {
        let said = said.to_ascii_lowercase();
        if said.contains("permission denied") {
            return (
                format!("This account may not use {name}."),
                "sudo usermod -aG kvm $USER   (then log out and in again)".to_owned(),
            );
        }
        if said.contains("busy") {
            return (
                format!("Another program uses the processor's virtualisation, so {name} can't."),
                "End machines of other programs (VirtualBox, VMware), then run the test again.".to_owned(),
            );
        }
        if said.contains("invalid accelerator") || said.contains("not a valid accelerator") {
            return (
                format!("The installed QEMU was built without {name}."),
                "Install the QEMU of your distribution, or one built with it.".to_owned(),
            );
        }
    }
    let what = match first {
        Outcome::TimedOut(after) => {
            format!(
                "a test guest that takes a moment was not done after {}",
                seconds(*after)
            )
        }
        Outcome::Signal(signal, _) => {
            format!(
                "QEMU crashed the moment a test guest started ({})",
                signal_name(*signal)
            )
        }
        Outcome::Exited(code, _) => format!("a test guest did not run (QEMU ended with status {code})"),
        Outcome::NotStarted(_) | Outcome::Passed(_) => "QEMU did not start".to_owned(),
    };
    let also = match second {
        Some(Outcome::TimedOut(_)) => " With a plainer processor model the guest did not get on.",
        Some(_) => " A plainer processor model failed too.",
        None => "",
    };
    if in_virtual_machine {
        (
            format!(
                "{name} is there but does not work: {what}.{also} This computer is itself a virtual machine, and the \
                 nested virtualisation of its host is broken."
            ),
            "Nothing to do here: Nestbox emulates instead. If the host of this computer is yours, update it and turn on \
             nested virtualisation."
                .to_owned(),
        )
    } else {
        (
            format!("{name} is there but does not work: {what}.{also}"),
            "Update the system's kernel and QEMU, and look in the computer's firmware set-up whether virtualisation is on. \
             Until then Nestbox emulates."
                .to_owned(),
        )
    }
}

fn technical(model: &str, outcome: &Outcome) -> String {
    let what = match outcome {
        Outcome::Passed(after) => format!("passed in {}", seconds(*after)),
        Outcome::TimedOut(after) => format!("no end within {}", seconds(*after)),
        Outcome::Signal(signal, said) => format!("{}: {said}", signal_name(*signal)),
        Outcome::Exited(code, said) => format!("exit status {code}: {said}"),
        Outcome::NotStarted(said) => format!("not started: {said}"),
    };
    format!("-cpu {model}: {what}")
        .trim_end_matches([':', ' '])
        .to_owned()
}

/// `2 s`, `0.13 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let value = duration.as_secs_f64();
    if value >= 1.0 {
        format!("{} s", (value * 10.0).round() / 10.0)
    } else {
        format!("{value:.2} s")
    }
}

/// `about 9 times`.
pub(crate) fn about_times(times: f64) -> String {
    if times < 3.0 {
        format!("about {times:.1} times")
    } else {
        format!("about {times:.0} times")
    }
}

fn signal_name(number: i32) -> String {
    let name = match number {
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kvm(first: &Outcome, second: Option<&Outcome>, nested: bool) -> Explanation {
        explain(
            Arch::X86_64,
            Accelerator::Kvm,
            ("host", first),
            second.map(|o| ("Nehalem", o)),
            nested,
        )
    }

    #[test]
    fn known_words_of_qemu_get_their_own_cure() {
        let exited = |said: &str| Outcome::Exited(1, said.to_owned());
        let cure = |said: &str| kvm(&exited(said), None, false).cure.unwrap();
        assert!(cure("Could not access KVM kernel module: Permission denied").contains("usermod -aG kvm"));
        assert!(cure("ioctl(KVM_CREATE_VM) failed: Device or resource busy").contains("VirtualBox"));
        assert!(cure("qemu: invalid accelerator kvm").contains("Install"));
    }

    #[test]
    fn a_crash_in_a_virtual_machine_blames_its_host() {
        let crash = Outcome::Signal(6, "kvm_buf_set_msrs: Assertion failed".to_owned());
        let hang = Outcome::TimedOut(Duration::from_secs(2));
        let nested = kvm(&crash, Some(&hang), true);
        assert!(nested.reason.contains("SIGABRT") && nested.reason.contains("nested virtualisation"));
        assert!(
            nested
                .reason
                .contains("plainer processor model the guest did not get on")
        );
        assert_eq!(
            nested.technical.unwrap(),
            "-cpu host: SIGABRT: kvm_buf_set_msrs: Assertion failed | -cpu Nehalem: no end within 2 s"
        );
        assert!(!kvm(&crash, None, false).reason.contains("virtual machine"));
    }
}
