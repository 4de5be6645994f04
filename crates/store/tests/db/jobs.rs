use crate::{Home, NOON};
use nestbox_model::{Error, Job, JobId, JobKind, JobState, MachineId};
use time::Duration;

fn job(minute: i64, state: JobState) -> Job {
    Job {
        id: JobId::random(),
        kind: JobKind::Create,
        title: "Create “web”".into(),
        state,
        progress: Some(0.25),
        message: "Downloading".into(),
        machine: Some(MachineId::random()),
        bytes_done: Some(1),
        bytes_total: Some(u64::MAX),
        rate: Some(1.5),
        seconds_left: None,
        steps: vec![],
        pausable: true,
        created_at: NOON + Duration::minutes(minute),
        finished_at: None,
        error: Some(Error::unfit("no-space", "The disk is full.").with_detail("needed", 5)),
        result: None,
    }
}

#[test]
fn jobs_come_back_newest_first() {
    let home = Home::new();
    let library = home.open();
    let (old, mut new) = (job(0, JobState::Done), job(1, JobState::Running));
    library.upsert_job(&old).unwrap();
    library.upsert_job(&new).unwrap();
    new.state = JobState::Failed;
    library.upsert_job(&new).unwrap();
    assert_eq!(library.jobs(10).unwrap(), [new.clone(), old.clone()]);
    assert_eq!(library.jobs(1).unwrap(), [new]);
    assert_eq!(library.job(&old.id).unwrap(), Some(old));
    assert_eq!(library.job(&JobId::random()).unwrap(), None);
}

#[test]
fn old_jobs_are_dropped_but_never_those_under_way() {
    let home = Home::new();
    let library = home.open();
    let running = job(-1, JobState::Running);
    library.upsert_job(&running).unwrap();
    let oldest = job(0, JobState::Done);
    library.upsert_job(&oldest).unwrap();
    for minute in 1..=500 {
        library.upsert_job(&job(minute, JobState::Cancelled)).unwrap();
    }
    let jobs = library.jobs(1000).unwrap();
    assert_eq!(jobs.len(), 501);
    assert!(jobs.contains(&running));
    assert!(!jobs.contains(&oldest));
}
