//! Freezing and going on: memory, disks and UEFI variables of the same instant.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{Place, counted_past, numbers, overlay, serial, state};
use nestbox_model::{Arch, DiskId, Firmware, ImageFormat, MachineId, layout::RunFolder};
use nestbox_qemu::{
    FreezeRequest, ImageRef, MachinePlan, MergeRequest, MergeTarget, RunState, SessionEvent, firmware,
};
use std::path::{Path, PathBuf};

/// Overlays for all disks of `plan`, named after `tag`.
fn overlays(place: &Place, plan: &MachinePlan, tag: &str) -> Vec<(DiskId, PathBuf)> {
    let paths = plan.disks.iter().enumerate().map(|(nth, disk)| {
        let path = place.disks(plan).join(format!("{tag}-{nth}.qcow2"));
        overlay(&disk.chain[0].path, &path);
        (disk.id.clone(), path)
    });
    paths.collect()
}

fn image(path: &Path) -> ImageRef {
    ImageRef {
        path: path.to_owned(),
        format: ImageFormat::Qcow2,
    }
}

/// The plan of another machine on fresh overlays over what `plan` was frozen with.
fn continued(place: &Place, plan: &MachinePlan, tag: &str) -> MachinePlan {
    let mut other = plan.clone();
    other.id = MachineId::random();
    other.run = RunFolder(place.path(tag));
    other.serial_log = plan.serial_log.with_file_name(format!("{tag}.log"));
    other.incoming = true;
    for (disk, (_, path)) in other.disks.iter_mut().zip(overlays(place, plan, tag)) {
        disk.chain.insert(0, image(&path));
    }
    if let Some(nvram) = &mut other.nvram {
        let path = place.disks(plan).join(format!("{tag}-nvram.qcow2"));
        overlay(&nvram[0].path, &path);
        nvram.insert(0, image(&path));
    }
    other
}

#[tokio::test]
async fn a_running_guest_goes_on_from_its_frozen_instant_any_number_of_times() {
    let place = Place::new();
    let mut plan = place.counting_plan();
    plan.disks.push(place.disk(&plan, "second.qcow2"));
    let session = place.launch(&plan).await;
    counted_past(&plan, 20).await;
    let mut events = session.subscribe();
    let memory = place.path("memory");
    let request = FreezeRequest {
        memory: Some(memory.clone()),
        disks: overlays(&place, &plan, "now"),
        nvram: None,
        together: None,
    };
    let frozen = session.freeze(&request).await.unwrap();
    println!("paused for {:.0} ms", frozen.paused_seconds * 1000.0);
    assert!(
        frozen.paused_seconds > 0.0 && frozen.paused_seconds < 5.0,
        "{frozen:?}"
    );
    assert_eq!(state(&session).await, RunState::Running);
    assert_eq!(session.active_images().await.unwrap().disks, request.disks);
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    counted_past(&plan, at + 20).await;
    assert!(
        !serial(&plan).contains('!'),
        "the living guest's disk and memory agree"
    );
    while let Ok(event) = events.try_recv() {
        assert!(
            !matches!(event, SessionEvent::Paused),
            "a pause inside an operation is nobody's business"
        );
    }

    // Twice, and while the first one still runs: nothing that was frozen is ever written again.
    for tag in ["one", "two"] {
        let other = continued(&place, &plan, tag);
        let clone = place.launch(&other).await;
        assert_eq!(state(&clone).await, RunState::Incoming);
        clone.load_memory(&memory).await.unwrap();
        assert_eq!(state(&clone).await, RunState::Paused);
        clone.resume().await.unwrap();
        let far = counted_past(&other, at + 3).await;
        let said = serial(&other);
        assert!(
            !said.contains("boot"),
            "it went on, it did not start again: {said}"
        );
        assert!(
            !said.contains('!'),
            "disk and memory are of the same instant: {said}"
        );
        let first = numbers(&said)[1];
        assert!(first > 15 && first <= at + 3, "{first} of {at}, then {far}");
        // And it can be frozen in its turn.
        let again = FreezeRequest {
            memory: Some(place.path(&format!("memory-{tag}"))),
            disks: overlays(&place, &other, &format!("{tag}-again")),
            nvram: None,
            together: None,
        };
        clone.freeze(&again).await.unwrap();
        clone.end().await.unwrap();
    }
    session.end().await.unwrap();
}

