use super::*;
use proptest::prelude::*;
use sha_crypt::{PasswordHashRef, PasswordVerifier};
use std::io::Read;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMtUiBrjwGSOmxRgbrTm2hCKhJmt4c7HoIcLSQg0CVpO ann@example";

fn spec() -> SeedSpec {
    SeedSpec {
        instance_id: "i-1".into(),
        hostname: "Ann's “Küche”, x=y: #1".into(),
        user: Some("ann".into()),
        password: Some("geheim: \"'\\ {}".into()),
        ssh_keys: vec![KEY.into()],
        default_user: Some("ubuntu".into()),
        ..SeedSpec::default()
    }
}

fn read(path: &Path, name: &str) -> String {
    let volume =
        fatfs::FileSystem::new(File::open(path).map(ReadOnly).unwrap(), fatfs::FsOptions::new()).unwrap();
    assert_eq!(volume.volume_label(), "CIDATA");
    assert_eq!(
        volume.read_volume_label_from_root_dir().unwrap().as_deref(),
        Some("CIDATA")
    );
    let mut text = String::new();
    volume
        .root_dir()
        .open_file(name)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// fatfs wants a writer; nothing is written.
struct ReadOnly(File);
impl Read for ReadOnly {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}
impl Seek for ReadOnly {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}
impl Write for ReadOnly {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("read-only"))
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_seed_holds_what_was_asked_and_no_password_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.img");
    write(&path, &spec()).unwrap();
    write(&path, &spec()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
    let meta: Value = serde_json::from_str(&read(&path, "meta-data")).unwrap();
    assert_eq!(
        meta,
        json!({"instance-id": "i-1", "local-hostname": "anns-kuche-x-y-1"})
    );
    let text = read(&path, "user-data");
    let config: Value = serde_json::from_str(text.strip_prefix("#cloud-config\n").unwrap()).unwrap();
    assert_eq!(
        config["user"],
        json!({"name": "ann", "gecos": "ann", "lock_passwd": false})
    );
    assert_eq!(config["users"], json!(["default"]));
    assert_eq!(config["ssh_authorized_keys"], json!([KEY]));
    assert_eq!(config["growpart"]["mode"], "auto");
    let hash = config["password"].as_str().unwrap();
    assert!(hash.starts_with("$6$"), "{hash}");
    let parsed = PasswordHashRef::new(hash).unwrap();
    ShaCrypt::default()
        .verify_password(spec().password.unwrap().as_bytes(), parsed)
        .unwrap();
    let raw = fs::read(&path).unwrap();
    assert!(!raw.windows(6).any(|w| w == b"geheim"));
    assert!(!format!("{:?}", spec()).contains("geheim"));
}

#[test]
fn hashes_are_those_of_crypt() {
    let hash = crypt("secret").unwrap();
    let salt = hash.split('$').nth(3).unwrap();
    assert_eq!(salt.len(), 16, "crypt(3) takes no longer salt: {hash}");
    assert_ne!(hash, crypt("secret").unwrap());
    // What `openssl passwd -6` makes of the same password and salt.
    let known = "$6$zfUWbhdE0tSkGIXv$Ce.4809LWa.Zbi5ZA9FiLttM5xY.3CjxTnmNA2oDzpC9G3pFVnC7zomVRQ2F4OXB2PwYyVr5At4mcsMeMrwqD/";
    ShaCrypt::default()
        .verify_password(b"secret", PasswordHashRef::new(known).unwrap())
        .unwrap();
    if let Ok(output) = std::process::Command::new("openssl")
        .args(["passwd", "-6", "-salt", salt, "secret"])
        .output()
    {
        let theirs = String::from_utf8(output.stdout).unwrap();
        assert_eq!(hash.replace("rounds=5000$", ""), theirs.trim());
    }
}

#[test]
fn without_wishes_the_image_s_own_account_stays() {
    let spec = SeedSpec {
        instance_id: "i-2".into(),
        hostname: "web".into(),
        ssh_keys: vec![KEY.into()],
        ..SeedSpec::default()
    };
    let config = cloud_config(&spec).unwrap();
    assert_eq!(config.get("user"), None);
    assert_eq!(config.get("password"), None);
    assert_eq!(config.get("ssh_pwauth"), None);
}

#[test]
fn alpine_s_right_to_be_root_follows_the_name() {
    let spec = SeedSpec {
        user: Some("ann".into()),
        default_user: Some("alpine".into()),
        ..spec()
    };
    assert_eq!(
        cloud_config(&spec).unwrap()["user"]["doas"],
        json!(["permit nopass ann"])
    );
}

#[test]
fn the_user_s_data_comes_first_and_whole() {
    let theirs = "#cloud-config\npackages: [vim]\n";
    let spec_with = |data: &str| SeedSpec {
        user_data: Some(data.into()),
        ..spec()
    };
    let text = String::from_utf8(user_data(&spec_with(theirs)).unwrap()).unwrap();
    let ours = text.find("\"hostname\"").unwrap();
    assert!(text.find(theirs).unwrap() < ours);
    assert!(text.starts_with("Content-Type: multipart/mixed; boundary=\"nestbox-i1\"\n"));
    assert_eq!(text.matches("--nestbox-i1\n").count(), 2);
    assert!(text.ends_with("--nestbox-i1--\n"));
    assert_eq!(
        text.matches("X-Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n\n#cloud-config\n{")
            .count(),
        1
    );
    let script = SeedSpec {
        user_data: Some("#!/bin/sh\necho nestbox-i1 --nestbox-i1x\n".into()),
        ..spec()
    };
    let text = String::from_utf8(user_data(&script).unwrap()).unwrap();
    assert!(
        text.contains("text/x-shellscript") && text.contains("boundary=\"nestbox-i1xx\""),
        "{text}"
    );
    let bad = SeedSpec {
        user_data: Some("packages: [vim]".into()),
        ..spec()
    };
    assert_eq!(check(&bad).unwrap_err().code, "bad-user-data");
}

#[test]
fn refuses_bad_accounts_keys_and_passwords() {
    for user in ["", "root", "Ann", "1a", "a b", "a:b", "ä", &"a".repeat(33), "-x"] {
        assert_eq!(check_user(user).unwrap_err().code, "bad-user", "{user}");
    }
    for key in [
        "",
        "hello",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        &format!("{KEY}\n{KEY}"),
        "ssh-ed25519 AAAA",
    ] {
        assert_eq!(check_ssh_key(key).unwrap_err().code, "bad-ssh-key", "{key}");
    }
    for password in ["", "a\nb", &"x".repeat(600)] {
        let spec = SeedSpec {
            password: Some((*password).into()),
            ..spec()
        };
        assert_eq!(check(&spec).unwrap_err().code, "bad-password");
    }
}

#[test]
fn host_names_resemble_the_machine_s() {
    for (name, label) in [
        ("web", "web"),
        ("Ubuntu arm64", "ubuntu-arm64"),
        ("Café №5", "cafe-no5"),
        ("---", "machine"),
        ("42", "machine-42"),
        ("localhost", "localhost-machine"),
        ("a.b", "a-b"),
    ] {
        assert_eq!(hostname(name), label);
    }
}

proptest! {
    #[test]
    fn host_names_are_labels(name in "\\PC{0,200}") {
        let label = hostname(&name);
        prop_assert!((1..=63).contains(&label.len()));
        prop_assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        prop_assert!(!label.starts_with('-') && !label.ends_with('-'));
    }
    #[test]
    fn any_name_stays_in_its_place(name in "\\PC{0,60}") {
        let spec = SeedSpec { hostname: name, ..spec() };
        let text = user_data(&spec).unwrap();
        let text = String::from_utf8(text).unwrap();
        let config: Value = serde_json::from_str(text.strip_prefix("#cloud-config\n").unwrap()).unwrap();
        prop_assert_eq!(config.as_object().unwrap().len(), 10);
    }
}
