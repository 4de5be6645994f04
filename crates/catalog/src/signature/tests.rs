use super::*;
use std::{collections::BTreeMap, path::Path};

/// `| file | fingerprint | …` of `vm-templates/keys/README.md`.
fn documented(folder: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join("README.md")).unwrap();
    text.lines()
        .filter_map(|line| {
            let mut cells = line.split('`');
            let (file, print) = (cells.nth(1)?, cells.nth(1)?);
            file.ends_with(".asc")
                .then(|| (file.to_owned(), print.to_owned()))
        })
        .collect()
}

#[test]
fn every_key_is_the_documented_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vm-templates/keys");
    let documented = documented(&folder);
    assert!(documented.len() >= 4);
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "README.md" {
            continue;
        }
        files += 1;
        let mut ring = Keyring::default();
        ring.add(&name, &std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(ring.fingerprints(), [documented[&name].clone()], "{name}");
    }
    assert_eq!(files, documented.len());
}

#[test]
fn nonsense_is_no_key_and_no_signature() {
    let mut ring = Keyring::default();
    for bytes in [
        &b""[..],
        b"hello",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxx\n",
    ] {
        assert_eq!(ring.add("x", bytes).unwrap_err().code, "bad-key");
    }
    let now = SystemTime::now();
    for bytes in [
        &b""[..],
        b"hello",
        b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n",
        &[0xff; 40],
    ] {
        assert_eq!(
            ring.verify_detached(b"data", bytes, now).unwrap_err().code,
            "signature-bad"
        );
    }
    assert_eq!(
        ring.verify_clearsigned(b"SHA256 (x) = y", now).unwrap_err().code,
        "signature-missing"
    );
    let cut = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nx\n";
    assert_eq!(
        ring.verify_clearsigned(cut, now).unwrap_err().code,
        "signature-bad"
    );
}

/// GnuPG, with its own folder under `home`.
fn gpg(home: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = std::process::Command::new("gpg")
        .arg("--homedir")
        .arg(home)
        .args([
            "--batch",
            "--no-tty",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ])
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Distributions sign with GnuPG and RSA keys.
#[test]
fn signatures_made_by_gnupg() {
    use std::os::unix::fs::PermissionsExt;
    if std::process::Command::new("gpg")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("skipped: gpg is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o700)).unwrap();
    gpg(
        home,
        &[
            "--quick-generate-key",
            "Example CD <cd@example.invalid>",
            "rsa3072",
            "sign",
            "never",
        ],
    );
    let data = b"- dashed \nSHA256 (a.qcow2) = 00  \n\nlast";
    let file = home.join("SUMS");
    std::fs::write(&file, data).unwrap();
    let path = file.to_str().unwrap();
    let mut ring = Keyring::default();
    ring.add("a.gpg", &gpg(home, &["--export"])).unwrap();
    let now = SystemTime::now();
    let armoured = gpg(home, &["--armor", "--detach-sign", "--output", "-", path]);
    let binary = gpg(home, &["--detach-sign", "--output", "-", path]);
    for signature in [&armoured, &binary] {
        let signer = ring.verify_detached(data, signature, now).unwrap();
        assert!(signer.ends_with(" Example CD <cd@example.invalid>"), "{signer}");
        assert_eq!(
            ring.verify_detached(b"other", signature, now).unwrap_err().code,
            "signature-bad"
        );
        let past = now - Duration::from_secs(3 * 86_400);
        let error = ring.verify_detached(data, signature, past).unwrap_err();
        assert!(error.message.contains("future"), "{error}");
        let empty = Keyring::default()
            .verify_detached(data, signature, now)
            .unwrap_err();
        assert!(empty.message.contains("does not belong"), "{empty}");
    }
    let old = gpg(
        home,
        &["--digest-algo", "SHA1", "--detach-sign", "--output", "-", path],
    );
    assert_eq!(
        ring.verify_detached(data, &old, now).unwrap_err().code,
        "signature-bad"
    );
    let clear = gpg(home, &["--clearsign", "--output", "-", path]);
    let (text, _) = ring.verify_clearsigned(&clear, now).unwrap();
    assert!(
        text.contains("SHA256 (a.qcow2) = 00") && text.starts_with("- dashed"),
        "{text:?}"
    );
    let mut around = b"SHA256 (evil.qcow2) = 11\n".to_vec();
    around.extend_from_slice(&clear);
    let (text, _) = ring.verify_clearsigned(&around, now).unwrap();
    assert!(!text.contains("evil"), "what is outside the signature is dropped");
    let changed = String::from_utf8(clear).unwrap().replace("= 00", "= 11");
    assert_eq!(
        ring.verify_clearsigned(changed.as_bytes(), now).unwrap_err().code,
        "signature-bad"
    );
    let past_expiry = gpg(
        home,
        &[
            "--faked-system-time",
            "20200101T000000!",
            "--ignore-time-conflict",
            "--default-sig-expire",
            "1d",
            "--armor",
            "--detach-sign",
            "--output",
            "-",
            path,
        ],
    );
    let error = ring.verify_detached(data, &past_expiry, now).unwrap_err();
    assert!(error.message.contains("expired"), "{error}");
    let _ = std::process::Command::new("gpgconf")
        .arg("--homedir")
        .arg(home)
        .args(["--kill", "all"])
        .output();
}