#[tokio::test]
async fn a_paused_guest_stays_paused_and_can_be_frozen_again() {
    let place = Place::new();
    let plan = place.counting_plan();
    let session = place.launch(&plan).await;
    counted_past(&plan, 5).await;
    session.pause().await.unwrap();
    let mut backing = plan.disks[0].chain[0].path.clone();
    for tag in ["first", "second"] {
        let path = place.disks(&plan).join(format!("{tag}.qcow2"));
        overlay(&backing, &path);
        let request = FreezeRequest {
            memory: Some(place.path(tag)),
            disks: vec![(plan.disks[0].id.clone(), path.clone())],
            nvram: None,
            together: None,
        };
        let frozen = session.freeze(&request).await.unwrap();
        assert!(frozen.paused_seconds == 0.0);
        assert_eq!(state(&session).await, RunState::Paused);
        backing = path;
    }
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    session.resume().await.unwrap();
    counted_past(&plan, at + 5).await;
    assert!(!serial(&plan).contains('!'));
    session.end().await.unwrap();
}

#[tokio::test]
async fn disks_alone_are_frozen_without_a_pause_and_adopted_machines_too() {
    let place = Place::new();
    let plan = place.counting_plan();
    drop(place.launch(&plan).await);
    let session = place.adopt(&plan).await;
    counted_past(&plan, 5).await;
    let request = FreezeRequest {
        memory: None,
        disks: overlays(&place, &plan, "now"),
        nvram: None,
        together: None,
    };
    session.freeze(&request).await.unwrap();
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    drop(session);
    let session = place.adopt(&plan).await;
    assert_eq!(session.active_images().await.unwrap().disks, request.disks);
    counted_past(&plan, at + 5).await;
    let before = std::fs::read(&plan.disks[0].chain[0].path).unwrap();
    counted_past(&plan, at + 30).await;
    assert!(
        before == std::fs::read(&plan.disks[0].chain[0].path).unwrap(),
        "the frozen image is not written"
    );
    session.end().await.unwrap();
}

#[tokio::test]
async fn a_failed_freeze_changes_nothing() {
    let place = Place::new();
    let mut plan = place.counting_plan();
    plan.disks.push(place.disk(&plan, "second.qcow2"));
    let session = place.launch(&plan).await;
    counted_past(&plan, 5).await;
    let before = session.active_images().await.unwrap();
    let good = overlays(&place, &plan, "now");
    let memory = place.path("memory");

    // The second overlay is not there.
    let mut disks = good.clone();
    disks[1].1 = place.disks(&plan).join("missing.qcow2");
    let request = FreezeRequest {
        memory: Some(memory.clone()),
        disks,
        nvram: None,
        together: None,
    };
    assert_eq!(
        session.freeze(&request).await.unwrap_err().code,
        "snapshot-failed"
    );
    // There is no place for the memory.
    let request = FreezeRequest {
        memory: Some(place.path("no/folder/memory")),
        disks: good.clone(),
        nvram: None,
        together: None,
    };
    assert_eq!(session.freeze(&request).await.unwrap_err().code, "file-not-found");
    // A disk the machine does not have.
    let request = FreezeRequest {
        memory: None,
        disks: vec![(DiskId::random(), good[0].1.clone())],
        nvram: None,
        together: None,
    };
    assert_eq!(
        session.freeze(&request).await.unwrap_err().code,
        "snapshot-failed"
    );
    // The memory file's name can't be taken: everything was done already and has to be undone.
    std::fs::create_dir(&memory).unwrap();
    std::fs::write(memory.join("x"), "x").unwrap();
    let request = FreezeRequest {
        memory: Some(memory.clone()),
        disks: good.clone(),
        nvram: None,
        together: None,
    };
    let error = session.freeze(&request).await.unwrap_err();
    assert_eq!(error.code, "io-error", "{error:?}");
    assert!(!memory.with_extension("part").exists());

    assert_eq!(session.active_images().await.unwrap(), before);
    assert_eq!(state(&session).await, RunState::Running);
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    counted_past(&plan, at + 20).await;
    assert!(
        !serial(&plan).contains('!'),
        "what was written meanwhile is not lost"
    );
    // The same overlays serve for the freeze that works, made anew as the engine does.
    std::fs::remove_dir_all(&memory).unwrap();
    let request = FreezeRequest {
        memory: Some(memory),
        disks: overlays(&place, &plan, "again"),
        nvram: None,
        together: None,
    };
    session.freeze(&request).await.unwrap();
    session.end().await.unwrap();
}

