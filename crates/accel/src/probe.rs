//! Proving accelerators, keeping the verdicts, and choosing.

use crate::{
    Need, QemuBinary,
    cache::{Cache, Slowdown, Verdict},
    cpu, find_qemu, install_hint, measure,
    payload::Payload,
    run::{Outcome, Run, run},
    sys::{self, Device},
    words,
};
use nestbox_model::{Accelerator, AcceleratorReport, Arch, Error, Result};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use tokio::sync::Mutex;

/// How long a native accelerator gets for the payload, at least; it needs as long as QEMU takes to start.
const NATIVE_DEADLINE: Duration = Duration::from_secs(2);
/// The same at most, on a computer so busy that emulation needed long too.
const NATIVE_DEADLINE_MAX: Duration = Duration::from_secs(6);
/// How long emulation gets.
const EMULATED_DEADLINE: Duration = Duration::from_secs(20);

type Finder = dyn Fn(Arch) -> Result<QemuBinary> + Send + Sync;

/// What a machine should run with.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Proved accelerator.
    pub accelerator: Accelerator,
    /// Value for `-cpu`, the one that was proved.
    pub cpu_model: String,
    /// Why this one, for people: one or two sentences.
    pub reason: String,
}

/// Proves accelerators by running tiny guests and remembers the verdicts. Cheap to clone; clones share everything.
///
/// A verdict holds for one kernel release, one QEMU file and one `/dev/kvm`; when any of these changes it is
/// proved anew. One proof runs at a time.
#[derive(Clone)]
pub struct Probe {
    inner: Arc<Inner>,
}

struct Inner {
    cache_file: PathBuf,
    find: Box<Finder>,
    device: Device,
    deadlines: Deadlines,
    cache: Mutex<Option<Cache>>,
}

#[derive(Clone, Copy)]
struct Deadlines {
    native: Duration,
    native_max: Duration,
    emulated: Duration,
}

impl Probe {
    /// A probe that keeps its verdicts in `cache_file` (`cache/accelerators.json` of the data dir). Does nothing yet.
    pub fn new(cache_file: PathBuf) -> Self {
        let deadlines = Deadlines {
            native: NATIVE_DEADLINE,
            native_max: NATIVE_DEADLINE_MAX,
            emulated: EMULATED_DEADLINE,
        };
        Self::with(cache_file, Box::new(find_qemu), Device::default(), deadlines)
    }

    fn with(cache_file: PathBuf, find: Box<Finder>, device: Device, deadlines: Deadlines) -> Self {
        Self {
            inner: Arc::new(Inner {
                cache_file,
                find,
                device,
                deadlines,
                cache: Mutex::new(None),
            }),
        }
    }

    /// Every accelerator of this computer for every guest architecture, proved and measured: the native one for this
    /// computer's own architectures, always, with the reason when it can't be used; emulation for each installed QEMU.
    ///
    /// The first time takes some seconds (about one for each installed QEMU, and up to four where a native
    /// accelerator hangs); afterwards it is a few file look-ups. `refresh` forgets all verdicts first,
    /// also those of [`Probe::note_failure`].
    pub async fn reports(&self, refresh: bool) -> Vec<AcceleratorReport> {
        if refresh {
            let mut slot = self.inner.cache.lock().await;
            let cache = self.inner.loaded(&mut slot);
            cache.clear();
            cache.save(&self.inner.cache_file);
        }
        let mut reports = Vec::new();
        for arch in Arch::ALL {
            let qemu = self.find(arch).await;
            // The processor's second architecture (i386 on x86_64) is worth a line only where its QEMU is.
            if arch.is_native() && (Arch::host() == Some(arch) || qemu.is_ok()) {
                reports.push(report(self.verdict(arch, sys::NATIVE, &qemu).await));
            }
            if qemu.is_ok() {
                self.verdict(arch, Accelerator::Tcg, &qemu).await;
                reports.push(report(self.measured(arch, &qemu).await));
            }
        }
        reports
    }

