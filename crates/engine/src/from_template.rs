//! Machines from the catalogue: the download, the disk, the seed.

use crate::hardware::{apply_hardware, check_disk, host_cpus, new_disk, pick_arch};
use crate::import::OWN_MEDIUM;
use crate::jobs::JobHandle;
use crate::machine::Handle;
use crate::{Engine, files, ports};
use nestbox_catalog::{FetchUpdate, Fetched, keys, seed};
use nestbox_disk::Backing;
use nestbox_model::{
    Arch, CreateRequest, DiskSpec, Error, FileAction, Firmware, GuestUser, ImageFormat, JobKind, JobStarted,
    MachineSpec, MediumSpec, Recognised, Result, Setup, StepState, Template, TemplateArch, TemplateKind,
};

impl Engine {
    pub(crate) async fn create_from_template(
        &self,
        template: Template,
        medium: Option<String>,
        request: CreateRequest,
    ) -> Result<JobStarted> {
        let arch = pick_arch(&template, request.arch)?;
        let offer = &template.arches[&arch];
        let (kind, own_medium) = (offer.kind, offer.own_medium);
        let medium = self.checked_medium(&template, offer, medium, arch).await?;
        let mut spec = self.new_spec(&request.name, arch, &request.tags)?;
        spec.template = Some(template.id.clone());
        spec.system = Some(template.name.clone());
        spec.cpus = template.defaults.cpus.min(host_cpus());
        spec.memory = template.defaults.memory;
        apply_hardware(&mut spec, &request);
        spec.firmware = request.firmware.or(template.firmware).unwrap_or(Firmware::Uefi);
        // Said before anything is downloaded.
        nestbox_accel::find_qemu(arch)?;
        if spec.firmware == Firmware::Uefi {
            nestbox_qemu::firmware::find(arch, spec.firmware)?;
        }
        let capacity = check_disk(request.disk.unwrap_or(template.defaults.disk))?;
        let mut disk = new_disk(capacity);
        disk.bus = template.disk_bus.unwrap_or_default();
        spec.disks = vec![disk.clone()];
        spec.medium = medium.map(|path| MediumSpec { path });
        let setup = template.setup.with(&request.setup);
        if kind == TemplateKind::CloudImage {
            let user = request
                .user
                .clone()
                .or_else(|| template.user.clone())
                .unwrap_or_else(|| "user".into());
            seed::check_user(&user)?;
            // Said before anything is downloaded.
            seed::check(&seed_spec(
                &spec,
                &user,
                Vec::new(),
                template.user.clone(),
                &request,
                setup.clone(),
            ))?;
            spec.user = Some(GuestUser {
                name: user,
                private_key: Some("ssh/id_ed25519".into()),
                has_password: request.password.is_some(),
            });
            spec.seed = Some("seed.img".into());
            spec.ports = vec![ports::free_ssh_forward(self)?];
        }
        let (handle, journal) = self.begin_machine(spec)?;
        let mut steps = match own_medium {
            true => Vec::new(),
            false => vec![
                ("resolve", "Find the current release"),
                ("verify-signature", "Check the signature"),
                ("download", "Download"),
                ("verify-image", "Check the image"),
            ],
        };
        steps.push(("disk", "Make the disk"));
        if kind == TemplateKind::CloudImage {
            steps.push(("seed", "Set up the account"));
        }
        let job = self.making_job(&handle, journal, JobKind::Create, &steps, request.start)?;
        let (engine, worker, making, start) = (self.clone(), job.clone(), handle.clone(), request.start);
        let work = async move {
            let _needed = engine.0.making.read().await;
            let fetched = match own_medium {
                true => None,
                false => Some(engine.fetch(&template.id, arch, &worker).await?),
            };
            worker.step("disk", StepState::Running, None);
            engine.furnish(&making, kind, fetched.as_ref(), &worker).await?;
            worker.step("disk", StepState::Done, None);
            worker.check_cancelled()?;
            if kind == TemplateKind::CloudImage {
                worker.step("seed", StepState::Running, None);
                engine.write_seed(&making, &request, setup).await?;
                worker.step("seed", StepState::Done, None);
            }
            Ok(())
        };
        Ok(self.run_making(handle, journal, job, start, work))
    }

