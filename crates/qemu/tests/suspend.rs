//! Ending a machine with its memory saved, freezing several at once, and going on elsewhere.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{Place, counted_past, ended, numbers, overlay, serial, state};
use nestbox_model::{Arch, DiskId};
use nestbox_qemu::{
    Backend, FreezeRequest, MachinePlan, Rendezvous, RunState, memory_fits, memory_note, pack_memory,
    unpack_memory,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// The same machine, started to be filled.
fn incoming(plan: &MachinePlan, log: &str) -> MachinePlan {
    MachinePlan {
        incoming: true,
        serial_log: plan.serial_log.with_file_name(log),
        ..plan.clone()
    }
}

fn fresh_overlay(place: &Place, plan: &MachinePlan, name: &str) -> (DiskId, PathBuf) {
    let path = place.disks(plan).join(name);
    overlay(&plan.disks[0].chain[0].path, &path);
    (plan.disks[0].id.clone(), path)
}

#[tokio::test]
async fn a_suspended_machine_goes_on_where_it_was_even_from_packed_memory() {
    let place = Place::new();
    let plan = place.counting_plan();
    let session = place.launch(&plan).await;
    let pid = session.pid();
    counted_past(&plan, 20).await;
    let memory = place.path("memory");
    // There is no place for it: the guest goes on.
    let nowhere = place.path("no/folder/memory");
    assert_eq!(
        session.suspend(&nowhere).await.unwrap_err().code,
        "file-not-found"
    );
    assert_eq!(state(&session).await, RunState::Running);
    // Its name can't be taken: found out when all was saved already.
    std::fs::create_dir_all(memory.join("x")).unwrap();
    assert_eq!(session.suspend(&memory).await.unwrap_err().code, "io-error");
    assert_eq!(state(&session).await, RunState::Running);
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    counted_past(&plan, at + 5).await;
    session.pause().await.unwrap();
    assert_eq!(session.suspend(&memory).await.unwrap_err().code, "io-error");
    assert_eq!(state(&session).await, RunState::Paused);
    session.resume().await.unwrap();
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    counted_past(&plan, at + 5).await;
    std::fs::remove_dir_all(&memory).unwrap();

    session.suspend(&memory).await.unwrap();
    let exit = ended(&session).await;
    assert!(exit.clean, "{exit:?}");
    assert!(!Path::new(&format!("/proc/{pid}/exe")).exists());
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    let disk = std::fs::read(&plan.disks[0].chain[0].path).unwrap();

    // What it demands is told before anything is ended or started.
    let note = memory_note(&memory).unwrap();
    let qemu = place.backend.capabilities(Arch::X86_64).await.unwrap();
    assert_eq!((note.ram, &note.qemu), (plan.memory, &qemu.version_text()));
    memory_fits(&note, &qemu, plan.memory).unwrap();
    let error = memory_fits(&note, &qemu, plan.memory * 2).unwrap_err();
    assert_eq!(error.code, "memory-unfit");
    let mut old = (*qemu).clone();
    old.version = (7, 2, 0);
    old.memory.mapped_ram = false;
    if note.mapped_ram {
        let error = memory_fits(&note, &old, plan.memory).unwrap_err();
        assert!(
            error.message.contains("7.2.0") && error.message.contains(&note.qemu),
            "{error:?}"
        );
    }

    let packed = place.path("memory.packed");
    let never = CancellationToken::new();
    let size = pack_memory(&memory, &packed, &never, &|_, _| {}).unwrap();
    let (plain, small) = (
        std::fs::metadata(&memory).unwrap(),
        std::fs::metadata(&packed).unwrap(),
    );
    println!("packed {} bytes to {size}", plain.len());
    assert!(size == small.len() && size < plain.len() / 4);
    assert_eq!(memory_note(&packed).unwrap(), note);
    std::fs::remove_file(&memory).unwrap();
    unpack_memory(&packed, &memory, &never, &|_, _| {}).unwrap();

    let again = incoming(&plan, "again.log");
    let session = place.launch(&again).await;
    session.load_memory(&memory).await.unwrap();
    assert!(
        disk == std::fs::read(&plan.disks[0].chain[0].path).unwrap(),
        "nobody wrote meanwhile"
    );
    // And once more without having run in between: what was loaded can be saved as it is.
    session.suspend(&memory).await.unwrap();
    let session = place.launch(&again).await;
    session.load_memory(&memory).await.unwrap();
    session.resume().await.unwrap();
    counted_past(&again, at + 5).await;
    let said = serial(&again);
    assert!(!said.contains("boot") && !said.contains('!'), "{said}");
    session.end().await.unwrap();
}

#[tokio::test]
async fn several_machines_are_cut_at_one_instant_or_none_is() {
    let place = Place::new();
    let plans = [place.counting_plan(), place.counting_plan()];
    let mut sessions = Vec::new();
    for plan in &plans {
        sessions.push(place.launch(plan).await);
        counted_past(plan, 5).await;
    }
    let freeze = |nth: usize, tag: &str, memory: bool, together: &Arc<Rendezvous>| {
        let session = Arc::clone(&sessions[nth]);
        let plan = &plans[nth];
        let request = FreezeRequest {
            memory: memory.then(|| place.path(&format!("memory-{tag}-{nth}"))),
            disks: vec![fresh_overlay(&place, plan, &format!("{tag}.qcow2"))],
            nvram: None,
            together: Some(Arc::clone(together)),
        };
        tokio::spawn(async move { session.freeze(&request).await })
    };
    let active = |nth: usize| {
        let session = Arc::clone(&sessions[nth]);
        async move {
            let images = session.active_images().await.unwrap();
            images.disks[0]
                .1
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        }
    };

    // One can't: the other goes on as if nothing had been.
    let meeting = Arc::new(Rendezvous::new(2));
    let waiting = freeze(0, "alone", true, &meeting);
    let broken = FreezeRequest {
        disks: vec![(DiskId::random(), place.path("none.qcow2"))],
        together: Some(Arc::clone(&meeting)),
        ..FreezeRequest::default()
    };
    assert_eq!(
        sessions[1].freeze(&broken).await.unwrap_err().code,
        "snapshot-failed"
    );
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.code, "snapshot-refused", "{error:?}");
    for nth in [0, 1] {
        assert_eq!(active(nth).await, "base.qcow2");
        assert_eq!(state(&sessions[nth]).await, RunState::Running);
    }

    // One with memory, one without; then one that is paused, which stays so.
    let meeting = Arc::new(Rendezvous::new(2));
    let both = [
        freeze(0, "both", true, &meeting),
        freeze(1, "both", false, &meeting),
    ];
    for one in both {
        let frozen = one.await.unwrap().unwrap();
        println!("paused for {:.0} ms", frozen.paused_seconds * 1000.0);
        assert!(frozen.paused_seconds > 0.0);
    }
    for (nth, plan) in plans.iter().enumerate() {
        assert_eq!(active(nth).await, "both.qcow2");
        let at = numbers(&serial(plan)).last().copied().unwrap();
        counted_past(plan, at + 5).await;
        assert!(!serial(plan).contains('!'));
    }
    for session in sessions {
        session.end().await.unwrap();
    }
}