    /// What a machine of `arch` should run with: `forced` if given, else this computer's own accelerator where it is
    /// proved, else emulation. Proves what is not proved yet, but measures nothing, so it takes a fraction of a second
    /// (and once up to four where a native accelerator hangs).
    ///
    /// # Errors
    /// Those of [`find_qemu`](crate::find_qemu); `accelerator-unusable` (kind `Unfit`) with reason and cure when
    /// `forced` does not work, or nothing does.
    pub async fn choose(&self, arch: Arch, forced: Option<Accelerator>) -> Result<Choice> {
        let qemu = self.find(arch).await;
        if let Err(error) = qemu {
            return Err(error);
        }
        if let Some(accelerator) = forced {
            let verdict = self.verdict(arch, accelerator, &qemu).await;
            if !verdict.usable {
                return Err(unusable(&verdict));
            }
            let reason = format!(
                "{} was asked for. {}",
                capital(sys::spoken(accelerator)),
                verdict.reason
            );
            return Ok(Choice {
                accelerator,
                cpu_model: verdict.cpu_model,
                reason,
            });
        }
        let native = if arch.is_native() {
            Some(self.verdict(arch, sys::NATIVE, &qemu).await)
        } else {
            None
        };
        if let Some(verdict) = native.as_ref().filter(|verdict| verdict.usable) {
            return Ok(Choice {
                accelerator: verdict.accelerator,
                cpu_model: verdict.cpu_model.clone(),
                reason: verdict.reason.clone(),
            });
        }
        let emulated = self.verdict(arch, Accelerator::Tcg, &qemu).await;
        if !emulated.usable {
            return Err(unusable(&emulated));
        }
        let why = match native {
            Some(verdict) => verdict.reason,
            None => format!(
                "An {} guest can't run directly on this computer's {} processor.",
                arch.common_name(),
                Arch::host().map_or(std::env::consts::ARCH, Arch::common_name)
            )
            .replace("An riscv", "A riscv")
            .replace("An ppc", "A ppc"),
        };
        let speed = match emulated.slowdown.and_then(|slowdown| slowdown.times) {
            Some(times) => format!(
                " Its code runs {} slower than native, measured here.",
                words::about_times(times)
            ),
            None => String::new(),
        };
        Ok(Choice {
            accelerator: Accelerator::Tcg,
            cpu_model: emulated.cpu_model,
            reason: format!("Emulated (TCG). {why}{speed}"),
        })
    }

    /// Remembers that `accelerator` failed a real machine of `arch`, for `why` (a sentence), although it passed the test:
    /// from now on [`Probe::choose`] avoids it, until it is tested again with `reports(true)` or the kernel or QEMU
    /// changes. Emulation is never avoided, as there is nothing after it.
    pub async fn note_failure(&self, arch: Arch, accelerator: Accelerator, why: &str) {
        tracing::warn!(%arch, %accelerator, why, "an accelerator failed a machine");
        if accelerator == Accelerator::Tcg {
            return;
        }
        let qemu = self.find(arch).await;
        let mut verdict = self.verdict(arch, accelerator, &qemu).await;
        if !verdict.usable {
            return;
        }
        verdict.usable = false;
        verdict.reason = format!(
            "{} passed its test, but a machine failed with it: {}",
            capital(sys::spoken(accelerator)),
            why.trim()
        );
        verdict.cure = Some(
            "Run the checks again in Doctor (nestbox doctor --refresh) to give it another try.".to_owned(),
        );
        let mut slot = self.inner.cache.lock().await;
        let cache = self.inner.loaded(&mut slot);
        cache.put(verdict);
        cache.save(&self.inner.cache_file);
    }

    async fn find(&self, arch: Arch) -> Result<QemuBinary> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || (inner.find)(arch))
            .await
            .unwrap_or_else(|error| {
                Err(Error::failed(
                    "internal",
                    format!("Looking for QEMU failed: {error}."),
                ))
            })
    }

    /// The verdict, from the cache or by a proof now.
    async fn verdict(&self, arch: Arch, accelerator: Accelerator, qemu: &Result<QemuBinary>) -> Verdict {
        let inner = &*self.inner;
        let identity = match inner.within_reach(arch, accelerator, qemu) {
            Ok(identity) => identity,
            Err(verdict) => return *verdict,
        };
        let Ok(qemu) = qemu else {
            return untested(arch, accelerator, "QEMU is not there.".to_owned());
        };
        // Emulation first: it tells how quick this computer is just now, and whether QEMU works at all.
        let emulated = if accelerator == Accelerator::Tcg {
            None
        } else {
            Some(Box::pin(self.verdict(arch, Accelerator::Tcg, &Ok(qemu.clone()))).await)
        };
        if let Some(wider) = self
            .wider_verdict(arch, accelerator)
            .await
            .filter(|v| v.tested && !v.usable)
        {
            return Verdict { arch, ..wider };
        }
        let mut slot = inner.cache.lock().await;
        let cache = inner.loaded(&mut slot);
        let fingerprint = fingerprint(accelerator, qemu, &identity);
        if let Some(known) = cache.get(arch, accelerator, &fingerprint) {
            return known.clone();
        }
        let mut verdict = match emulated {
            Some(emulated) if !emulated.usable => {
                return Verdict {
                    accelerator,
                    tested: false,
                    ..emulated
                };
            }
            Some(emulated) => {
                inner
                    .prove_native(arch, accelerator, qemu, emulated.seconds)
                    .await
            }
            None => inner.prove_emulation(arch, qemu).await,
        };
        verdict.fingerprint = fingerprint;
        tracing::info!(%arch, %accelerator, usable = verdict.usable, reason = verdict.reason, "accelerator tested");
        if verdict.tested {
            cache.put(verdict.clone());
            cache.save(&inner.cache_file);
        }
        verdict
    }

    /// The verdict for the processor's full architecture where `arch` is only its 32-bit half: what fails there fails
    /// here, and need not hang twice.
    async fn wider_verdict(&self, arch: Arch, accelerator: Accelerator) -> Option<Verdict> {
        if (arch, Arch::host()) != (Arch::I386, Some(Arch::X86_64)) || accelerator == Accelerator::Tcg {
            return None;
        }
        let qemu = self.find(Arch::X86_64).await;
        Some(Box::pin(self.verdict(Arch::X86_64, accelerator, &qemu)).await)
    }

    /// The verdict on emulation with its slow-down, measured now if it was not before.
    async fn measured(&self, arch: Arch, qemu: &Result<QemuBinary>) -> Verdict {
        let mut verdict = self.verdict(arch, Accelerator::Tcg, qemu).await;
        let (Ok(qemu), Some(payload), true, None) =
            (qemu, Payload::of(arch), verdict.tested, verdict.slowdown)
        else {
            return verdict;
        };
        if !verdict.usable {
            return verdict;
        }
        let mut slot = self.inner.cache.lock().await;
        let cache = self.inner.loaded(&mut slot);
        if let Some(known) = cache
            .get(arch, Accelerator::Tcg, &verdict.fingerprint)
            .filter(|v| v.slowdown.is_some())
        {
            return known.clone();
        }
        let times = measure::slowdown(&qemu.path, payload, &verdict.cpu_model).await;
        verdict.slowdown = Some(Slowdown { times });
        cache.put(verdict.clone());
        cache.save(&self.inner.cache_file);
        verdict
    }
}

