//! Waiting for a job: progress on a terminal, Ctrl-C cancels it cleanly.

use crate::interrupt;
use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use nestbox_api::Client;
use nestbox_model::{Error, Job, JobState, Result};
use std::time::Duration;

const POLL: Duration = Duration::from_millis(100);

/// Waits until the job is over.
///
/// # Errors
/// The job's own error; `cancelled` (exit 130) after Ctrl-C. A second Ctrl-C does not wait for the cancelling.
pub async fn follow(client: &Client, job: &Job, output: &Output) -> Result<Job> {
    let interrupt = interrupt::claim();
    let bar = output.shows_progress().then(|| {
        let style =
            ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    });
    let mut said = String::new();
    let mut cancelled = false;
    loop {
        let now = client.job(job.id.as_str()).await?;
        match &bar {
            Some(bar) => {
                bar.set_message(now.message.clone());
                bar.set_length(now.bytes_total.unwrap_or(0));
                bar.set_position(now.bytes_done.unwrap_or(0));
            }
            None if !output.json && now.message != said && !now.state.is_over() => {
                output.note(&now.message);
                said.clone_from(&now.message);
            }
            None => {}
        }
        if now.state.is_over() {
            if let Some(bar) = &bar {
                bar.finish_and_clear();
            }
            return match now.state {
                JobState::Done => Ok(now),
                JobState::Cancelled => Err(Error::cancelled()),
                _ => Err(now
                    .error
                    .unwrap_or_else(|| Error::failed("job-failed", now.message))),
            };
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {},
            () = interrupt.pressed(), if !cancelled => {
                cancelled = true;
                output.note("Cancelling…");
                // It may have ended in the meantime; the next look tells.
                let _ = client.job_act(job.id.as_str(), "cancel").await;
            }
        }
    }
}
