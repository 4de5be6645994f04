//! Cloud-init NoCloud seeds: a small vfat image labelled `CIDATA` with `user-data` and `meta-data`.
//!
//! Source: cloud-init's documentation of the NoCloud data source and of user-data formats. YAML is written as JSON, which
//! YAML 1.2 contains, so no name can break out of its place.

mod setup;

use nestbox_model::{Error, Result, Setup};
use serde_json::{Map, Value, json};
use sha_crypt::{PasswordHasher, ShaCrypt};
use ssh_key::rand_core::{OsRng, RngCore};
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

pub use setup::check as check_setup;

/// Longest user-data of the user's own.
pub const USER_DATA_MAX: usize = 1 << 20;

/// What the guest is told at its first boot.
#[derive(Clone, Default)]
pub struct SeedSpec {
    /// Must be new for each machine and clone: cloud-init runs once for each.
    pub instance_id: String,
    /// Any text; [`hostname`] makes a host name of it.
    pub hostname: String,
    /// Login name; `None` keeps the image's own (`default_user`).
    pub user: Option<String>,
    /// Password in clear; only a SHA-512 crypt hash is written. `None` leaves the account without one.
    pub password: Option<String>,
    /// Public keys, one line each (`authorized_keys` form).
    pub ssh_keys: Vec<String>,
    /// The user's own user-data in any form cloud-init knows; it wins over what is made here.
    pub user_data: Option<String>,
    /// The image's own account (`ubuntu`), from the template.
    pub default_user: Option<String>,
    /// Packages, commands, language, keyboard and time zone.
    pub setup: Setup,
}

impl std::fmt::Debug for SeedSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeedSpec")
            .field("instance_id", &self.instance_id)
            .field("hostname", &self.hostname)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("ssh_keys", &self.ssh_keys.len())
            .field("user_data", &self.user_data.as_ref().map(String::len))
            .field("default_user", &self.default_user)
            .field("setup", &self.setup)
            .finish()
    }
}

/// Writes the seed so that it is there whole or not at all; mode 0600, as it holds a password's hash.
///
/// # Errors
/// What [`check`] finds, or an I/O error.
pub fn write(path: &Path, spec: &SeedSpec) -> Result<()> {
    check(spec)?;
    store(
        path,
        &meta_data(&spec.instance_id, &spec.hostname),
        &user_data(spec)?,
    )
}

/// Gives an existing seed of ours another instance and host name: for a clone, whose cloud-init then runs again at its
/// next boot. Everything else in it, password hashes and keys included, stays.
///
/// # Errors
/// `seed-unreadable` when it is none of ours, or an I/O error.
pub fn renew(path: &Path, instance_id: &str, name: &str) -> Result<()> {
    let unreadable = |why: String| {
        Error::failed("seed-unreadable", "The machine's cloud-init seed can't be read.")
            .with_hint("The machine runs without it; only a new name and id are not told to the guest.")
            .with_detail("path", path.display().to_string())
            .with_detail("system", why)
    };
    let old_meta = read(path, "meta-data").map_err(|e| unreadable(e.to_string()))?;
    let old_user = read(path, "user-data").map_err(|e| unreadable(e.to_string()))?;
    let old: Value = serde_json::from_slice(&old_meta).map_err(|e| unreadable(e.to_string()))?;
    let old_name = old["local-hostname"].as_str().unwrap_or_default();
    // As `cloud_config` writes it; a host name needs no escapes.
    let line = |name: &str| format!("\"hostname\": \"{name}\"");
    let user_data = String::from_utf8(old_user)
        .map_err(|e| unreadable(e.to_string()))?
        .replace(&line(old_name), &line(&hostname(name)));
    store(path, &meta_data(instance_id, name), user_data.as_bytes())
}

fn read(path: &Path, name: &str) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let volume = fatfs::FileSystem::new(ReadOnly(file), fatfs::FsOptions::new())?;
    let mut content = Vec::new();
    volume
        .root_dir()
        .open_file(name)?
        .take(2 * USER_DATA_MAX as u64)
        .read_to_end(&mut content)?;
    Ok(content)
}

/// What the FAT library wants to be able to write to, and must not.
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
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Only its notes about use; nothing of it is kept.
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn store(path: &Path, meta_data: &[u8], user_data: &[u8]) -> Result<()> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let failed = |error: &std::io::Error| Error::io("write the cloud-init seed", path, error);
    let mut file = tempfile::Builder::new()
        .prefix(".seed-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(|e| failed(&e))?;
    image(
        file.as_file_mut(),
        &[("meta-data", meta_data), ("user-data", user_data)],
    )
    .map_err(|e| failed(&e))?;
    let finish = || -> std::io::Result<()> {
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        File::open(folder)?.sync_all()
    };
    finish().map_err(|e| failed(&e))
}

