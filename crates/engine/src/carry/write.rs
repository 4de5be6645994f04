//! Writing a machine's disks, or all of it, and giving what was made its names.

use super::export::{Moment, Wanted};
use crate::jobs::JobHandle;
use crate::{Engine, files};
use nestbox_disk::export::{self, Judged, OvaDisk, Place, utm};
use nestbox_model::{Error, ExportFormat, ExportRequest, ImageFormat, MachineSpec, Result, StepState};
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use uuid::Uuid;

/// A file in an export's result.
#[derive(Debug, Serialize)]
pub(super) struct Exported {
    pub path: PathBuf,
    bytes: u64,
    sha256: String,
}

/// What is written, for whom.
struct Work<'a> {
    moment: &'a Moment,
    /// Indices of the disks.
    disks: &'a [usize],
    wanted: &'a Wanted,
    workshop: TempDir,
    job: &'a JobHandle,
}

impl Engine {
    pub(super) async fn write_moment(
        &self,
        moment: &Moment,
        disks: &[usize],
        wanted: &Wanted,
        request: &ExportRequest,
        job: &JobHandle,
    ) -> Result<Vec<Exported>> {
        let work = Work {
            moment,
            disks,
            wanted,
            workshop: wanted.places[0].workshop()?,
            job,
        };
        match wanted.format {
            ExportFormat::Ova => work.ova().await,
            ExportFormat::Utm => work.utm(request.compress).await,
            format => {
                let name = |number, _| format!("disk{number}");
                let made = work.disks(format, request.compress, &name).await?;
                work.begin_finish();
                let named = work.name_disks(&made).await?;
                job.step("finish", StepState::Done, None);
                Ok(named)
            }
        }
    }
}

