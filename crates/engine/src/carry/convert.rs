//! One disk image becomes another.

use crate::Engine;
use crate::hardware::check_absolute;
use nestbox_disk::export::{self, Place};
use nestbox_model::{ConvertRequest, Error, Job, JobKind, Result, StepState};
use serde_json::json;
use std::path::{Path, PathBuf};

impl Engine {
    /// Converts a disk image of any kind that can be imported.
    ///
    /// # Errors
    /// `format-unclear`, `same-file` (usage); whatever is wrong with either path. What the file is refused for, and
    /// what happens while it is written, is the job's error, and then nothing is left.
    pub async fn convert(&self, request: ConvertRequest) -> Result<Job> {
        check_absolute(&request.file)?;
        let to = Path::new(&request.to);
        let format = match request.format {
            Some(format) => format,
            None => export::format_of(to)?,
        };
        let place = Place::file(to, request.overwrite, self.layout().home())?;
        let file = PathBuf::from(&request.file);
        if std::fs::canonicalize(&file).is_ok_and(|file| file == place.path()) {
            return Err(Error::usage(
                "same-file",
                "The new file would take the place of the one it is made of.",
            )
            .with_hint("Give it another name."));
        }
        let name = place.path().file_name().unwrap_or_default().to_string_lossy();
        let steps = [("read", "Look at the file"), ("convert", "Convert the disk")];
        let job = self.new_job(JobKind::Convert, format!("Convert to “{name}”"), None, &steps)?;
        let worker = job.clone();
        let to = place.clone();
        self.run_carrying(&job, [&to], async move {
            worker.step("read", StepState::Running, None);
            let inspection = crate::import::inspect(&request.file).await?;
            worker.step("read", StepState::Done, None);
            worker.step("convert", StepState::Running, None);
            let reporter = worker.clone();
            let progress = move |done, total| reporter.bytes(done, Some(total));
            let cancel = worker.cancel_token();
            let written = export::convert(&inspection, &place, format, &progress, &cancel).await?;
            worker.step("convert", StepState::Done, None);
            Ok(json!({ "path": written.path, "bytes": written.bytes }))
        })
    }
}
