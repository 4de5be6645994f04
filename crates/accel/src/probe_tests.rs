//! The probe with real QEMU, and with fake ones that fail in every way.

use super::*;
use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

const HOST: Arch = if cfg!(target_arch = "aarch64") {
    Arch::Aarch64
} else {
    Arch::X86_64
};

/// A folder with fake QEMUs and a file in the place of `/dev/kvm`.
struct Fake {
    dir: tempfile::TempDir,
}

impl Fake {
    /// A QEMU for [`HOST`] that runs `script`, in which `$ACCEL` is the accelerator asked for and `$CPU` the model.
    fn new(script: &str) -> Self {
        let fake = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::write(fake.dir.path().join("kvm"), "").unwrap();
        fake.write(script);
        fake
    }
    fn write(&self, script: &str) {
        let path = self.qemu();
        let parse = "while [ $# -gt 0 ]; do case $1 in -accel) ACCEL=$2;; -cpu) CPU=$2;; esac; shift; done";
        let log = self.dir.path().join("calls");
        fs::write(
            &path,
            format!(
                "#!/bin/sh\n{parse}\necho $ACCEL $CPU >> {}\n{script}\n",
                log.display()
            ),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fn qemu(&self) -> PathBuf {
        self.dir.path().join("qemu")
    }
    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache/accelerators.json")
    }
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
    fn probe(&self) -> Probe {
        let qemu = self.qemu();
        let find = move |arch| {
            if arch == HOST {
                Ok(QemuBinary {
                    path: qemu.clone(),
                    version: (10, 0, 2),
                })
            } else {
                Err(Error::unfit("qemu-missing", "Not installed.").with_hint("install it"))
            }
        };
        let deadlines = Deadlines {
            native: Duration::from_millis(700),
            native_max: Duration::from_millis(700),
            emulated: Duration::from_millis(1500),
        };
        Probe::with(
            self.cache(),
            Box::new(find),
            Device(self.dir.path().join("kvm")),
            deadlines,
        )
    }
    async fn report(&self, name: Accelerator) -> AcceleratorReport {
        self.probe()
            .reports(false)
            .await
            .into_iter()
            .find(|r| r.name == name && r.arch == HOST)
            .unwrap()
    }
}

/// Ends like a payload that did everything.
const PASS: &str = if cfg!(target_arch = "aarch64") {
    "echo OK; exit 0"
} else {
    "exit 33"
};

fn kvm_does(what: &str) -> String {
    format!("if [ $ACCEL = kvm ]; then {what}; fi; {PASS}")
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_hanging_accelerator_is_ended_at_the_deadline() {
    let fake = Fake::new(&kvm_does("sleep 60"));
    let start = Instant::now();
    let report = fake.report(Accelerator::Kvm).await;
    assert!(!report.usable && report.tested, "{report:?}");
    assert!(report.reason.contains("not done after"), "{report:?}");
    assert!(start.elapsed() < Duration::from_secs(8));
    // No second model after a hang.
    assert_eq!(
        fake.calls().iter().filter(|call| call.starts_with("kvm")).count(),
        1
    );
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_crashing_accelerator_is_told_with_its_signal_and_last_words() {
    let fake = Fake::new(&kvm_does(
        "echo kvm_buf_set_msrs: Assertion failed >&2; kill -ABRT $$",
    ));
    let report = fake.report(Accelerator::Kvm).await;
    assert!(!report.usable && report.reason.contains("SIGABRT"), "{report:?}");
    assert!(
        report.technical.as_ref().unwrap().contains("kvm_buf_set_msrs"),
        "{report:?}"
    );
    assert!(report.cure.is_some());
    if HOST == Arch::X86_64 {
        assert!(
            fake.calls().contains(&"kvm Nehalem".to_owned()),
            "a plainer model was tried"
        );
    }
    let choice = fake.probe().choose(HOST, None).await.unwrap();
    assert_eq!(choice.accelerator, Accelerator::Tcg);
    assert!(choice.reason.contains("SIGABRT"), "{choice:?}");
    let error = fake
        .probe()
        .choose(HOST, Some(Accelerator::Kvm))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.exit_code()),
        ("accelerator-unusable", 5)
    );
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn an_accelerator_that_refuses_is_explained() {
    let fake = Fake::new(&kvm_does(
        "echo 'failed to initialize kvm: Device or resource busy' >&2; exit 1",
    ));
    let report = fake.report(Accelerator::Kvm).await;
    assert!(
        !report.usable && report.cure.as_ref().unwrap().contains("VirtualBox"),
        "{report:?}"
    );
}

#[tokio::test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
async fn a_plainer_model_that_passes_is_used() {
    let fake = Fake::new(&kvm_does("[ $CPU = host ] && kill -ABRT $$"));
    let choice = fake.probe().choose(HOST, None).await.unwrap();
    assert_eq!(
        (choice.accelerator, choice.cpu_model.as_str()),
        (Accelerator::Kvm, "Nehalem")
    );
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn what_passes_is_chosen_until_a_machine_fails_with_it() {
    let fake = Fake::new(PASS);
    let probe = fake.probe();
    let choice = probe.choose(HOST, None).await.unwrap();
    assert_eq!(
        (choice.accelerator, choice.cpu_model.as_str()),
        (Accelerator::Kvm, "host")
    );
    probe
        .note_failure(HOST, Accelerator::Kvm, "QEMU crashed after 3 s.")
        .await;
    // Also for the next service.
    let choice = fake.probe().choose(HOST, None).await.unwrap();
    assert_eq!(choice.accelerator, Accelerator::Tcg);
    assert!(choice.reason.contains("QEMU crashed after 3 s."), "{choice:?}");
    probe.note_failure(HOST, Accelerator::Tcg, "Whatever.").await;
    assert!(probe.choose(HOST, Some(Accelerator::Tcg)).await.is_ok());
    let again = probe.reports(true).await;
    assert!(again.iter().any(|r| r.name == Accelerator::Kvm && r.usable));
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn no_device_no_test() {
    let fake = Fake::new(PASS);
    fs::remove_file(fake.dir.path().join("kvm")).unwrap();
    let report = fake.report(Accelerator::Kvm).await;
    assert!(
        !report.usable && !report.tested && report.cure.is_some(),
        "{report:?}"
    );
    assert!(!fake.calls().iter().any(|call| call.starts_with("kvm")));
}

#[tokio::test]
async fn a_broken_qemu_fails_even_emulated() {
    let fake = Fake::new("echo libpixman-1.so.0: cannot open >&2; exit 127");
    let report = fake.report(Accelerator::Tcg).await;
    assert!(!report.usable && report.tested, "{report:?}");
    assert!(
        report.technical.as_ref().unwrap().contains("libpixman"),
        "{report:?}"
    );
    let error = fake.probe().choose(HOST, None).await.unwrap_err();
    assert_eq!(error.code, "accelerator-unusable");
}

#[tokio::test]
async fn verdicts_are_cached_until_something_changes_or_the_file_is_damaged() {
    let fake = Fake::new(PASS);
    let chosen = || async { fake.probe().choose(HOST, Some(Accelerator::Tcg)).await.unwrap() };
    chosen().await;
    chosen().await;
    assert_eq!(fake.calls().len(), 1, "the second service reads the verdict");
    fake.write(&format!("{PASS} # another build"));
    chosen().await;
    assert_eq!(fake.calls().len(), 2, "another QEMU is tested anew");
    for damage in [
        "",
        "{\"version\":1,\"verdicts\":[{\"arch\":\"x86_64\"}]}",
        "\u{0}garbage",
    ] {
        fs::write(fake.cache(), damage).unwrap();
        let before = fake.calls().len();
        chosen().await;
        assert_eq!(fake.calls().len(), before + 1, "{damage:?} is ignored");
        assert!(
            fs::read_to_string(fake.cache()).unwrap().contains("fingerprint"),
            "and replaced"
        );
    }
}

#[tokio::test]
async fn impossible_wishes_are_refused_with_the_reason() {
    let probe = Fake::new(PASS).probe();
    let error = probe.choose(HOST, Some(Accelerator::Whpx)).await.unwrap_err();
    assert!(error.message.contains("WHPX"), "{error:?}");
    assert_eq!(
        probe.choose(Arch::S390x, None).await.unwrap_err().code,
        "qemu-missing"
    );
}

#[tokio::test]
async fn a_missing_qemu_leaves_one_line_with_the_cure() {
    let fake = Fake::new(PASS);
    let none =
        |_| Err(Error::unfit("qemu-missing", "QEMU is not installed.").with_hint("apt-get install it"));
    let probe = Probe::with(
        fake.cache(),
        Box::new(none),
        Device(fake.dir.path().join("kvm")),
        Deadlines {
            native: Duration::ZERO,
            native_max: Duration::ZERO,
            emulated: Duration::ZERO,
        },
    );
    let reports = probe.reports(false).await;
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(!reports[0].usable && !reports[0].tested);
    assert_eq!(reports[0].cure.as_deref(), Some("apt-get install it"));
}

/// The real thing, on whatever this computer has.
#[tokio::test]
async fn the_installed_qemus_are_proved_and_measured() {
    let installed: Vec<Arch> = Arch::ALL
        .into_iter()
        .filter(|arch| find_qemu(*arch).is_ok())
        .collect();
    if installed.is_empty() {
        println!("skipped: no QEMU is installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let probe = Probe::new(dir.path().join("accelerators.json"));
    let start = Instant::now();
    let reports = probe.reports(false).await;
    let cold = start.elapsed();
    for report in &reports {
        println!("{report:?}");
    }
    println!("cold: {cold:?}");
    for arch in installed {
        let report = reports
            .iter()
            .find(|r| r.name == Accelerator::Tcg && r.arch == arch)
            .unwrap();
        assert!(report.usable, "{report:?}");
        assert_eq!(report.tested, Payload::of(arch).is_some(), "{report:?}");
        if Payload::of(arch).is_some_and(Payload::measures)
            && cfg!(any(target_arch = "x86_64", target_arch = "aarch64"))
        {
            let times = report.slowdown.unwrap();
            assert!((1.0..500.0).contains(&times), "{report:?}");
        }
    }
    let native = reports.iter().find(|r| r.name == sys::NATIVE).unwrap();
    assert!(native.usable || native.cure.is_some(), "{native:?}");
    let start = Instant::now();
    assert_eq!(probe.reports(false).await, reports);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "the second time comes from the cache"
    );
}

/// A payload that is cut short must fail, or the proof proves nothing.
#[tokio::test]
async fn a_damaged_payload_does_not_pass() {
    for arch in [Arch::X86_64, Arch::Aarch64, Arch::Riscv64] {
        let Ok(qemu) = find_qemu(arch) else {
            println!("skipped: no QEMU for {arch}");
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("qemu");
        // Overwrites the middle of the image with zeros before running the real QEMU on it.
        let body = format!(
            "#!/bin/sh\ndd if=/dev/zero of=payload.bin bs=1 seek=64 count=100 conv=notrunc 2>/dev/null\nexec {} \"$@\"\n",
            qemu.path.display()
        );
        fs::write(&script, body).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let payload = Payload::of(arch).unwrap();
        let cpu_model = cpu::cpu_model(arch, Accelerator::Tcg, qemu.version);
        let outcome = run(Run {
            qemu: &script,
            payload,
            accelerator: Accelerator::Tcg,
            cpu_model,
            iterations: 0,
            deadline: Duration::from_millis(1500),
        })
        .await;
        assert!(!matches!(outcome, Outcome::Passed(_)), "{arch}: {outcome:?}");
    }
}