impl Work<'_> {
    /// Writes each disk into the workshop, under the name that `name` gives its number (from 1).
    async fn disks(
        &self,
        format: ExportFormat,
        compress: bool,
        name: &(dyn Fn(usize, usize) -> String + Send + Sync),
    ) -> Result<Vec<PathBuf>> {
        let spec = &self.moment.spec;
        let total: u64 = self.disks.iter().map(|index| spec.disks[*index].capacity).sum();
        let (mut made, mut before) = (Vec::new(), 0);
        for (number, index) in (1..).zip(self.disks) {
            let to = self.workshop.path().join(name(number, *index));
            let reporter = self.job.clone();
            let progress = move |done: u64, _| reporter.bytes(before + done, Some(total));
            let image = Judged {
                path: &self.moment.images[*index],
                format: ImageFormat::Qcow2,
                capacity: spec.disks[*index].capacity,
            };
            let cancel = self.job.cancel_token();
            export::write_disk(image, &to, format, compress, &progress, &cancel).await?;
            before += image.capacity;
            made.push(to);
        }
        Ok(made)
    }

    fn begin_finish(&self) {
        self.job.step("write", StepState::Done, None);
        self.job.step("finish", StepState::Running, None);
    }

    /// Secures the disks, writes the settings beside them, and gives all of them their names, or none.
    async fn name_disks(&self, made: &[PathBuf]) -> Result<Vec<Exported>> {
        let cancel = self.job.cancel_token();
        let mut ready = Vec::new();
        for (path, place) in made.iter().zip(&self.wanted.places) {
            let (bytes, hash) = export::sync_and_hash(path, &cancel).await?;
            ready.push((path.clone(), place, bytes, hash));
        }
        if let Some(place) = &self.wanted.settings {
            let path = self.workshop.path().join("settings");
            let text = settings_text(&self.moment.spec, self.disks, &self.wanted.places)?;
            std::fs::write(&path, text).map_err(|e| Error::io("write the settings", &path, &e))?;
            let (bytes, hash) = export::sync_and_hash(&path, &cancel).await?;
            ready.push((path, place, bytes, hash));
        }
        self.job.check_cancelled()?;
        for (_, place, ..) in &ready {
            place.check_file()?;
        }
        let (mut named, mut new): (Vec<Exported>, Vec<&Path>) = (Vec::new(), Vec::new());
        for (path, place, bytes, hash) in ready {
            let replaces = place.is_taken();
            if let Err(error) = place.keep_file(&path) {
                // Named a moment ago by us. What took the place of a file stays: the file is gone.
                for before in new {
                    let _ = std::fs::remove_file(before);
                }
                return Err(error);
            }
            if !replaces {
                new.push(place.path());
            }
            named.push(exported(place.path(), bytes, hash));
        }
        Ok(named)
    }

    async fn ova(&self) -> Result<Vec<Exported>> {
        let made = self
            .disks(ExportFormat::Vmdk, true, &|number, _| format!("disk{number}"))
            .await?;
        self.begin_finish();
        let disks = made.into_iter().zip(self.disks).map(|(file, index)| OvaDisk {
            file,
            capacity: self.moment.spec.disks[*index].capacity,
        });
        let disks = disks.collect();
        let reporter = self.job.clone();
        let progress = move |done, total| reporter.bytes(done, Some(total));
        let (cancel, to) = (self.job.cancel_token(), self.workshop.path().join("machine"));
        export::write_ova(&self.moment.spec, disks, &to, &progress, &cancel).await?;
        let (bytes, hash) = export::sync_and_hash(&to, &cancel).await?;
        self.job.check_cancelled()?;
        let place = &self.wanted.places[0];
        place.keep_file(&to)?;
        self.job.step("finish", StepState::Done, None);
        Ok(vec![exported(place.path(), bytes, hash)])
    }

    async fn utm(&self, compress: bool) -> Result<Vec<Exported>> {
        let (moment, cancel) = (self.moment, self.job.cancel_token());
        let folder = self.workshop.path().join("machine");
        let data = folder.join("Data");
        std::fs::create_dir_all(&data).map_err(|e| Error::io("make a folder", &data, &e))?;
        // The settings first: what UTM can't have is said before anything long begins.
        let names: Vec<String> = self
            .disks
            .iter()
            .map(|_| format!("{}.qcow2", Uuid::new_v4().to_string().to_uppercase()))
            .collect();
        let mut spec = moment.spec.clone();
        spec.disks = self
            .disks
            .iter()
            .map(|index| moment.spec.disks[*index].clone())
            .collect();
        utm::write_config(&spec, &names, &folder)?;
        let inside = |number: usize, _| format!("machine/Data/{}", names[number - 1]);
        let mut made = self.disks(ExportFormat::Qcow2, compress, &inside).await?;
        if let Some(nvram) = &moment.nvram {
            let to = data.join(utm::VARIABLES);
            let image = Judged {
                path: nvram,
                format: ImageFormat::Qcow2,
                capacity: nestbox_disk::capacity(nvram)?,
            };
            export::write_disk(image, &to, ExportFormat::Raw, false, &|_, _| (), &cancel).await?;
            made.push(to);
        }
        made.insert(0, folder.join(utm::CONFIG));
        self.begin_finish();
        let place = &self.wanted.places[0];
        let mut files = Vec::new();
        for path in &made {
            let (bytes, hash) = export::sync_and_hash(path, &cancel).await?;
            let inside = path.strip_prefix(&folder).unwrap_or(path);
            files.push(exported(&place.path().join(inside), bytes, hash));
        }
        files::sync_folder(&data)?;
        files::sync_folder(&folder)?;
        self.job.check_cancelled()?;
        place.keep_folder(&folder, &self.workshop)?;
        self.job.step("finish", StepState::Done, None);
        Ok(files)
    }
}

fn exported(path: &Path, bytes: u64, sha256: String) -> Exported {
    Exported {
        path: path.to_owned(),
        bytes,
        sha256,
    }
}

/// The settings beside exported disks: what another program or person needs to make such a machine.
fn settings_text(spec: &MachineSpec, disks: &[usize], places: &[Place]) -> Result<String> {
    let disks: Vec<_> = disks
        .iter()
        .zip(places)
        .map(|(index, place)| {
            let disk = &spec.disks[*index];
            json!({
                "file": place.path().file_name().unwrap_or_default().to_string_lossy(),
                "capacity": disk.capacity,
                "bus": disk.bus.as_str(),
                "read_only": disk.read_only,
                "label": disk.label.clone().unwrap_or_default(),
            })
        })
        .collect();
    let nics: Vec<_> = spec
        .nics
        .iter()
        .map(|nic| json!({ "mac": nic.mac, "link": nic.link }))
        .collect();
    let settings = json!({
        "version": 1,
        "name": spec.name,
        "system": spec.system.clone().unwrap_or_default(),
        "arch": spec.arch,
        "cpus": spec.cpus,
        "memory": spec.memory,
        "firmware": spec.firmware,
        "clock_local": spec.clock_local,
        "boot_order": spec.boot_order,
        "tags": spec.tags,
        "notes": spec.notes,
        "disks": disks,
        "nics": nics,
        "ports": spec.ports,
    });
    toml::to_string_pretty(&settings).map_err(|e| {
        Error::failed(
            "spec-unwritable",
            format!("The machine's settings can't be written: {e}."),
        )
    })
}
