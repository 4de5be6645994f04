//! Start, stop and everything between; and the watcher that learns what happens to a running machine.

use crate::machine::{Handle, MachineRef, shell_word};
use crate::{Engine, files, ports};
use nestbox_accel::Choice;
use nestbox_disk::ChainLink;
use nestbox_model::{
    Accelerator, AcceleratorChoice, Arch, CommandShown, DiskSpec, Error, EventKind, Firmware, Logs, Machine,
    MachineSpec, MachineState, Result,
};
use nestbox_qemu::{DiskPlan, ImageRef, MachinePlan, NicPlan, RunState, Session, SessionEvent, firmware};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a guest that was asked to shut down counts as stopping.
const SHUT_DOWN_PATIENCE: Duration = Duration::from_secs(90);
/// How much of each log is shown.
const LOG_TAIL_BYTES: u64 = 256 << 10;

impl Engine {
    /// Starts a machine and returns when its guest runs; a suspended one goes on where it was. `accelerator` overrides
    /// the machine's own choice once. What a `disposable` run writes is thrown away when it ends.
    ///
    /// # Errors
    /// `machine-running`, `machine-busy`, `machine-suspended`; whatever hinders the hypervisor, with the way out.
    pub async fn start(
        &self,
        wanted: MachineRef<'_>,
        accelerator: Option<Accelerator>,
        disposable: bool,
    ) -> Result<Machine> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        self.start_locked(&handle, accelerator, disposable).await?;
        Ok(self.view(&handle))
    }

    pub(crate) async fn start_locked(
        &self,
        handle: &Arc<Handle>,
        accelerator: Option<Accelerator>,
        disposable: bool,
    ) -> Result<()> {
        let state = handle.state();
        if state.is_active() {
            return Err(Error::conflict(
                "machine-running",
                format!("“{}” is {} already.", handle.name(), state.as_str()),
            ));
        }
        if state == MachineState::Broken {
            let reason = handle.read().reason.clone().unwrap_or_default();
            return Err(Error::failed(
                "machine-broken",
                format!("“{}” can't run: {reason}", handle.name()),
            )
            .with_hint("Run: nestbox library check"));
        }
        let suspended = handle.read().spec.suspended.clone();
        if suspended.is_some() && (disposable || accelerator.is_some()) {
            return Err(Error::conflict(
                "machine-suspended",
                format!("“{}” is suspended, and goes on only as it was.", handle.name()),
            )
            .with_hint(format!(
                "Start it without options, or throw its memory away first: nestbox discard-state {}",
                shell_word(&handle.name())
            )));
        }
        let began = std::time::Instant::now();
        if let Some(suspended) = suspended {
            self.set_state(handle, MachineState::Starting, None);
            return self.wake(handle, suspended).await;
        }
        // Where the run's end found an operation that did not end.
        self.end_disposable(handle)?;
        self.snapshot_before_start(handle).await?;
        self.set_state(handle, MachineState::Starting, None);
        let launched = async {
            if disposable {
                self.begin_disposable(handle).await?;
            }
            self.launch(handle, accelerator, None).await
        };
        match launched.await {
            Ok(_) => {
                let message = format!("Started in {:.1} s", began.elapsed().as_secs_f64());
                self.tell_machine(EventKind::MachineState, handle, Some(message));
                Ok(())
            }
            Err(error) => {
                self.end_disposable(handle)?;
                self.set_state(handle, MachineState::Stopped, Some(error.message.clone()));
                Err(error)
            }
        }
    }

    /// Before a running guest is ended for the memory of `file`, or a process is made for it.
    ///
    /// # Errors
    /// `memory-unfit` with both versions; `memory-damaged`.
    pub(crate) async fn check_memory_fits(&self, arch: Arch, ram: u64, file: &Path) -> Result<()> {
        let path = file.to_owned();
        let note = tokio::task::spawn_blocking(move || nestbox_qemu::memory_note(&path))
            .await
            .map_err(|e| {
                Error::failed(
                    "internal",
                    format!("Looking at the memory ended unexpectedly: {e}."),
                )
            })??;
        let capabilities = self.0.backend.capabilities(arch).await?;
        nestbox_qemu::memory_fits(&note, &capabilities, ram)
    }

    /// Makes the process. With `memory`, it goes on from that file (the guest is left paused for the caller). When
    /// the automatically chosen accelerator fails, TCG is tried and the failure remembered.
    pub(crate) async fn launch(
        &self,
        handle: &Arc<Handle>,
        accelerator: Option<Accelerator>,
        memory: Option<&Path>,
    ) -> Result<Arc<dyn Session>> {
        let wanted = accelerator.or(handle.read().spec.accelerator.forced());
        let arch = handle.read().spec.arch;
        let mut choice = self.0.probe.choose(arch, wanted).await?;
        self.ensure_nvram(handle).await?;
        if memory.is_none() {
            self.settle_slots(handle).await?;
        }
        ports::settle_before_start(self, handle)?;
        let mut port_tries = 3;
        loop {
            let plan = self.plan(&handle.spec(), &choice, memory.is_some())?;
            files::make_private_folder(&self.folder(&handle.id).logs())?;
            let launched = self.0.backend.launch(&plan).await;
            match launched {
                Ok(session) => {
                    if let Some(file) = memory
                        && let Err(error) = session.load_memory(file).await
                    {
                        let _ = session.end().await;
                        return Err(error);
                    }
                    {
                        let mut cell = handle.write();
                        cell.accelerator = Some(choice.accelerator);
                        cell.accelerator_reason = Some(choice.reason.clone());
                        cell.started_at = Some(session.started_at());
                    }
                    self.attach_session(handle, session.clone()).await;
                    return Ok(session);
                }
                Err(error)
                    if choice.accelerator != Accelerator::Tcg
                        && wanted.is_none()
                        && error.code == "accelerator-unusable" =>
                {
                    tracing::warn!(%error, machine = %handle.id, "the accelerator failed; falling back to emulation");
                    self.0
                        .probe
                        .note_failure(plan.arch, choice.accelerator, &error.message)
                        .await;
                    choice = self.0.probe.choose(plan.arch, Some(Accelerator::Tcg)).await?;
                    choice.reason = format!(
                        "{} failed to start this machine, so it is emulated.",
                        plan.accelerator
                    );
                }
                // Another program was quicker; an automatic forward moves on.
                Err(error) if error.code == "port-taken" && port_tries > 0 => {
                    port_tries -= 1;
                    let before = handle.spec().ports;
                    ports::settle_before_start(self, handle)?;
                    if handle.spec().ports == before {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Private UEFI variables, made once, before the first start.
    async fn ensure_nvram(&self, handle: &Handle) -> Result<()> {
        let spec = handle.spec();
        if spec.firmware != Firmware::Uefi || spec.nvram.is_some() {
            return Ok(());
        }
        let found = firmware::find(spec.arch, spec.firmware)?;
        if found.vars_template.is_none() {
            return Ok(());
        }
        let folder = self.folder(&spec.id);
        files::make_private_folder(&folder.nvram())?;
        let name = new_image_name();
        firmware::make_vars(&found, &folder.nvram_image(&name)).await?;
        self.save_spec(
            handle,
            MachineSpec {
                nvram: Some(name),
                ..spec
            },
        )
    }

    /// The whole backing chain of an image, from the headers, allowed only inside the library and, at the bottom,
    /// the user's own linked file.
    pub(crate) fn chain(&self, image: &Path, linked: Option<&str>) -> Result<Vec<ChainLink>> {
        let mut roots = vec![self.layout().home()];
        // The file itself, never a folder: a root that is a folder would open all below it.
        roots.extend(
            linked
                .map(Path::new)
                .filter(|path| path.is_absolute() && !path.is_dir()),
        );
        nestbox_disk::chain(image, &roots)
    }

    /// Everything the command line needs.
    pub(crate) fn plan(&self, spec: &MachineSpec, choice: &Choice, incoming: bool) -> Result<MachinePlan> {
        let folder = self.folder(&spec.id);
        let images = |links: Vec<ChainLink>| -> Vec<ImageRef> {
            links
                .into_iter()
                .map(|link| ImageRef {
                    path: link.path,
                    format: link.format,
                })
                .collect()
        };
        let mut disks = Vec::new();
        for (disk, number) in spec.disks.iter().zip(1..) {
            check_linked(spec, disk, number)?;
            let chain = self.chain(&folder.disk_image(&disk.image), disk.linked.as_deref())?;
            disks.push(DiskPlan {
                id: disk.id.clone(),
                chain: images(chain),
                read_only: disk.read_only,
                connection: crate::disks::connection(disk),
            });
        }
        let nvram = match &spec.nvram {
            Some(name) => Some(images(self.chain(&folder.nvram_image(name), None)?)),
            None => None,
        };
        if let Some(medium) = &spec.medium
            && !Path::new(&medium.path).exists()
        {
            return Err(Error::not_found(
                "medium-missing",
                format!(
                    "The medium in the drive of “{}” is not there any more: {}",
                    spec.name, medium.path
                ),
            )
            .with_hint(format!(
                "Put the file back, or eject it with: nestbox media eject {}",
                shell_word(&spec.name)
            )));
        }
        // The board's built-in firmware needs no file.
        let firmware_code = match spec.firmware {
            Firmware::Bios => None,
            Firmware::Uefi => Some(firmware::find(spec.arch, spec.firmware)?.code),
        };
        Ok(MachinePlan {
            id: spec.id.clone(),
            name: spec.name.clone(),
            arch: spec.arch,
            cpus: spec.cpus,
            memory: spec.memory,
            firmware: spec.firmware,
            firmware_code,
            nvram,
            accelerator: choice.accelerator,
            cpu_model: choice.cpu_model.clone(),
            disks,
            images: folder.disks(),
            expansion_slots: spec.expansion_slots,
            seed: spec.seed.as_ref().map(|name| folder.path().join(name)),
            medium: spec.medium.as_ref().map(|medium| medium.path.clone().into()),
            nics: spec
                .nics
                .iter()
                .enumerate()
                .map(|(index, nic)| NicPlan {
                    id: nic.id.clone(),
                    mac: nic.mac.clone(),
                    link: nic.link,
                    forwards: if index == 0 {
                        spec.ports.clone()
                    } else {
                        Vec::new()
                    },
                })
                .collect(),
            resolution: (spec.display.width, spec.display.height),
            clock_local: spec.clock_local,
            boot_order: spec.boot_order.clone(),
            run: self.layout().machine_run(&spec.id),
            serial_log: folder.serial_log(),
            backend_log: folder.backend_log(),
            incoming,
        })
    }

    /// The exact command a machine runs as, or would.
    pub async fn command(&self, wanted: MachineRef<'_>) -> Result<CommandShown> {
        let handle = self.find(wanted)?;
        let spec = handle.spec();
        let forced = handle.read().accelerator.or(spec.accelerator.forced());
        let choice = self.0.probe.choose(spec.arch, forced).await?;
        let capabilities = self.0.backend.capabilities(spec.arch).await?;
        let argv = nestbox_qemu::command_line(&self.plan(&spec, &choice, false)?, &capabilities);
        Ok(CommandShown {
            shell: nestbox_qemu::shell_quoted(&argv),
            argv,
        })
    }

    /// Puts a live session into the handle and watches it until it ends.
    pub(crate) async fn attach_session(&self, handle: &Arc<Handle>, session: Arc<dyn Session>) {
        let mut events = session.subscribe();
        let state = match session.run_state().await {
            Ok(RunState::Running) => MachineState::Running,
            Ok(_) => MachineState::Paused,
            Err(_) => MachineState::Running,
        };
        {
            let mut cell = handle.write();
            cell.session = Some(session.clone());
            cell.state = state;
            cell.reason = None;
        }
        self.tell_machine(EventKind::MachineState, handle, None);
        let (engine, handle) = (self.clone(), handle.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    event = events.recv() => match event {
                        Ok(SessionEvent::Exited { .. }) | Err(tokio::sync::broadcast::error::RecvError::Closed) => break,
                        Ok(event) => engine.session_said(&handle, &session, &event),
                        Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    },
                    _ = session.wait_exit() => break,
                }
            }
            let exit = session.wait_exit().await;
            engine.session_ended(&handle, &session, exit.reason);
        });
    }

    fn session_said(&self, handle: &Arc<Handle>, session: &Arc<dyn Session>, event: &SessionEvent) {
        if !is_current(handle, session) {
            return;
        }
        match event {
            SessionEvent::Paused if handle.state() == MachineState::Running => {
                self.set_state(handle, MachineState::Paused, None);
            }
            SessionEvent::Resumed
                if matches!(handle.state(), MachineState::Paused | MachineState::Starting) =>
            {
                self.set_state(handle, MachineState::Running, None);
            }
            SessionEvent::DiskGone(_) => self.disk_is_gone(handle),
            SessionEvent::IoError { no_space: true, .. } => {
                let reason = "The disk of this computer is full, so the guest was paused. Free some space, then resume it.";
                self.set_state(handle, MachineState::Paused, Some(reason.into()));
            }
            SessionEvent::IoError { .. } => {
                let reason = "Reading or writing its disk failed, so the guest was paused.";
                self.set_state(handle, MachineState::Paused, Some(reason.into()));
            }
            _ => {}
        }
    }

    fn session_ended(&self, handle: &Arc<Handle>, session: &Arc<dyn Session>, reason: Option<String>) {
        {
            let mut cell = handle.write();
            // A restore puts a new session in place before the old one's end is seen.
            if !cell
                .session
                .as_ref()
                .is_some_and(|current| Arc::ptr_eq(current, session))
            {
                return;
            }
            cell.session = None;
            if let Some(display) = cell.display.take() {
                display.end(reason.as_deref().unwrap_or("The machine is off."));
            }
            cell.accelerator = None;
            cell.accelerator_reason = None;
            cell.started_at = None;
            // Settings that can't be read were no hindrance to what ran already; a new start needs them.
            let broken = files::read_spec(&self.folder(&handle.id)).err();
            cell.state = if broken.is_some() {
                MachineState::Broken
            } else {
                MachineState::Stopped
            };
            cell.reason = broken.map(|error| error.message).or_else(|| reason.clone());
        }
        self.disposable_is_over(handle);
        self.tidy_if_too_deep(handle);
        let message = match reason {
            Some(reason) => format!("Ended: {reason}"),
            None => "Stopped".into(),
        };
        self.tell_machine(EventKind::MachineState, handle, Some(message));
    }

    /// Asks the guest to shut down and returns at once; with `force`, ends it and returns when it is gone.
    pub async fn stop(&self, wanted: MachineRef<'_>, force: bool) -> Result<Machine> {
        let handle = self.find(wanted)?;
        if force {
            let session = handle.session()?;
            self.set_state(&handle, MachineState::Stopping, None);
            session.end().await?;
            self.session_ended(&handle, &session, None);
            return Ok(self.view(&handle));
        }
        let _guard = handle.lock_ready().await?;
        let session = handle.session()?;
        if handle.state() == MachineState::Paused {
            session.resume().await?;
        }
        session.shut_down().await?;
        self.set_state(&handle, MachineState::Stopping, None);
        let (engine, watched) = (self.clone(), handle.clone());
        tokio::spawn(async move {
            if tokio::time::timeout(SHUT_DOWN_PATIENCE, session.wait_exit())
                .await
                .is_err()
                && is_current(&watched, &session)
                && watched.state() == MachineState::Stopping
            {
                let reason = "The guest was asked to shut down and did not. It may be waiting for someone, or not know how.";
                engine.set_state(&watched, MachineState::Running, Some(reason.into()));
            }
        });
        Ok(self.view(&handle))
    }

    /// Resets the guest as the reset button does.
    pub async fn reset(&self, wanted: MachineRef<'_>) -> Result<Machine> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        handle.session()?.reset().await?;
        self.tell_machine(EventKind::MachineState, &handle, Some("Reset".into()));
        Ok(self.view(&handle))
    }

    /// Makes the guest stand still.
    pub async fn pause(&self, wanted: MachineRef<'_>) -> Result<Machine> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        handle.session()?.pause().await?;
        self.set_state(&handle, MachineState::Paused, None);
        Ok(self.view(&handle))
    }

    /// Lets a paused guest go on.
    pub async fn resume(&self, wanted: MachineRef<'_>) -> Result<Machine> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        handle.session()?.resume().await?;
        self.set_state(&handle, MachineState::Running, None);
        Ok(self.view(&handle))
    }

    /// The last part of a machine's logs.
    pub fn logs(&self, wanted: MachineRef<'_>) -> Result<Logs> {
        let handle = self.find(wanted)?;
        let folder = self.folder(&handle.id);
        Ok(Logs {
            backend: tail(&folder.backend_log()),
            serial: tail(&folder.serial_log()),
        })
    }

    pub(crate) fn accelerator_choice(text: &str) -> Result<AcceleratorChoice> {
        serde_json::from_value(serde_json::Value::String(text.to_ascii_lowercase())).map_err(|_| {
            Error::usage("bad-value", format!("“{text}” is not an accelerator."))
                .with_hint("Use auto, kvm, hvf, whpx or tcg.")
        })
    }
}

/// # Errors
/// `linked-missing` where the user's file that a disk stands on is gone.
fn check_linked(spec: &MachineSpec, disk: &DiskSpec, number: usize) -> Result<()> {
    let Some(path) = disk.linked.as_deref().filter(|path| !Path::new(path).exists()) else {
        return Ok(());
    };
    let name = shell_word(&spec.name);
    Err(Error::not_found(
        "linked-missing",
        format!(
            "The file that {} of “{}” stands on is not there any more: {path}",
            crate::disks::disk_name(disk, number),
            spec.name
        ),
    )
    .with_hint(format!(
        "Put it back where it was, or do without the disk: nestbox disk detach {name} {}",
        disk.id.short()
    ))
    .with_detail("path", path))
}

fn is_current(handle: &Handle, session: &Arc<dyn Session>) -> bool {
    handle
        .read()
        .session
        .as_ref()
        .is_some_and(|current| Arc::ptr_eq(current, session))
}

/// A fresh name for an image of ours.
pub(crate) fn new_image_name() -> String {
    format!("{}.qcow2", nestbox_model::DiskId::random())
}

fn tail(path: &Path) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}
