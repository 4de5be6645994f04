use super::*;
use nestbox_model::{TemplateKind, VerifiedBy};
use std::collections::BTreeSet;

fn load() -> Catalog {
    Catalog::load(Path::new("/nonexistent/cache"), None).unwrap()
}

#[test]
fn the_built_in_templates_are_sound() {
    let catalog = load();
    let all = catalog.templates(&Mirrors::none());
    let ids: Vec<_> = all.iter().map(|t| t.id.as_str()).collect();
    let expected = [
        "ubuntu-26.04",
        "ubuntu-26.04-desktop",
        "ubuntu-26.04-server",
        "ubuntu-24.04",
        "ubuntu-24.04-desktop",
        "ubuntu-24.04-server",
        "ubuntu-22.04",
    ];
    assert_eq!(ids[..7], expected);
    assert!(ids.len() >= 25, "{}", ids.len());
    let mut families: Vec<_> = all.iter().map(|t| t.family.as_str()).collect();
    families.dedup();
    let distinct: BTreeSet<_> = families.iter().collect();
    assert_eq!(families.len(), distinct.len(), "families stand together");
    assert_eq!(families[..4], ["ubuntu", "debian", "fedora", "alpine"]);
    let place = |id: &str| ids.iter().position(|one| *one == id).unwrap();
    assert!(place("rocky-10") < place("rocky-9"), "newest first");
    for template in &all {
        assert!(template.summary.ends_with('.'), "{}", template.id);
        assert!(
            template.notes.iter().all(|note| note.ends_with('.')),
            "{}",
            template.id
        );
        assert_eq!(template.glyph.chars().count(), 2, "{}", template.id);
        for arch in template.arches.values() {
            assert!(!arch.cached);
            assert_eq!(arch.url.is_empty(), arch.own_medium, "{}", template.id);
            assert!(
                arch.own_medium || arch.url.starts_with("https://") && !arch.url.contains(['{', '*', ' ']),
                "{}",
                arch.url
            );
            assert_eq!(
                template.user.is_some(),
                arch.kind == TemplateKind::CloudImage,
                "{}",
                template.id
            );
        }
    }
    let arches = |id: &str| -> Vec<Arch> {
        catalog
            .template(id, &Mirrors::none())
            .unwrap()
            .arches
            .into_keys()
            .collect()
    };
    for id in ["ubuntu-24.04", "ubuntu-26.04", "debian-13"] {
        let all = arches(id);
        assert_eq!(all[..3], [Arch::X86_64, Arch::Aarch64, Arch::Riscv64], "{id}");
    }
    for id in [
        "fedora-44-workstation",
        "alpine-3.23",
        "ubuntu-26.04-desktop",
        "ubuntu-24.04-server",
        "debian-13-netinst",
    ] {
        assert_eq!(arches(id), [Arch::X86_64, Arch::Aarch64], "{id}");
    }
    assert_eq!(arches("ubuntu-24.04-desktop"), [Arch::X86_64]);
}

#[test]
fn every_value_and_layout_is_used() {
    let catalog = load();
    let layouts = |entry: &Entry| -> Vec<String> {
        let names = entry.file.arches.values();
        names
            .map(|arch| format!("{:?}", entry.family.layouts[&arch.layout]))
            .collect()
    };
    for entry in catalog.entries.values() {
        for value in entry.file.values.keys() {
            let place = format!("{{{value}}}");
            let used = layouts(entry).iter().any(|layout| layout.contains(&place));
            assert!(used, "{}: nothing uses {place}", entry.file.id);
        }
        for name in entry.family.layouts.keys() {
            let uses = |other: &Entry| {
                other.file.family == entry.file.family
                    && other.file.arches.values().any(|arch| arch.layout == *name)
            };
            assert!(
                catalog.entries.values().any(uses),
                "{}: no template uses the layout {name}",
                entry.file.family
            );
        }
    }
}

#[test]
fn what_the_user_brings_and_what_is_set_up_is_said() {
    let catalog = load();
    let template = |id: &str| catalog.template(id, &Mirrors::none()).unwrap();
    let windows = template("windows-11");
    let shown = &windows.arches[&Arch::X86_64];
    assert!(shown.own_medium && shown.url.is_empty() && shown.verified_by == VerifiedBy::None);
    assert!(windows.notes.iter().any(|note| note.contains("TPM")));
    let docker = "docker.io".to_owned();
    assert!(template("container-host").setup.packages.contains(&docker));
    assert_eq!(
        template("freedos-1.4").firmware,
        Some(nestbox_model::Firmware::Bios)
    );
    for (id, arch) in [("haiku-r1", Arch::X86_64), ("reactos-0.4", Arch::I386)] {
        assert_eq!(template(id).arches[&arch].verified_by, VerifiedBy::None, "{id}");
    }
}

