//! ARCHITECTURE.md as a test: which crate may know which, and what no headless crate may reach.

use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

/// What each crate of ours may depend on directly. A crate that is not here fails the lint: say where it belongs.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("nestbox-model", &[]),
    ("nestbox-store", &["nestbox-model"]),
    ("nestbox-accel", &["nestbox-model"]),
    ("nestbox-disk", &["nestbox-model"]),
    ("nestbox-browse", &["nestbox-model", "nestbox-disk"]),
    ("nestbox-display", &["nestbox-model"]),
    ("nestbox-catalog", &["nestbox-model"]),
    ("nestbox-qemu", &["nestbox-model", "nestbox-accel"]),
    (
        "nestbox-engine",
        &[
            "nestbox-model",
            "nestbox-store",
            "nestbox-accel",
            "nestbox-disk",
            "nestbox-browse",
            "nestbox-display",
            "nestbox-catalog",
            "nestbox-qemu",
        ],
    ),
    (
        "nestbox-api",
        &["nestbox-model", "nestbox-engine", "nestbox-display"],
    ),
    (
        "nestbox-cli",
        // It is the confined process, too.
        &["nestbox-model", "nestbox-engine", "nestbox-api", "nestbox-browse"],
    ),
    ("nestbox-app", &["nestbox-model", "nestbox-api"]),
    ("nestbox-guests", &["nestbox-model"]),
    ("nestbox-crashlab", &["nestbox-model", "nestbox-guests"]),
    ("xtask", &["nestbox-api"]),
];

/// Crates that tests, and only tests, may know besides.
const FOR_TESTS: &[&str] = &["nestbox-guests", "nestbox-store"];

/// Beginnings of the names of crates that draw windows: nothing but the window may reach them.
const WINDOW_TOOLKITS: &[&str] = &[
    "gtk",
    "gdk",
    "webkit",
    "javascriptcore",
    "wry",
    "tao",
    "tauri",
    "winit",
    "cocoa",
];

/// The crate that may.
const WINDOW: &str = "nestbox-app";

/// Every breach of the rules, one sentence each.
///
/// # Errors
/// `cargo metadata` does not run or answers something unreadable.
pub fn lint(root: &Path) -> Result<Vec<String>, String> {
    let graph = Graph::of_workspace(root)?;
    let mut problems = graph.breaches();
    problems.extend(page_breaches(root));
    Ok(problems)
}

/// In the pages, one file knows the window.
fn page_breaches(root: &Path) -> Vec<String> {
    const ONE_DOOR: &str = "ui/src/platform/tauri.ts";
    crate::tree::files(&root.join("ui/src"), &["ts", "tsx"])
        .iter()
        .map(|path| {
            (
                crate::tree::name(root, path),
                std::fs::read_to_string(path).unwrap_or_default(),
            )
        })
        .filter(|(name, text)| name != ONE_DOOR && text.contains("@tauri-apps/"))
        .map(|(name, _)| format!("{name} imports @tauri-apps: only {ONE_DOOR} may"))
        .collect()
}

/// Who depends on whom, from `cargo metadata`.
#[derive(Default)]
struct Graph {
    /// Crates of this workspace.
    ours: BTreeSet<String>,
    /// Crate → (crate it depends on, only for tests).
    edges: BTreeMap<String, BTreeSet<(String, bool)>>,
}

impl Graph {
    fn of_workspace(root: &Path) -> Result<Self, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("cargo metadata: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        let names: BTreeMap<_, _> = metadata
            .packages
            .into_iter()
            .map(|package| (package.id, package.name))
            .collect();
        let name = |id: &String| names.get(id).cloned().unwrap_or_default();
        let mut graph = Self {
            ours: metadata.workspace_members.iter().map(name).collect(),
            ..Self::default()
        };
        for node in metadata.resolve.nodes {
            let edges = graph.edges.entry(name(&node.id)).or_default();
            for dependency in node.deps {
                let only_tests = dependency
                    .dep_kinds
                    .iter()
                    .all(|kind| kind.kind.as_deref() == Some("dev"));
                edges.insert((name(&dependency.pkg), only_tests));
            }
        }
        Ok(graph)
    }

