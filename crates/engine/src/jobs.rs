//! Jobs: long work with progress, cancel and pause, kept in the library so that they outlive every client.

use crate::Engine;
use nestbox_catalog::FetchControl;
use nestbox_model::{Error, Job, JobId, JobKind, JobState, MachineId, Result, Step, StepState};
use nestbox_store::Library;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

/// Progress events of one job are at least this far apart.
const EVENT_GAP: Duration = Duration::from_millis(100);
/// Rates are averaged over this long.
const RATE_WINDOW: Duration = Duration::from_secs(5);
/// No estimate before there is this much data.
const ESTIMATE_AFTER: Duration = Duration::from_secs(2);
/// Ended jobs kept in memory and shown.
const KEPT: u32 = 200;

pub(crate) struct Jobs(RwLock<HashMap<JobId, Arc<JobEntry>>>);

struct JobEntry {
    cell: Mutex<JobCell>,
    cancel: CancellationToken,
    fetch: FetchControl,
}

struct JobCell {
    job: Job,
    last_event: Option<Instant>,
    samples: VecDeque<(Instant, u64)>,
}

impl JobEntry {
    fn cell(&self) -> MutexGuard<'_, JobCell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    /// Earlier jobs. One that was running when the service died was rolled back by the journal: it failed.
    pub fn load(library: &Library) -> Result<Self> {
        let mut jobs = HashMap::new();
        for mut job in library.jobs(KEPT)? {
            if !job.state.is_over() {
                job.state = JobState::Failed;
                job.finished_at = Some(OffsetDateTime::now_utc());
                job.error = Some(
                    Error::failed(
                        "interrupted",
                        "Nestbox ended while this was under way. What it had begun was undone.",
                    )
                    .with_hint("Try again; a download goes on where it was."),
                );
                library.upsert_job(&job)?;
            }
            jobs.insert(job.id.clone(), Arc::new(JobEntry::new(job)));
        }
        Ok(Self(RwLock::new(jobs)))
    }

    fn insert(&self, id: JobId, entry: Arc<JobEntry>) {
        let mut jobs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        jobs.insert(id, entry);
        // The library keeps more; memory need not.
        while jobs.len() > KEPT as usize {
            let ended = jobs.iter().filter(|(_, entry)| entry.cell().job.state.is_over());
            let oldest = ended
                .min_by_key(|(_, entry)| entry.cell().job.created_at)
                .map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { return };
            jobs.remove(&oldest);
        }
    }

    fn entries(&self) -> Vec<Arc<JobEntry>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    pub fn any_active(&self) -> bool {
        self.entries()
            .iter()
            .any(|entry| !entry.cell().job.state.is_over())
    }

    fn entry(&self, id: &str) -> Result<Arc<JobEntry>> {
        let jobs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut matching = jobs
            .iter()
            .filter(|(job, _)| job.as_str() == id || (id.len() >= 4 && job.as_str().starts_with(id)));
        match (matching.next(), matching.next()) {
            (Some((_, entry)), None) => Ok(entry.clone()),
            _ => Err(
                Error::not_found("job-not-found", format!("There is no job “{id}”."))
                    .with_hint("See all with: nestbox jobs list"),
            ),
        }
    }
}

impl JobEntry {
    fn new(job: Job) -> Self {
        Self {
            cell: Mutex::new(JobCell {
                job,
                last_event: None,
                samples: VecDeque::new(),
            }),
            cancel: CancellationToken::new(),
            fetch: FetchControl::default(),
        }
    }
}

/// A running job's own view of itself.
#[derive(Clone)]
pub(crate) struct JobHandle {
    engine: Engine,
    entry: Arc<JobEntry>,
}

impl Engine {
    /// All jobs, newest first.
    pub fn jobs(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> = self
            .0
            .jobs
            .entries()
            .iter()
            .map(|entry| entry.cell().job.clone())
            .collect();
        jobs.sort_by_key(|job| std::cmp::Reverse(job.created_at));
        jobs.truncate(KEPT as usize);
        jobs
    }

    /// One job, by id or unambiguous prefix.
    pub fn job(&self, id: &str) -> Result<Job> {
        Ok(self.0.jobs.entry(id)?.cell().job.clone())
    }

    /// Cancels a job: it takes back what it began and ends.
    pub fn cancel_job(&self, id: &str) -> Result<Job> {
        let entry = self.0.jobs.entry(id)?;
        if entry.cell().job.state.is_over() {
            return Err(Error::conflict("job-over", "That job is over already."));
        }
        entry.cancel.cancel();
        entry.fetch.cancel();
        Ok(entry.cell().job.clone())
    }

    /// Pauses or resumes a job that downloads.
    pub fn pause_job(&self, id: &str, pause: bool) -> Result<Job> {
        let entry = self.0.jobs.entry(id)?;
        let job = {
            let mut cell = entry.cell();
            if !cell.job.pausable || cell.job.state.is_over() {
                return Err(
                    Error::conflict("job-not-pausable", "That job can't be paused now.")
                        .with_hint("Only downloads can; cancel it instead."),
                );
            }
            if pause {
                entry.fetch.pause();
            } else {
                entry.fetch.resume();
            }
            cell.job.state = if pause {
                JobState::Paused
            } else {
                JobState::Running
            };
            cell.samples.clear();
            cell.job.rate = None;
            cell.job.seconds_left = None;
            cell.job.clone()
        };
        self.tell_job(job.clone());
        Ok(job)
    }

