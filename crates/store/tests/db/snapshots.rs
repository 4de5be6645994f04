use crate::{Home, NOON, record, spec};
use nestbox_model::SnapshotId;
use time::Duration;

#[test]
fn a_snapshot_comes_back_oldest_first() {
    let home = Home::new();
    let library = home.open();
    let machine = spec("web");
    library.upsert_machine(&machine).unwrap();
    let mut second = record("second", &machine);
    second.created_at = NOON + Duration::MINUTE;
    let first = record("first", &machine);
    library.upsert_snapshot(&machine.id, &second, u64::MAX).unwrap();
    library.upsert_snapshot(&machine.id, &first, 10).unwrap();
    second.name = "renamed".into();
    library.upsert_snapshot(&machine.id, &second, 20).unwrap();
    assert_eq!(
        library.snapshots(&machine.id).unwrap(),
        [(first.clone(), 10), (second.clone(), 20)]
    );
    assert_eq!(
        library.snapshot(&machine.id, &second.id).unwrap(),
        Some((second.clone(), 20))
    );
    assert_eq!(library.snapshot_counts().unwrap()[&machine.id], 2);
    library.remove_snapshot(&machine.id, &second.id).unwrap();
    library
        .remove_snapshot(&machine.id, &SnapshotId::random())
        .unwrap();
    assert_eq!(library.snapshots(&machine.id).unwrap(), [(first, 10)]);
}

#[test]
fn a_snapshot_needs_its_machine() {
    let home = Home::new();
    let library = home.open();
    let machine = spec("web");
    let error = library
        .upsert_snapshot(&machine.id, &record("one", &machine), 1)
        .unwrap_err();
    assert_eq!(error.code, "library-failed");
}