    fn breaches(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for package in &self.ours {
            let Some((_, allowed)) = MAY_KNOW.iter().find(|(name, _)| name == package) else {
                problems.push(format!(
                    "{package} is not in the table of xtask/src/architecture.rs: say what it may know"
                ));
                continue;
            };
            for (other, only_tests) in self.edges.get(package).into_iter().flatten() {
                let fine = !self.ours.contains(other)
                    || allowed.contains(&other.as_str())
                    || (*only_tests && FOR_TESTS.contains(&other.as_str()));
                if !fine {
                    problems.push(format!(
                        "{package} depends on {other}: dependencies point downwards only"
                    ));
                }
            }
            if package != WINDOW
                && let Some(path) = self.way_to_a_window(package)
            {
                problems.push(format!(
                    "{package} reaches a window toolkit: {}",
                    path.join(" → ")
                ));
            }
        }
        problems
    }

    /// The shortest chain of dependencies from `package` to a window toolkit.
    fn way_to_a_window(&self, package: &str) -> Option<Vec<String>> {
        let mut seen = BTreeSet::from([package.to_owned()]);
        let mut queue = std::collections::VecDeque::from([vec![package.to_owned()]]);
        while let Some(path) = queue.pop_front() {
            for (next, _) in path
                .last()
                .and_then(|last| self.edges.get(last))
                .into_iter()
                .flatten()
            {
                let mut path = path.clone();
                path.push(next.clone());
                if is_window_toolkit(next) {
                    return Some(path);
                }
                if seen.insert(next.clone()) {
                    queue.push_back(path);
                }
            }
        }
        None
    }
}

/// `gtk`, `gtk-sys`, `gtk3-macros`, … but not `gtkfoo` by someone else.
fn is_window_toolkit(name: &str) -> bool {
    WINDOW_TOOLKITS.iter().any(|toolkit| {
        name.strip_prefix(toolkit)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| !c.is_alphabetic()))
    })
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}
#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
}
#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}
#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}
#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str, bool)]) -> Graph {
        let mut graph = Graph::default();
        for (from, to, only_tests) in edges {
            graph
                .edges
                .entry((*from).into())
                .or_default()
                .insert(((*to).into(), *only_tests));
            for name in [from, to].into_iter().filter(|name| name.starts_with("nestbox")) {
                graph.ours.insert((*name).into());
            }
        }
        graph
    }

    #[test]
    fn this_workspace_keeps_to_its_architecture() {
        assert_eq!(lint(&crate::tree::root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_points_up_is_found() {
        let problems = graph(&[("nestbox-disk", "nestbox-engine", false)]).breaches();
        assert_eq!(
            problems,
            ["nestbox-disk depends on nestbox-engine: dependencies point downwards only"]
        );
    }

    #[test]
    fn guests_are_for_tests_alone() {
        assert_eq!(
            graph(&[("nestbox-engine", "nestbox-guests", true)]).breaches(),
            Vec::<String>::new()
        );
        assert_eq!(
            graph(&[("nestbox-engine", "nestbox-guests", false)])
                .breaches()
                .len(),
            1
        );
    }

    #[test]
    fn a_toolkit_is_found_through_others_and_the_way_is_told() {
        let problems = graph(&[
            ("nestbox-api", "rfd", false),
            ("rfd", "gtk-sys", false),
            ("nestbox-app", "tauri", false),
        ])
        .breaches();
        assert_eq!(
            problems,
            ["nestbox-api reaches a window toolkit: nestbox-api → rfd → gtk-sys"]
        );
        assert!(
            is_window_toolkit("webkit2gtk")
                && is_window_toolkit("tauri")
                && is_window_toolkit("gdk-pixbuf-sys")
        );
        assert!(!is_window_toolkit("taocp") && !is_window_toolkit("wryhammer"));
    }

    #[test]
    fn a_crate_nobody_placed_is_found() {
        let problems = graph(&[("nestbox-new", "serde", false)]).breaches();
        assert!(
            problems[0].contains("nestbox-new is not in the table"),
            "{problems:?}"
        );
    }
}