    async fn fetch(&self, id: &str, arch: Arch, job: &JobHandle) -> Result<Fetched> {
        let reporter = job.clone();
        let on_update = move |update: FetchUpdate| match update {
            FetchUpdate::Step { id, state, detail } => reporter.step(id, state, detail),
            FetchUpdate::Bytes { done, total } => reporter.bytes(done, total),
        };
        self.0
            .catalog
            .fetch(id, arch, &self.mirrors()?, &job.fetch_control(), &on_update)
            .await
    }

    /// The user's ISO, for a template that leaves it to them.
    async fn checked_medium(
        &self,
        template: &Template,
        offer: &TemplateArch,
        medium: Option<String>,
        arch: Arch,
    ) -> Result<Option<String>> {
        let Some(path) = medium else {
            return match offer.own_medium {
                false => Ok(None),
                true => Err(Error::usage(
                    "medium-needed",
                    format!(
                        "{} comes on an ISO of your own; there is nothing to download.",
                        template.name
                    ),
                )
                .with_hint(format!(
                    "Give the ISO's file: `nestbox create NAME --template {} --iso FILE`.",
                    template.id
                ))),
            };
        };
        if !offer.own_medium {
            return Err(Error::usage(
                "option-not-applicable",
                format!("{} brings its own image; it takes no ISO.", template.name),
            )
            .with_hint("Leave the template out to start from the ISO."));
        }
        let plan = self.settled_plan(&path, Some(arch)).await?.plan;
        if plan.recognised != Recognised::Iso {
            return Err(Error::usage(
                "wrong-kind-of-file",
                format!("That file is not an ISO image: {path}"),
            )
            .with_hint("Unpack it first if it is compressed."));
        }
        Ok(Some(path))
    }

    /// The first disk, and the medium where there is one.
    async fn furnish(
        &self,
        making: &Handle,
        kind: TemplateKind,
        fetched: Option<&Fetched>,
        job: &JobHandle,
    ) -> Result<()> {
        let disk = making
            .spec()
            .disks
            .first()
            .cloned()
            .ok_or_else(|| Error::failed("internal", "The new machine has no disk."))?;
        match (kind, fetched) {
            (TemplateKind::CloudImage, Some(fetched)) if fetched.is_packed() => {
                self.unpacked_disk(making, &disk, fetched, job).await
            }
            (TemplateKind::CloudImage, Some(fetched)) => self.cloud_disk(making, &disk, fetched).await,
            (_, fetched) => {
                let image = self.folder(&making.id).disk_image(&disk.image);
                nestbox_disk::create(&image, disk.capacity, None).await?;
                match fetched {
                    Some(fetched) => self.insert_fetched(making, fetched, job).await,
                    None => Ok(()),
                }
            }
        }
    }

    async fn insert_fetched(&self, making: &Handle, fetched: &Fetched, job: &JobHandle) -> Result<()> {
        let mut path = fetched.path.display().to_string();
        if fetched.is_packed() {
            let unpacked = self.folder(&making.id).path().join(OWN_MEDIUM);
            crate::import::unpack(&path, &unpacked, job).await?;
            path = unpacked.display().to_string();
        }
        let mut spec = making.spec();
        spec.medium = Some(MediumSpec { path });
        self.save_spec(making, spec)
    }

    /// A disk of its own from a compressed image, which can't be read in place.
    async fn unpacked_disk(
        &self,
        making: &Handle,
        disk: &DiskSpec,
        fetched: &Fetched,
        job: &JobHandle,
    ) -> Result<()> {
        let inspection = crate::import::inspect(&fetched.path.display().to_string()).await?;
        let image = self.folder(&making.id).disk_image(&disk.image);
        let reporter = job.clone();
        let progress = move |done, total| reporter.bytes(done, Some(total));
        let imported = nestbox_disk::import_disk(
            &inspection,
            FileAction::Copy,
            &image,
            &progress,
            &job.cancel_token(),
        )
        .await?;
        if imported.capacity < disk.capacity {
            return nestbox_disk::resize(&image, disk.capacity).await;
        }
        let mut spec = making.spec();
        if let Some(first) = spec.disks.first_mut() {
            first.capacity = imported.capacity;
        }
        self.save_spec(making, spec)
    }