#[tokio::test]
async fn damaged_and_unfit_memory_is_told_apart() {
    let place = Place::new();
    let plan = place.counting_plan();
    let session = place.launch(&plan).await;
    counted_past(&plan, 5).await;
    let memory = place.path("memory");
    let request = FreezeRequest {
        memory: Some(memory.clone()),
        disks: overlays(&place, &plan, "now"),
        nvram: None,
        together: None,
    };
    session.freeze(&request).await.unwrap();
    assert_eq!(
        session.load_memory(&memory).await.unwrap_err().code,
        "not-waiting"
    );
    session.end().await.unwrap();

    let mut bigger = continued(&place, &plan, "bigger");
    bigger.memory *= 2;
    let clone = place.launch(&bigger).await;
    let error = clone.load_memory(&memory).await.unwrap_err();
    assert_eq!(error.code, "memory-unfit", "{error:?}");
    let _ = clone.end().await;

    let bytes = std::fs::read(&memory).unwrap();
    std::fs::write(&memory, &bytes[..bytes.len() / 2]).unwrap();
    let other = continued(&place, &plan, "cut");
    let clone = place.launch(&other).await;
    assert_eq!(
        clone.load_memory(&memory).await.unwrap_err().code,
        "memory-damaged"
    );
    assert_eq!(state(&clone).await, RunState::Incoming, "QEMU never saw it");
    clone.end().await.unwrap();
}

#[tokio::test]
async fn uefi_variables_are_part_of_the_instant() {
    let place = Place::new();
    let mut plan = place.counting_plan();
    plan.firmware = Firmware::Uefi;
    let Ok(found) = firmware::find(Arch::X86_64, Firmware::Uefi) else {
        println!("skipped: no UEFI firmware here");
        return;
    };
    let vars = place.disks(&plan).join("vars.qcow2");
    firmware::make_vars(&found, &vars).await.unwrap();
    plan.firmware_code = Some(found.code);
    plan.nvram = Some(vec![image(&vars)]);
    plan.memory = 256 << 20;
    let session = place.launch(&plan).await;
    assert_eq!(session.active_images().await.unwrap().nvram, Some(vars.clone()));
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let top = place.disks(&plan).join("vars-1.qcow2");
    overlay(&vars, &top);
    let memory = place.path("memory");
    let request = FreezeRequest {
        memory: Some(memory.clone()),
        disks: overlays(&place, &plan, "now"),
        nvram: Some(top.clone()),
        together: None,
    };
    let frozen = session.freeze(&request).await.unwrap();
    println!("paused for {:.0} ms", frozen.paused_seconds * 1000.0);
    let active = session.active_images().await.unwrap();
    assert_eq!((active.nvram, active.disks), (Some(top.clone()), request.disks));
    let other = continued(&place, &plan, "clone");
    let clone = place.launch(&other).await;
    clone.load_memory(&memory).await.unwrap();
    clone.resume().await.unwrap();
    assert_eq!(state(&clone).await, RunState::Running);
    clone.end().await.unwrap();
    // And they can be merged again, like a disk.
    let merge = MergeRequest {
        target: MergeTarget::Nvram,
        top,
        base: vars.clone(),
        progress: None,
        cancel: Default::default(),
        settle: None,
    };
    session.merge(&merge).await.unwrap();
    assert_eq!(session.active_images().await.unwrap().nvram, Some(vars));
    assert_eq!(state(&session).await, RunState::Running);
    session.end().await.unwrap();
}
