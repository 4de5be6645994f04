use crate::{Home, spec};
use nestbox_store::Library;
use serde_json::json;
use std::thread;

#[test]
fn two_connections_write_at_once_and_see_each_other() {
    let home = Home::new();
    let libraries = [home.open(), home.open()];
    assert!(libraries[0].was_created() && !libraries[1].was_created());
    thread::scope(|scope| {
        for (index, library) in libraries.iter().enumerate() {
            scope.spawn(move || {
                for number in 0..50 {
                    library
                        .upsert_machine(&spec(&format!("{index}-{number}")))
                        .unwrap();
                    let entry = library.begin("test", None, &json!({})).unwrap();
                    library.finish(entry).unwrap();
                }
            });
        }
    });
    for library in &libraries {
        assert_eq!(library.machines().unwrap().len(), 100);
    }
    // One name, two connections: one wins.
    libraries[0].upsert_machine(&spec("web")).unwrap();
    assert_eq!(
        libraries[1].upsert_machine(&spec("WEB")).unwrap_err().code,
        "name-taken"
    );
}

#[test]
fn opening_a_new_library_at_the_same_time_works_for_everyone() {
    let home = Home::new();
    thread::scope(|scope| {
        let opened: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Library::open(&home.layout).map(drop)))
            .collect();
        for one in opened {
            one.join().unwrap().unwrap();
        }
    });
    assert!(home.open().integrity().unwrap().is_empty());
}

#[test]
fn clones_share_what_they_know() {
    let home = Home::new();
    let library = home.open();
    let other = library.clone();
    thread::spawn(move || other.upsert_machine(&spec("web")).unwrap())
        .join()
        .unwrap();
    assert_eq!(library.machines().unwrap().len(), 1);
}
