use crate::{Home, record, spec};
use nestbox_store::{APPLICATION_ID, Library, MachineRow, schema_version};
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn a_new_library_is_private_and_knows_that_it_is_new() {
    let home = Home::new();
    let library = home.open();
    assert!(library.was_created());
    assert!(library.is_empty().unwrap());
    assert_eq!(library.path(), home.layout.database());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.layout.database()), 0o600);
    assert_eq!(mode(home.layout.home()), 0o700);
    let sql = home.sql();
    let pragma = |name: &str| -> i64 { sql.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
    assert_eq!(pragma("application_id"), i64::from(APPLICATION_ID));
    assert_eq!(pragma("user_version"), i64::from(schema_version()));
    let mode: String = sql
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    drop(library);
    assert!(!home.open().was_created());
}

#[test]
fn a_file_of_no_bytes_is_seen() {
    let home = Home::new();
    let library = home.open();
    library.upsert_machine(&spec("web")).unwrap();
    drop(library);
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", home.layout.database().display()));
    }
    fs::write(home.layout.database(), "").unwrap();
    let library = home.open();
    assert!(library.was_created());
    assert!(library.is_empty().unwrap());
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_is() {
    let home = Home::new();
    drop(home.open());
    let path = home.layout.database();

    let sql = home.sql();
    sql.pragma_update(None, "user_version", 999).unwrap();
    drop(sql);
    let before = fs::read(&path).unwrap();
    let error = Library::open(&home.layout).unwrap_err();
    assert_eq!((error.code.as_str(), error.exit_code()), ("library-newer", 5));
    assert_eq!(fs::read(&path).unwrap(), before);

    fs::remove_file(&path).unwrap();
    let sql = home.sql();
    sql.execute_batch("PRAGMA application_id = 7; CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        .unwrap();
    drop(sql);
    let before = fs::read(&path).unwrap();
    let error = Library::open(&home.layout).unwrap_err();
    assert_eq!((error.code.as_str(), error.exit_code()), ("library-foreign", 4));
    assert_eq!(fs::read(&path).unwrap(), before);

    // No application id, but tables: somebody's all the same.
    fs::remove_file(&path).unwrap();
    let sql = home.sql();
    sql.execute_batch("CREATE TABLE machines (x)").unwrap();
    drop(sql);
    assert_eq!(Library::open(&home.layout).unwrap_err().code, "library-foreign");
}

#[test]
fn what_is_no_database_is_corrupt_and_can_be_replaced() {
    let home = Home::new();
    let path = home.layout.database();
    fs::create_dir_all(home.layout.home()).unwrap();
    for text in ["not a database, only a text of some length", "x"] {
        fs::write(&path, text).unwrap();
        let error = Library::open(&home.layout).unwrap_err();
        assert_eq!((error.code.as_str(), error.exit_code()), ("library-corrupt", 1));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let library = Library::recreate(&home.layout).unwrap();
        assert!(library.was_created());
        drop(library);
    }
    let broken: Vec<_> = fs::read_dir(home.layout.home())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("library.db.broken-")
        })
        .collect();
    let kept: Vec<_> = broken
        .iter()
        .map(|entry| fs::read(entry.path()).unwrap())
        .collect();
    assert!(kept.iter().any(|bytes| bytes.starts_with(b"not a database")));
    assert!(kept.iter().any(|bytes| bytes == b"x"));
}

#[test]
fn a_damaged_database_is_noticed_and_rebuilt() {
    let home = Home::new();
    let library = home.open();
    let machines: Vec<_> = (0..200).map(|n| spec(&format!("machine {n}"))).collect();
    for machine in &machines {
        library.upsert_machine(machine).unwrap();
    }
    library
        .upsert_snapshot(&machines[0].id, &record("one", &machines[0]), 1)
        .unwrap();
    drop(library);
    let path = home.layout.database();
    let mut bytes = fs::read(&path).unwrap();
    let (from, to) = (8 * 4096, bytes.len() - 4096);
    bytes[from..to].fill(0xA5);
    fs::write(&path, &bytes).unwrap();
    let error = Library::open(&home.layout).unwrap_err();
    assert_eq!(error.code, "library-corrupt");
    assert!(error.hint.contains("--rebuild"));

    let library = Library::recreate(&home.layout).unwrap();
    let rows: Vec<_> = machines
        .iter()
        .map(|spec| MachineRow {
            spec: spec.clone(),
            trashed_at: None,
        })
        .collect();
    assert!(library.rebuild(&rows, &[]).unwrap().is_empty());
    assert_eq!(library.machines().unwrap().len(), 200);
    drop(library);
    assert_eq!(home.open().machines().unwrap().len(), 200);
}

#[test]
fn a_folder_in_its_place_and_a_dangling_link_are_plain_errors() {
    let home = Home::new();
    let path = home.layout.database();
    fs::create_dir_all(&path).unwrap();
    let error = Library::open(&home.layout).unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.exit_code()),
        ("library-not-a-file", 4)
    );
    fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", &path).unwrap();
    assert_eq!(Library::open(&home.layout).unwrap_err().code, "file-not-found");
}

#[test]
fn an_older_schema_is_backed_up_and_migrated() {
    let home = Home::new();
    let library = home.open();
    let machine = spec("web");
    library.upsert_machine(&machine).unwrap();
    drop(library);
    // A library of the time before jobs, activity and journal.
    let sql = home.sql();
    sql.execute_batch("DROP TABLE journal; DROP TABLE activity; DROP TABLE jobs; PRAGMA user_version = 2")
        .unwrap();
    drop(sql);
    let library = home.open();
    assert!(!library.was_created());
    assert_eq!(library.machines().unwrap(), std::slice::from_ref(&machine));
    library.add_activity(crate::NOON, None, "test", "works").unwrap();

    let backups: Vec<_> = fs::read_dir(home.layout.backups())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(backups.len(), 1);
    let name = backups[0].file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("library-2-") && name.ends_with("Z.db"), "{name}");
    let backup = rusqlite::Connection::open(&backups[0]).unwrap();
    let version: i64 = backup
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let names: String = backup
        .query_row("SELECT name FROM machines", [], |row| row.get(0))
        .unwrap();
    assert_eq!((version, names.as_str()), (2, "web"));
}

#[test]
fn a_migration_that_fails_leaves_the_library_as_it_was() {
    let home = Home::new();
    drop(home.open());
    let sql = home.sql();
    // `journal` is there already, so the last step fails after three others went well.
    sql.execute_batch("DROP TABLE activity; DROP TABLE jobs; PRAGMA user_version = 2")
        .unwrap();
    drop(sql);
    assert_eq!(Library::open(&home.layout).unwrap_err().code, "library-failed");
    let sql = home.sql();
    let version: i64 = sql
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let jobs: i64 = sql
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name = 'jobs'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!((version, jobs), (2, 0));
}