/// Checks a seed without writing it, so that a request can be refused at once.
///
/// # Errors
/// As usage: `bad-setup`, `bad-user`, `bad-password`, `bad-ssh-key`, `bad-user-data`, `bad-instance-id`.
pub fn check(spec: &SeedSpec) -> Result<()> {
    if spec.instance_id.is_empty() || !spec.instance_id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::usage(
            "bad-instance-id",
            "The instance id must be plain text without spaces.",
        ));
    }
    if let Some(user) = &spec.user {
        check_user(user)?;
    }
    if let Some(password) = &spec.password {
        // PAM and chpasswd work on lines; longer ones would make the hash slow.
        if password.is_empty() || password.len() > 512 || password.contains(['\n', '\r', '\0']) {
            return Err(Error::usage("bad-password", "The password can't be used.")
                .with_hint("Use one line of 1 to 512 characters."));
        }
    }
    for key in &spec.ssh_keys {
        check_ssh_key(key)?;
    }
    check_setup(&spec.setup)?;
    if let Some(data) = &spec.user_data {
        if data.len() > USER_DATA_MAX {
            return Err(Error::usage(
                "bad-user-data",
                "The user-data is larger than 1 MiB.",
            ));
        }
        part_type(data)?;
    }
    Ok(())
}

/// Checks a login name: 1 to 32 of a-z, 0-9, `_` and `-`, starting with a letter or `_`; not `root`.
///
/// # Errors
/// `bad-user` (usage).
pub fn check_user(user: &str) -> Result<()> {
    let first = user.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let rest = user
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    if first && rest && user.len() <= 32 && user != "root" {
        return Ok(());
    }
    Err(
        Error::usage("bad-user", format!("“{user}” can't be the name of an account."))
            .with_hint("Use up to 32 of a-z, 0-9, - and _, starting with a letter. The name root is taken.")
            .with_detail("user", user),
    )
}

/// Checks one public key line (`ssh-ed25519 AAAA… comment`).
///
/// # Errors
/// `bad-ssh-key` (usage).
pub fn check_ssh_key(line: &str) -> Result<()> {
    let line = line.trim();
    let bad = |why: &str| {
        Error::usage("bad-ssh-key", format!("The SSH key can't be used: {why}."))
            .with_hint("Give the public key: the one line in a file such as ~/.ssh/id_ed25519.pub.")
    };
    if line.contains("PRIVATE KEY") {
        return Err(bad("it is a private key, which belongs to nobody but you"));
    }
    if line.contains(['\n', '\r', '\0']) {
        return Err(bad("it has more than one line"));
    }
    // Hardware keys and certificates too; options before the key are left to user-data.
    match ssh_key::PublicKey::from_openssh(line) {
        Ok(_) => Ok(()),
        Err(_) if ssh_key::Certificate::from_openssh(line).is_ok() => Ok(()),
        Err(error) => Err(bad("it is not in OpenSSH's form").with_detail("system", error.to_string())),
    }
}

/// A host name (RFC 1123 label: 1 to 63 of a-z, 0-9 and dashes inside) that resembles `name`.
pub fn hostname(name: &str) -> String {
    let mut label = String::new();
    for c in deunicode::deunicode(name).chars() {
        if c.is_ascii_alphanumeric() {
            label.push(c.to_ascii_lowercase());
        } else if !label.is_empty() && !label.ends_with('-') && c != '\'' {
            label.push('-');
        }
        if label.len() == 63 {
            break;
        }
    }
    let label = label.trim_matches('-');
    match label {
        "" => "machine".to_owned(),
        "localhost" => "localhost-machine".to_owned(),
        // A name of digits alone could be taken for an address.
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("machine-{}", &digits[..digits.len().min(50)])
        }
        label => label.to_owned(),
    }
}

fn meta_data(instance_id: &str, name: &str) -> Vec<u8> {
    let value = json!({ "instance-id": instance_id, "local-hostname": hostname(name) });
    format!("{value:#}\n").into_bytes()
}

/// Our cloud-config, after the user's data where there is some.
fn user_data(spec: &SeedSpec) -> Result<Vec<u8>> {
    let ours = format!("#cloud-config\n{:#}\n", cloud_config(spec)?);
    let Some(theirs) = &spec.user_data else {
        return Ok(ours.into_bytes());
    };
    let kind = part_type(theirs)?;
    let mut boundary = format!(
        "nestbox-{}",
        spec.instance_id.replace(|c: char| !c.is_ascii_alphanumeric(), "")
    );
    while theirs.contains(&boundary) || ours.contains(&boundary) {
        boundary.push('x');
    }
    let mut out = format!(
        "Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n--{boundary}\n"
    );
    // The user's part comes first and ours joins it: of a key that both have, the first value stays; lists (keys,
    // accounts, commands) are joined. That is cloud-init's only way to have both.
    match kind {
        // It brings its own headers.
        None => out.push_str(&format!("{}\n", theirs.trim_start())),
        Some(kind) => out.push_str(&format!(
            "Content-Type: {kind}; charset=\"utf-8\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n\n{theirs}\n"
        )),
    }
    out.push_str(&format!(
        "--{boundary}\nContent-Type: text/cloud-config; charset=\"utf-8\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n\
         X-Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n\n{ours}\n"
    ));
    out.push_str(&format!("--{boundary}--\n"));
    Ok(out.into_bytes())
}