#[test]
fn addresses_are_the_distributions_own() {
    let catalog = load();
    let shown = |id: &str, arch| catalog.template(id, &Mirrors::none()).unwrap().arches[&arch].clone();
    let url = |id, arch| shown(id, arch).url;
    let ubuntu =
        "https://cloud-images.ubuntu.com/releases/noble/release/ubuntu-24.04-server-cloudimg-arm64.img";
    assert_eq!(url("ubuntu-24.04", Arch::Aarch64), ubuntu);
    let debian = "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-generic-amd64.qcow2";
    assert_eq!(url("debian-13", Arch::X86_64), debian);
    let fedora = "https://dl.fedoraproject.org/pub/fedora/linux/releases/44/Cloud/aarch64/images/Fedora-Cloud-Base-Generic-44-1.7.aarch64.qcow2";
    assert_eq!(url("fedora-44", Arch::Aarch64), fedora);
    let alpine = "https://dl-cdn.alpinelinux.org/alpine/v3.23/releases/cloud/nocloud_alpine-3.23.4-x86_64-uefi-cloudinit-r0.qcow2";
    assert_eq!(url("alpine-3.23", Arch::X86_64), alpine);
    let ports = "https://cdimage.ubuntu.com/releases/26.04/release/ubuntu-26.04.1-desktop-arm64.iso";
    assert_eq!(url("ubuntu-26.04-desktop", Arch::Aarch64), ports);
    for (id, verified) in [
        ("ubuntu-24.04", VerifiedBy::Gpg),
        ("alma-10", VerifiedBy::Gpg),
        ("rocky-10", VerifiedBy::Checksum),
        ("opensuse-16.0", VerifiedBy::Checksum),
        ("fedora-44", VerifiedBy::Gpg),
        ("debian-13-netinst", VerifiedBy::Gpg),
        ("debian-13", VerifiedBy::Checksum),
        ("alpine-3.23", VerifiedBy::Checksum),
    ] {
        assert_eq!(shown(id, Arch::X86_64).verified_by, verified, "{id}");
    }
    let mirrors = Mirrors::from_parts([("mirror.ubuntu", "http://mirror.example/u/")], []).unwrap();
    let mirrored = catalog.template("ubuntu-24.04", &mirrors).unwrap().arches[&Arch::Aarch64]
        .url
        .clone();
    assert_eq!(
        mirrored,
        ubuntu.replace("https://cloud-images.ubuntu.com", "http://mirror.example/u")
    );
}

#[test]
fn suggests_what_was_meant() {
    let catalog = load();
    let hint = |id: &str| catalog.template(id, &Mirrors::none()).unwrap_err().hint;
    assert!(
        hint("ubuntu").contains("Did you mean ubuntu-2"),
        "{}",
        hint("ubuntu")
    );
    assert!(hint("debain-13").contains("debian-13"));
    assert!(hint("alpine-3.22").contains("alpine-3.23"));
    assert!(!hint("solaris-11").contains("Did you mean"));
    assert_eq!(
        catalog.template(" Debian-13 ", &Mirrors::none()).unwrap().id,
        "debian-13"
    );
}

const GOOD: &str = r#"
        id = "mine"
        family = "debian"
        name = "Mine"
        variant = "server"
        summary = "My own."
        user = "me"
        [values]
        version = "13"
        codename = "trixie"
        pinned = "x"
        [defaults]
        cpus = 1
        memory = "1G"
        disk = "10G"
        [arches.x86_64]
        layout = "cloud"
    "#;

#[test]
fn a_user_s_templates_join_and_bad_ones_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    put("mine.toml", GOOD);
    for (name, from, to) in [
        ("debian-13", "mine", "debian-13"),
        ("other", "mine", "another"),
        ("family", "debian", "nobody"),
        ("arch", "x86_64", "vax"),
        ("layout", "cloud", "nothing"),
        ("value", "codename", "code"),
        ("path", "trixie", "../../etc"),
        ("memory", "1G", "1M"),
        ("key", "summary", "sumary"),
        ("user", "user = \"me\"", ""),
        ("variant", "server", "toaster"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        let text = if matches!(name, "other" | "debian-13") {
            text
        } else {
            text.replace("\"mine\"", &format!("{name:?}"))
        };
        put(&format!("{name}.toml"), &text);
    }
    fs::create_dir(folder.path().join("families")).unwrap();
    let family = include_str!("../../../../vm-templates/families/alpine.toml");
    put(
        "families/http.toml",
        &family
            .replace("\"alpine\"", "\"http\"")
            .replace("https://", "http://"),
    );
    put("families/alpine.toml", family);
    let catalog = Catalog::load(Path::new("/nonexistent"), Some(folder.path())).unwrap();
    let problems: Vec<_> = catalog.problems().iter().map(|p| p.message.clone()).collect();
    assert_eq!(problems.len(), 13, "{problems:#?}");
    assert!(catalog.problems().iter().all(|p| p.code == "bad-template"));
    assert_eq!(
        catalog
            .template("mine", &Mirrors::none())
            .unwrap()
            .user
            .as_deref(),
        Some("me")
    );
    assert_eq!(
        catalog.templates(&Mirrors::none()).len(),
        load().entries.len() + 1
    );
    assert_eq!(
        catalog.template("debian-13", &Mirrors::none()).unwrap().name,
        "Debian 13"
    );
    assert!(
        Catalog::load(Path::new("/nonexistent"), Some(Path::new("/nowhere")))
            .unwrap()
            .problems()
            .is_empty()
    );
}