    /// Registers a job with its steps.
    pub(crate) fn new_job(
        &self,
        kind: JobKind,
        title: String,
        machine: Option<MachineId>,
        steps: &[(&str, &str)],
    ) -> Result<JobHandle> {
        let job = Job {
            id: JobId::random(),
            kind,
            title,
            state: JobState::Running,
            progress: None,
            message: String::new(),
            machine,
            bytes_done: None,
            bytes_total: None,
            rate: None,
            seconds_left: None,
            steps: steps
                .iter()
                .map(|(id, title)| Step {
                    id: (*id).to_owned(),
                    title: (*title).to_owned(),
                    state: StepState::Waiting,
                    detail: None,
                })
                .collect(),
            pausable: false,
            created_at: OffsetDateTime::now_utc(),
            finished_at: None,
            error: None,
            result: None,
        };
        self.library().upsert_job(&job)?;
        let entry = Arc::new(JobEntry::new(job.clone()));
        self.0.jobs.insert(job.id.clone(), entry.clone());
        self.tell_job(job);
        Ok(JobHandle {
            engine: self.clone(),
            entry,
        })
    }
}

impl JobHandle {
    pub fn id(&self) -> JobId {
        self.entry.cell().job.id.clone()
    }

    pub fn snapshot(&self) -> Job {
        self.entry.cell().job.clone()
    }

    pub fn cancel_token(&self) -> CancellationToken {
        self.entry.cancel.clone()
    }

    pub fn fetch_control(&self) -> FetchControl {
        self.entry.fetch.clone()
    }

    /// # Errors
    /// `cancelled` once the user cancelled the job.
    pub fn check_cancelled(&self) -> Result<()> {
        if self.entry.cancel.is_cancelled() {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }

    /// Sets a step's state; starting one makes its title the job's message.
    pub fn step(&self, id: &str, state: StepState, detail: Option<String>) {
        self.change(true, |cell| {
            let job = &mut cell.job;
            let Some(step) = job.steps.iter_mut().find(|step| step.id == id) else {
                return;
            };
            step.state = state;
            if detail.is_some() {
                step.detail = detail;
            }
            if state == StepState::Running {
                job.message.clone_from(&step.title);
                job.pausable = id == "download";
                job.bytes_done = None;
                job.bytes_total = None;
                job.rate = None;
                job.seconds_left = None;
                cell.samples.clear();
            }
        });
    }

    /// Bytes of the current step.
    pub fn bytes(&self, done: u64, total: Option<u64>) {
        self.change(false, |cell| {
            let now = Instant::now();
            cell.samples.push_back((now, done));
            while cell
                .samples
                .front()
                .is_some_and(|(at, _)| now - *at > RATE_WINDOW)
            {
                cell.samples.pop_front();
            }
            let job = &mut cell.job;
            job.bytes_done = Some(done);
            job.bytes_total = total;
            job.progress = total
                .filter(|t| *t > 0)
                .map(|t| (done as f64 / t as f64).min(1.0));
            if let Some((first_at, first)) = cell.samples.front() {
                let seconds = (now - *first_at).as_secs_f64();
                if seconds > 0.5 {
                    let rate = done.saturating_sub(*first) as f64 / seconds;
                    job.rate = Some(rate);
                    let enough = now - *first_at >= ESTIMATE_AFTER;
                    job.seconds_left = total
                        .filter(|_| enough && rate > 1.0)
                        .map(|t| t.saturating_sub(done) as f64 / rate);
                }
            }
        });
    }

    /// What the job found or made, for whoever asks once it is done.
    pub fn found(&self, result: serde_json::Value) {
        self.change(false, |cell| cell.job.result = Some(result));
    }

    /// Ends the job.
    pub fn finish(&self, result: &Result<()>) {
        self.change(true, |cell| {
            let job = &mut cell.job;
            job.finished_at = Some(OffsetDateTime::now_utc());
            job.pausable = false;
            job.rate = None;
            job.seconds_left = None;
            match result {
                Ok(()) => {
                    job.state = JobState::Done;
                    job.progress = Some(1.0);
                    job.message = "Done".into();
                }
                Err(error) => {
                    let cancelled = error.kind == nestbox_model::ErrorKind::Cancelled;
                    job.state = if cancelled {
                        JobState::Cancelled
                    } else {
                        JobState::Failed
                    };
                    job.message.clone_from(&error.message);
                    for step in &mut job.steps {
                        if step.state == StepState::Running {
                            step.state = StepState::Failed;
                        }
                    }
                    job.error = Some(error.clone());
                }
            }
        });
        if let Err(error) = self.engine.library().upsert_job(&self.snapshot()) {
            tracing::warn!(%error, "could not keep a job");
        }
    }

    fn change(&self, always_tell: bool, change: impl FnOnce(&mut JobCell)) {
        let told = {
            let mut cell = self.entry.cell();
            change(&mut cell);
            let now = Instant::now();
            let due = cell.last_event.is_none_or(|at| now - at >= EVENT_GAP);
            if always_tell || due {
                cell.last_event = Some(now);
                Some(cell.job.clone())
            } else {
                None
            }
        };
        if let Some(job) = told {
            self.engine.tell_job(job);
        }
    }
}