/// MIME type of user-data by its first line, as cloud-init decides; `None` for data that has MIME headers.
fn part_type(data: &str) -> Result<Option<&'static str>> {
    let start = data.trim_start();
    let lower = start.get(..start.len().min(64)).map(str::to_ascii_lowercase);
    if lower.is_some_and(|l| l.starts_with("content-type:") || l.starts_with("mime-version:")) {
        return Ok(None);
    }
    let known = [
        ("#cloud-config-archive", "text/cloud-config-archive"),
        ("#cloud-config", "text/cloud-config"),
        ("#!", "text/x-shellscript"),
        ("#cloud-boothook", "text/cloud-boothook"),
        ("#include-once", "text/x-include-once-url"),
        ("#include", "text/x-include-url"),
        ("#part-handler", "text/part-handler"),
        ("## template: jinja", "text/jinja2"),
    ];
    known
        .iter()
        .find(|(mark, _)| data.starts_with(mark))
        .map(|(_, kind)| Some(*kind))
        .ok_or_else(|| {
            Error::usage(
                "bad-user-data",
                "The user-data is of no kind that cloud-init knows.",
            )
            .with_hint("Its first line says what it is: #cloud-config, or #! and a shell, for example.")
        })
}

fn cloud_config(spec: &SeedSpec) -> Result<Value> {
    let mut config = Map::new();
    let hostname = hostname(&spec.hostname);
    config.insert("hostname".into(), json!(hostname));
    config.insert("manage_etc_hosts".into(), json!(true));
    config.insert(
        "growpart".into(),
        json!({ "mode": "auto", "devices": ["/"], "ignore_growroot_disabled": false }),
    );
    config.insert("resize_rootfs".into(), json!(true));
    // `user` changes the image's own account, which keeps its groups, shell and right to be root whatever
    // the distribution calls them.
    let mut user = Map::new();
    if let Some(name) = &spec.user {
        user.insert("name".into(), json!(name));
        user.insert("gecos".into(), json!(name));
        // Alpine's right to be root names the account.
        if spec.default_user.as_deref() == Some("alpine") && name != "alpine" {
            user.insert("doas".into(), json!([format!("permit nopass {name}")]));
        }
    }
    if let Some(password) = &spec.password {
        user.insert("lock_passwd".into(), json!(false));
        config.insert("password".into(), json!(crypt(password)?));
        config.insert("chpasswd".into(), json!({ "expire": false }));
        config.insert("ssh_pwauth".into(), json!(true));
    }
    if !user.is_empty() {
        config.insert("user".into(), Value::Object(user));
    }
    config.insert("users".into(), json!(["default"]));
    let keys: Vec<_> = spec.ssh_keys.iter().map(|key| key.trim()).collect();
    if !keys.is_empty() {
        config.insert("ssh_authorized_keys".into(), json!(keys));
    }
    setup::add(&mut config, &spec.setup);
    Ok(Value::Object(config))
}

/// SHA-512 crypt (`$6$`), as every Linux knows it.
fn crypt(password: &str) -> Result<String> {
    // 12 bytes become the 16 letters that crypt(3) takes at most. A longer salt, which the hashing crate makes
    // by itself, is cut by crypt(3), and then no password ever fits.
    let mut salt = [0; 12];
    OsRng.fill_bytes(&mut salt);
    let hash = ShaCrypt::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| {
            Error::failed("bad-password", "The password could not be hashed.")
                .with_detail("system", error.to_string())
        })?;
    Ok(hash.as_str().to_owned())
}

/// A vfat volume with these files.
fn image(file: &mut File, files: &[(&str, &[u8])]) -> std::io::Result<()> {
    let content: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let size = (content as u64 + (512 << 10)).next_multiple_of(1 << 20);
    file.set_len(size)?;
    file.seek(SeekFrom::Start(0))?;
    let options = fatfs::FormatVolumeOptions::new().volume_label(*b"CIDATA     ");
    fatfs::format_volume(&mut *file, options)?;
    let volume = fatfs::FileSystem::new(&mut *file, fatfs::FsOptions::new())?;
    for (name, bytes) in files {
        let mut target = volume.root_dir().create_file(name)?;
        target.truncate()?;
        target.write_all(bytes)?;
        target.flush()?;
    }
    volume.unmount()
}

#[cfg(test)]
mod tests;