    /// An overlay on the cached image: the second machine of an image costs nothing.
    async fn cloud_disk(&self, handle: &Handle, disk: &DiskSpec, fetched: &Fetched) -> Result<()> {
        let base = fetched.path.clone();
        let inspection = tokio::task::spawn_blocking(move || nestbox_disk::inspect(&base))
            .await
            .map_err(|e| {
                Error::failed(
                    "internal",
                    format!("Looking at the image ended unexpectedly: {e}."),
                )
            })??;
        let format = match inspection.recognised {
            nestbox_model::Recognised::Qcow2 => ImageFormat::Qcow2,
            nestbox_model::Recognised::Raw => ImageFormat::Raw,
            _ => {
                return Err(Error::unsafe_input(
                    "unexpected-format",
                    "The downloaded image is neither a qcow2 nor a raw disk.",
                ));
            }
        };
        let virtual_size = inspection.capacity();
        let capacity = disk.capacity.max(virtual_size);
        let name = fetched
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let backing = Backing {
            path: &fetched.path,
            format,
            stored_as: format!("../../../cache/images/{name}"),
        };
        nestbox_disk::create(
            &self.folder(&handle.id).disk_image(&disk.image),
            capacity,
            Some(backing),
        )
        .await?;
        if capacity != disk.capacity {
            let mut spec = handle.spec();
            spec.disks[0].capacity = capacity;
            self.save_spec(handle, spec)?;
        }
        Ok(())
    }

    async fn write_seed(&self, handle: &Handle, request: &CreateRequest, setup: Setup) -> Result<()> {
        let spec = handle.spec();
        let folder = self.folder(&handle.id);
        let default_user = spec
            .template
            .as_ref()
            .and_then(|id| self.template(id).ok())
            .and_then(|template| template.user);
        files::make_private_folder(&folder.ssh())?;
        let own_key = keys::generate(&folder.ssh(), &format!("nestbox {}", spec.id.short()))?;
        let user = spec
            .user
            .as_ref()
            .map(|user| user.name.clone())
            .unwrap_or_default();
        let seed = seed_spec(&spec, &user, vec![own_key], default_user, request, setup);
        let path = folder.path().join("seed.img");
        tokio::task::spawn_blocking(move || seed::write(&path, &seed))
            .await
            .map_err(|e| Error::failed("internal", format!("Writing the seed ended unexpectedly: {e}.")))?
    }

    /// The catalogue.
    pub fn templates(&self, arch: Option<Arch>) -> Result<Vec<Template>> {
        let mut templates = self.0.catalog.templates(&self.mirrors()?);
        if let Some(arch) = arch {
            templates.retain(|template| template.arches.contains_key(&arch));
        }
        Ok(templates)
    }

    /// One template.
    pub fn template(&self, id: &str) -> Result<Template> {
        self.0.catalog.template(id, &self.mirrors()?)
    }
}

/// What the seed says: the machine's own keys first, then the user's.
fn seed_spec(
    spec: &MachineSpec,
    user: &str,
    mut ssh_keys: Vec<String>,
    default_user: Option<String>,
    request: &CreateRequest,
    setup: Setup,
) -> seed::SeedSpec {
    ssh_keys.extend(request.ssh_keys.iter().cloned());
    seed::SeedSpec {
        instance_id: spec.id.to_string(),
        hostname: spec.name.clone(),
        user: Some(user.to_owned()),
        password: request.password.clone(),
        ssh_keys,
        user_data: request.user_data.clone(),
        default_user,
        setup,
    }
}
