use crate::{Home, NOON, record, spec};
use nestbox_model::{MachineId, MachineSpec};
use nestbox_store::MachineRow;
use std::time::Instant;
use time::Duration;

#[test]
fn a_spec_comes_back_as_it_went_in() {
    let home = Home::new();
    let library = home.open();
    let mut machine = spec("web");
    library.upsert_machine(&machine).unwrap();
    assert_eq!(
        library.machine(&machine.id).unwrap(),
        Some(MachineRow {
            spec: machine.clone(),
            trashed_at: None
        })
    );
    machine.memory = 8 << 30;
    machine.name = "web 2".into();
    library.upsert_machine(&machine).unwrap();
    assert_eq!(library.machines().unwrap(), std::slice::from_ref(&machine));
    assert_eq!(library.machine_named("WEB 2").unwrap(), Some(machine.id));
    assert_eq!(library.machine(&MachineId::random()).unwrap(), None);
}

#[test]
fn what_a_newer_version_wrote_survives_in_every_type() {
    let home = Home::new();
    let library = home.open();
    let mut machine = spec("future");
    let future: toml::Table = toml::from_str(
        "when = 2026-01-01T00:00:00Z\nbig = inf\nlist = [1, 2.5, 'x']\n[inner]\ndate = 2026-01-01\n",
    )
    .unwrap();
    machine.unknown = future.into_iter().collect();
    library.upsert_machine(&machine).unwrap();
    assert_eq!(library.machine(&machine.id).unwrap().unwrap().spec, machine);
}

#[test]
fn names_are_unique_without_regard_to_case_outside_the_trash() {
    let home = Home::new();
    let library = home.open();
    let first = spec("ÄB");
    library.upsert_machine(&first).unwrap();
    library.upsert_machine(&spec("Straße")).unwrap();
    for taken in ["äb", "ÄB", "STRASSE", "straße"] {
        let error = library.upsert_machine(&spec(taken)).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.exit_code()),
            ("name-taken", 4),
            "{taken}"
        );
        assert!(error.message.contains(taken));
    }
    // Its own name in another case is no conflict.
    let renamed = MachineSpec {
        name: "äb".into(),
        ..first.clone()
    };
    library.upsert_machine(&renamed).unwrap();

    // In the trash the name is free; coming back it must be so still.
    library.set_trashed(&first.id, Some(NOON)).unwrap();
    let second = spec("ÄB");
    library.upsert_machine(&second).unwrap();
    assert_eq!(library.machine_named("äB").unwrap(), Some(second.id.clone()));
    let error = library.set_trashed(&first.id, None).unwrap_err();
    assert_eq!(error.code, "name-taken");
    assert!(error.message.contains("äb"), "{}", error.message);
    library.remove_machine(&second.id).unwrap();
    library.set_trashed(&first.id, None).unwrap();
    assert_eq!(library.machines().unwrap().len(), 2);
}

#[test]
fn the_trash_is_apart_and_the_last_deleted_comes_first() {
    let home = Home::new();
    let library = home.open();
    let (a, b, c) = (spec("a"), spec("b"), spec("c"));
    for machine in [&a, &b, &c] {
        library.upsert_machine(machine).unwrap();
    }
    let later = NOON + Duration::HOUR;
    library.set_trashed(&a.id, Some(NOON)).unwrap();
    library.set_trashed(&b.id, Some(later)).unwrap();
    assert_eq!(library.machines().unwrap(), [c]);
    assert_eq!(library.trashed().unwrap(), [(b, later), (a.clone(), NOON)]);
    // A new spec does not take it out of the trash.
    library.upsert_machine(&a).unwrap();
    assert_eq!(library.machine(&a.id).unwrap().unwrap().trashed_at, Some(NOON));
    assert_eq!(
        library.set_trashed(&MachineId::random(), None).unwrap_err().code,
        "machine-not-found"
    );
}

#[test]
fn removing_a_machine_removes_its_snapshots_and_is_repeatable() {
    let home = Home::new();
    let library = home.open();
    let machine = spec("web");
    library.upsert_machine(&machine).unwrap();
    library
        .upsert_snapshot(&machine.id, &record("one", &machine), 5)
        .unwrap();
    library.remove_machine(&machine.id).unwrap();
    library.remove_machine(&machine.id).unwrap();
    assert!(library.snapshots(&machine.id).unwrap().is_empty());
    assert!(library.is_empty().unwrap());
    assert!(library.integrity().unwrap().is_empty());
}

#[test]
fn rebuilding_replaces_everything_and_mends_names() {
    let home = Home::new();
    let library = home.open();
    library.upsert_machine(&spec("left over")).unwrap();
    let older = spec("Web");
    let newer = MachineSpec {
        created_at: NOON + Duration::HOUR,
        ..spec("wEB")
    };
    let deleted = spec("web");
    let one = record("one", &older);
    let row = |spec: &MachineSpec, trashed_at| MachineRow {
        spec: spec.clone(),
        trashed_at,
    };
    let renamed = library
        .rebuild(
            &[row(&newer, None), row(&older, None), row(&deleted, Some(NOON))],
            &[
                (older.id.clone(), one.clone(), 7),
                (MachineId::random(), record("stray", &newer), 1),
            ],
        )
        .unwrap();
    let second = MachineSpec {
        name: "wEB 2".into(),
        ..newer
    };
    assert_eq!(renamed, std::slice::from_ref(&second));
    assert_eq!(library.machines().unwrap(), [older.clone(), second]);
    assert_eq!(library.trashed().unwrap(), [(deleted, NOON)]);
    assert_eq!(library.snapshots(&older.id).unwrap(), [(one, 7)]);
    assert_eq!(library.snapshot_counts().unwrap().len(), 1);
}

#[test]
fn many_machines_are_listed_quickly() {
    let home = Home::new();
    let library = home.open();
    let rows: Vec<_> = (0..1000)
        .map(|n| MachineRow {
            spec: spec(&format!("machine {n}")),
            trashed_at: None,
        })
        .collect();
    library.rebuild(&rows, &[]).unwrap();
    let start = Instant::now();
    assert_eq!(library.machines().unwrap().len(), 1000);
    // A loose bound, for busy computers and unoptimised builds; the benchmark measures.
    assert!(start.elapsed().as_millis() < 500, "{:?}", start.elapsed());
}
