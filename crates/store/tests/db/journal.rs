use crate::Home;
use nestbox_model::MachineId;
use serde_json::json;

#[test]
fn an_operation_that_was_cut_off_is_found_at_the_next_start() {
    let home = Home::new();
    let machine = MachineId::random();
    let (first, second) = {
        let library = home.open();
        let first = library
            .begin("create", Some(&machine), &json!({"disk": "a.qcow2"}))
            .unwrap();
        let second = library.begin("empty-trash", None, &json!(null)).unwrap();
        library
            .advance(first, "make-disk", &json!({"disk": "a.qcow2", "size": 5}))
            .unwrap();
        (first, second)
    };
    let library = home.open();
    let entries = library.open_entries().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].id, first);
    assert_eq!(entries[0].op, "create");
    assert_eq!(entries[0].machine, Some(machine));
    assert_eq!(entries[0].step, "make-disk");
    assert_eq!(entries[0].payload, json!({"disk": "a.qcow2", "size": 5}));
    assert_eq!((entries[1].id, entries[1].step.as_str()), (second, ""));
    library.finish(first).unwrap();
    library.finish(first).unwrap();
    assert_eq!(library.open_entries().unwrap().len(), 1);
    assert_eq!(
        library.advance(first, "x", &json!(1)).unwrap_err().code,
        "journal-entry-gone"
    );
    library.finish(second).unwrap();
    assert!(library.begin("create", None, &json!({})).unwrap() > second);
}
