//! Where copies go, and what is left when they fail.

use crate::common::{blank, copy, copy_with, hashes, helper, run, tree};
use nestbox_browse::{CopyOut, Helper};
use nestbox_model::ImageFormat;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

fn image(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    if !crate::common::have("copying", &["mke2fs"]) {
        return None;
    }
    let top = tree(folder, 20);
    std::fs::set_permissions(top.join("hello.txt"), std::fs::Permissions::from_mode(0o6755)).unwrap();
    let image = blank(folder, "image", 32 << 20);
    run(
        folder,
        "mke2fs",
        &["-q", "-F", "-t", "ext4", "-d", "tree", "image"],
    );
    Some((image, top))
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn into_a_folder_or_under_a_new_name_and_never_executable() {
    let folder = tempfile::tempdir().unwrap();
    let Some((image, top)) = image(folder.path()) else {
        return;
    };
    let to = folder.path().join("to");
    std::fs::create_dir(&to).unwrap();
    let copied = copy(&image, &["/hello.txt", "/level 0/level 1"], &to).unwrap();
    assert_eq!((copied.files, copied.folders), (2, 11));
    assert_eq!(entries(&to), ["hello.txt", "level 1"]);
    let mode = std::fs::metadata(to.join("hello.txt"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7111, 0, "{mode:o}");
    copy(&image, &["/hello.txt"], &to.join("new name")).unwrap();
    assert_eq!(std::fs::read(to.join("new name")).unwrap(), b"hello\n");
    copy(&image, &["/many"], &to.join("folder")).unwrap();
    assert!(hashes(&to.join("folder")) == hashes(&top.join("many")));
    // Several need a folder that is there.
    let several = copy(&image, &["/many", "/empty"], &to.join("none")).unwrap_err();
    assert_eq!(several.code, "file-not-found");
    let several = copy(&image, &["/many", "/empty"], &to.join("new name")).unwrap_err();
    assert_eq!(several.code, "not-a-folder");
}

#[test]
fn nothing_is_replaced_unless_asked_and_others_files_stay() {
    let folder = tempfile::tempdir().unwrap();
    let Some((image, _)) = image(folder.path()) else {
        return;
    };
    let to = folder.path().join("to");
    std::fs::create_dir_all(to.join("many")).unwrap();
    std::fs::write(to.join("hello.txt"), "mine").unwrap();
    std::fs::write(to.join("many/mine"), "mine").unwrap();
    for path in ["/hello.txt", "/many"] {
        let error = copy(&image, &["/empty", path], &to).unwrap_err();
        assert_eq!(error.code, "file-exists");
        assert_eq!(entries(&to), ["hello.txt", "many"]);
    }
    copy_with(&image, &["/hello.txt", "/many"], &to, true).unwrap();
    assert_eq!(std::fs::read(to.join("hello.txt")).unwrap(), b"hello\n");
    assert_eq!(std::fs::read(to.join("many/mine")).unwrap(), b"mine");
    assert_eq!(entries(&to.join("many")).len(), 21);
    // A link in the way is not written through.
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, "untouched").unwrap();
    std::os::unix::fs::symlink(&elsewhere, to.join("empty")).unwrap();
    assert_eq!(
        copy_with(&image, &["/empty"], &to, true).unwrap_err().code,
        "file-exists"
    );
    std::os::unix::fs::symlink(folder.path(), to.join("level 0")).unwrap();
    assert_eq!(
        copy_with(&image, &["/level 0"], &to, true).unwrap_err().code,
        "file-exists"
    );
    assert_eq!(std::fs::read(&elsewhere).unwrap(), b"untouched");
    assert!(!folder.path().join("level 1").exists());
}

#[test]
fn a_copy_that_is_cancelled_or_whose_reader_dies_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some((image, _)) = image(folder.path()) else {
        return;
    };
    let to = folder.path().join("to");
    std::fs::create_dir(&to).unwrap();
    let request = CopyOut {
        paths: vec!["/".into()],
        to: to.clone(),
        overwrite: false,
    };
    let images = || [(File::open(&image).unwrap(), ImageFormat::Raw)];
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let after_some = move |bytes: u64| {
        if bytes > 0 {
            stop.cancel();
        }
    };
    let error = nestbox_browse::copy_out(&helper(), &images(), &request, &cancel, &after_some).unwrap_err();
    assert_eq!(error.code, "cancelled");
    assert_eq!(entries(&to), [] as [&str; 0]);

    let deaf = Helper {
        program: "/bin/false".into(),
        arguments: Vec::new(),
    };
    let error =
        nestbox_browse::copy_out(&deaf, &images(), &request, &CancellationToken::new(), &|_| ()).unwrap_err();
    assert_eq!(error.code, "filesystem-damaged");
    assert_eq!(entries(&to), [] as [&str; 0]);
    // Babble instead of frames.
    let babbling = Helper {
        program: "/bin/sh".into(),
        arguments: ["-c", "while :; do echo babble babble babble; done >&0"]
            .map(Into::into)
            .to_vec(),
    };
    let error = nestbox_browse::copy_out(&babbling, &images(), &request, &CancellationToken::new(), &|_| ())
        .unwrap_err();
    assert_eq!(error.code, "filesystem-damaged");
    assert_eq!(entries(&to), [] as [&str; 0]);
}

/// A process that was taken over says what it likes, and nothing outside of the destination is touched.
#[test]
fn names_that_lead_elsewhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to");
    std::fs::create_dir(&to).unwrap();
    let image = blank(folder.path(), "image", 1 << 20);
    let request = CopyOut {
        paths: vec!["/".into()],
        to: to.clone(),
        overwrite: true,
    };
    for path in [
        // This one is good: the script says what it should.
        r#"["ok","fine%41"]"#,
        r#"["..","evil"]"#,
        r#"["a/../../evil"]"#,
        r#"["ok",".."]"#,
        r#"[""]"#,
        r#"[]"#,
        r#"["/evil"]"#,
        r#"["%2E%2E","evil"]"#,
        r#"["%2E%2E%2Fevil"]"#,
        r#"["a\u0000b"]"#,
    ] {
        let mut script = String::new();
        for reply in [
            r#"{"folder":["ok"]}"#.to_owned(),
            format!(r#"{{"file":{{"path":{path},"size":4,"modified":null}}}}"#),
        ] {
            script += &frame('R', &reply);
        }
        script += &frame('D', "evil");
        script += &frame('R', r#""file-end""#);
        script += &frame('R', r#"{"done":{"more":false}}"#);
        let taken_over = Helper {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), format!("printf '{script}' >&0; sleep 5").into()],
        };
        let images = [(File::open(&image).unwrap(), ImageFormat::Raw)];
        let done =
            nestbox_browse::copy_out(&taken_over, &images, &request, &CancellationToken::new(), &|_| ());
        assert_eq!(
            path.contains("fine"),
            to.join("ok/fineA").exists(),
            "{path}: {done:?}"
        );
        if let Err(error) = &done {
            assert_eq!(error.code, "filesystem-damaged", "{path}: {error}");
        }
        assert_eq!(entries(folder.path()), ["image", "to"], "{path}: {done:?}");
        let _ = std::fs::remove_dir_all(&to);
        std::fs::create_dir(&to).unwrap();
    }
}

/// A frame for `printf`.
fn frame(tag: char, payload: &str) -> String {
    let mut text = tag.to_string();
    for byte in (payload.len() as u32)
        .to_le_bytes()
        .iter()
        .chain(payload.as_bytes())
    {
        text += &format!("\\{byte:03o}");
    }
    text
}
