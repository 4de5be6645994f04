use crate::{Home, NOON};
use nestbox_model::{ActivityEntry, MachineId};

#[test]
fn the_last_lines_come_first() {
    let home = Home::new();
    let library = home.open();
    let machine = MachineId::random();
    library
        .add_activity(NOON, Some(&machine), "machine.added", "“web” was made.")
        .unwrap();
    library
        .add_activity(NOON, None, "config.changed", "The theme is dark now.")
        .unwrap();
    let lines = library.activity(10).unwrap();
    assert_eq!(
        lines,
        [
            ActivityEntry {
                at: NOON,
                machine: None,
                kind: "config.changed".into(),
                message: "The theme is dark now.".into()
            },
            ActivityEntry {
                at: NOON,
                machine: Some(machine),
                kind: "machine.added".into(),
                message: "“web” was made.".into()
            },
        ]
    );
    assert_eq!(library.activity(1).unwrap().len(), 1);
}

#[test]
fn the_list_does_not_grow_for_ever() {
    let home = Home::new();
    let library = home.open();
    for number in 0..2100 {
        library
            .add_activity(NOON, None, "test", &number.to_string())
            .unwrap();
    }
    let lines = library.activity(u32::MAX).unwrap();
    assert_eq!(lines.len(), 2000);
    assert_eq!(lines[0].message, "2099");
}
