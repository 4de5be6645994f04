//! Whether pages are drawn by a GPU. Without one WebKitGTK's DMA-BUF renderer only costs time and memory
//! (or shows nothing), so it is turned off then, and only then.

use std::path::Path;

/// Kernel drivers of DRM devices that have a render node or a card but no 3D engine behind it.
const DRIVERS_WITHOUT_3D: &[&str] = &[
    "ast",
    "bochs-drm",
    "cirrus",
    "mgag200",
    "simple-framebuffer",
    "vgem",
    "vkms",
];

/// Sets WebKit's environment variables. Call before any other thread exists.
pub fn prepare_environment() {
    #[cfg(target_os = "linux")]
    if std::env::var_os("WEBKIT_DISABLE_DMABUF_RENDERER").is_none() && !compositing_available() {
        // SAFETY: `main` calls this first; no other thread reads or writes the environment yet.
        unsafe { std::env::set_var("WEBKIT_DISABLE_DMABUF_RENDERER", "1") };
    }
}

/// Whether a GPU that can composite is there and this account may use it.
pub fn compositing_available() -> bool {
    if cfg!(target_os = "linux") {
        render_node_in(Path::new("/dev/dri"), Path::new("/sys/class/drm"))
    } else {
        true
    }
}

fn render_node_in(devices: &Path, classes: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(devices) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with("renderD") {
            return false;
        }
        let driver = std::fs::read_link(classes.join(&name).join("device/driver"));
        let known_without = driver.ok().and_then(|link| {
            let driver = link.file_name()?.to_string_lossy().into_owned();
            Some(DRIVERS_WITHOUT_3D.contains(&driver.as_str()))
        });
        // No driver link means a virtual device (vgem): nothing that composites.
        known_without == Some(false)
            && std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(entry.path())
                .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    fn host_with(driver: Option<&str>) -> (tempfile::TempDir, bool) {
        let root = tempfile::tempdir().unwrap();
        let (devices, classes) = (root.path().join("dri"), root.path().join("drm"));
        fs::create_dir_all(&devices).unwrap();
        fs::write(devices.join("card0"), "").unwrap();
        if let Some(driver) = driver {
            fs::write(devices.join("renderD128"), "").unwrap();
            fs::create_dir_all(classes.join("renderD128/device")).unwrap();
            symlink(
                format!("/bus/pci/drivers/{driver}"),
                classes.join("renderD128/device/driver"),
            )
            .unwrap();
        }
        let found = render_node_in(&devices, &classes);
        (root, found)
    }

    #[test]
    fn only_a_render_node_with_a_3d_driver_counts() {
        assert!(host_with(Some("i915")).1);
        assert!(host_with(Some("amdgpu")).1);
        assert!(!host_with(Some("vgem")).1);
        assert!(!host_with(None).1);
        assert!(!render_node_in(Path::new("/nowhere"), Path::new("/nowhere")));
    }
}