impl Inner {
    fn loaded<'a>(&self, slot: &'a mut Option<Cache>) -> &'a mut Cache {
        slot.get_or_insert_with(|| Cache::load(&self.cache_file))
    }

    /// What identifies the accelerator, or the verdict when there is nothing to run a payload on.
    fn within_reach(
        &self,
        arch: Arch,
        accelerator: Accelerator,
        qemu: &Result<QemuBinary>,
    ) -> Result<String, Box<Verdict>> {
        let refused = |reason: String, cure: Option<String>, technical: Option<String>| {
            Err(Box::new(Verdict {
                cure,
                technical,
                ..untested(arch, accelerator, reason)
            }))
        };
        let identity = if accelerator == Accelerator::Tcg {
            String::new()
        } else if accelerator != sys::NATIVE {
            let system = std::env::consts::OS;
            return refused(
                format!("{} does not exist on {system}.", sys::spoken(accelerator)),
                None,
                None,
            );
        } else if !arch.is_native() {
            return refused(
                format!(
                    "{} runs only guests of this computer's own architecture ({}), not {}.",
                    sys::spoken(accelerator),
                    Arch::host().map_or(std::env::consts::ARCH, Arch::common_name),
                    arch.common_name()
                ),
                Some("Use emulation (tcg) for this guest.".to_owned()),
                None,
            );
        } else {
            match sys::native_presence(&self.device) {
                Ok(identity) => identity,
                Err(absent) => return refused(absent.reason, absent.cure, absent.technical),
            }
        };
        match qemu {
            Ok(_) => Ok(identity),
            Err(error) => {
                let cure = if error.hint.is_empty() {
                    install_hint(Need::Qemu(arch))
                } else {
                    error.hint.clone()
                };
                refused(format!("Not tested: {}", error.message), Some(cure), None)
            }
        }
    }

    async fn prove_emulation(&self, arch: Arch, qemu: &QemuBinary) -> Verdict {
        let cpu_model = cpu::cpu_model(arch, Accelerator::Tcg, qemu.version);
        let base = Verdict {
            cpu_model: cpu_model.to_owned(),
            ..untested(arch, Accelerator::Tcg, String::new())
        };
        let Some(payload) = Payload::of(arch) else {
            let reason = format!(
                "Emulates {} guests in software; it needs nothing of this computer. There is no test guest for it.",
                arch.common_name()
            );
            return Verdict {
                usable: true,
                reason,
                ..base
            };
        };
        let outcome = run(Run {
            qemu: &qemu.path,
            payload,
            accelerator: Accelerator::Tcg,
            cpu_model,
            iterations: 0,
            deadline: self.deadlines.emulated,
        })
        .await;
        if let Outcome::Passed(after) = outcome {
            let reason = format!(
                "Emulates {} guests in software: works everywhere, slower than a real processor. A test guest ran in {}.",
                arch.common_name(),
                words::seconds(after)
            );
            return Verdict {
                usable: true,
                tested: true,
                reason,
                seconds: Some(rounded(after)),
                ..base
            };
        }
        failed(
            base,
            words::explain(arch, Accelerator::Tcg, (cpu_model, &outcome), None, false),
        )
    }

    async fn prove_native(
        &self,
        arch: Arch,
        accelerator: Accelerator,
        qemu: &QemuBinary,
        emulated_seconds: Option<f64>,
    ) -> Verdict {
        let cpu_model = cpu::cpu_model(arch, accelerator, qemu.version);
        let base = Verdict {
            cpu_model: cpu_model.to_owned(),
            ..untested(arch, accelerator, String::new())
        };
        let Some(payload) = Payload::of(arch) else {
            let reason = format!(
                "There is no test guest for {} yet, so Nestbox emulates.",
                arch.common_name()
            );
            return Verdict { reason, ..base };
        };
        let deadline = Duration::from_secs_f64(emulated_seconds.unwrap_or(0.0).clamp(0.0, 100.0) * 4.0)
            .clamp(self.deadlines.native, self.deadlines.native_max);
        // With the loop, as starting a guest is not running one: a broken accelerator can step through a few hundred
        // instructions in time and still need minutes for what takes a processor some milliseconds.
        let attempt = |cpu_model| {
            run(Run {
                qemu: &qemu.path,
                payload,
                accelerator,
                cpu_model,
                iterations: measure::ITERATIONS,
                deadline,
            })
        };
        let first = attempt(cpu_model).await;
        if let Outcome::Passed(after) = first {
            return passed_native(base, after);
        }
        // A crash can come from one processor feature; a hang is the same with every model.
        let plainer =
            cpu::plainer_model(arch, accelerator).filter(|_| !matches!(first, Outcome::TimedOut(_)));
        let second = match plainer {
            Some(model) => Some((model, attempt(model).await)),
            None => None,
        };
        if let Some((model, Outcome::Passed(after))) = second {
            return passed_native(
                Verdict {
                    cpu_model: model.to_owned(),
                    ..base
                },
                after,
            );
        }
        let second = second.as_ref().map(|(model, outcome)| (*model, outcome));
        let nested = sys::inside_a_virtual_machine();
        failed(
            base,
            words::explain(arch, accelerator, (cpu_model, &first), second, nested),
        )
    }
}

fn untested(arch: Arch, accelerator: Accelerator, reason: String) -> Verdict {
    Verdict {
        arch,
        accelerator,
        fingerprint: String::new(),
        usable: false,
        tested: false,
        reason,
        cure: None,
        technical: None,
        cpu_model: String::new(),
        seconds: None,
        slowdown: None,
    }
}

fn passed_native(base: Verdict, after: Duration) -> Verdict {
    let reason = format!(
        "{} runs guests directly on this computer's processor. A test guest ran in {}.",
        capital(sys::spoken(base.accelerator)),
        words::seconds(after)
    );
    Verdict {
        usable: true,
        tested: true,
        reason,
        seconds: Some(rounded(after)),
        ..base
    }
}

fn failed(base: Verdict, why: words::Explanation) -> Verdict {
    Verdict {
        tested: true,
        reason: why.reason,
        cure: why.cure,
        technical: why.technical,
        ..base
    }
}

fn unusable(verdict: &Verdict) -> Error {
    let mut error = Error::unfit("accelerator-unusable", verdict.reason.clone())
        .with_hint(verdict.cure.clone().unwrap_or_default())
        .with_detail("accelerator", verdict.accelerator.as_str())
        .with_detail("arch", verdict.arch.as_str());
    if let Some(technical) = &verdict.technical {
        error = error.with_detail("technical", technical.clone());
    }
    error
}

fn report(verdict: Verdict) -> AcceleratorReport {
    AcceleratorReport {
        name: verdict.accelerator,
        arch: verdict.arch,
        usable: verdict.usable,
        tested: verdict.tested,
        reason: verdict.reason,
        cure: verdict.cure,
        technical: verdict.technical,
        seconds: verdict.seconds,
        slowdown: verdict.slowdown.and_then(|slowdown| slowdown.times),
    }
}

/// Everything a verdict depends on.
fn fingerprint(accelerator: Accelerator, qemu: &QemuBinary, device: &str) -> String {
    format!(
        "{accelerator} {device} | {} | {} {} {}",
        sys::kernel_release(),
        qemu.path.display(),
        qemu.version_text(),
        file_stamp(&qemu.path)
    )
}

/// Size and modification time, which a new build of QEMU changes.
fn file_stamp(path: &Path) -> String {
    std::fs::metadata(path).map_or_else(
        |_| "?".to_owned(),
        |meta| {
            let modified = meta
                .modified()
                .ok()
                .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
                .unwrap_or_default();
            format!("{}b@{}ns", meta.len(), modified.as_nanos())
        },
    )
}

fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
