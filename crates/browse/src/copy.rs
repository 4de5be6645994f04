//! Sends a file, or a folder with all that is in it.

use crate::answer::Answers;
use crate::filesystem::{Fault, FileSystem, Kind, Outcome};
use crate::protocol::Reply;
use crate::{names, walk};

/// A folder deeper than this is not copied: no sane tree has one, a loop has.
const DEPTH_MAX: usize = 200;
/// Entries of one folder; more are not copied.
const ENTRIES_MAX: usize = 1_000_000;
/// Entries of everything that is copied.
const ALL_MAX: u64 = 20_000_000;

/// Sends what is at `path`. Links, devices, pipes and sockets are passed over and told.
pub(crate) fn copy<F: FileSystem>(
    filesystem: &F,
    volume: u32,
    path: &str,
    answers: &mut Answers<'_>,
) -> Outcome<()> {
    let place = walk::find(filesystem, path)?;
    // What was asked for by name must be there; below it, what can't be read is passed over.
    filesystem.stat(&place.node)?;
    // As the user called it, where it is not the whole volume.
    let asked = path.rsplit('/').find(|part| !matches!(*part, "" | "." | ".."));
    let top = match (asked, place.names.last()) {
        (Some(asked), Some(_)) => asked.to_owned(),
        (_, Some(name)) => names::shown(name),
        (_, None) => volume_name(filesystem.facts().label.as_deref(), volume),
    };
    let top = names::shown(&names::bytes(&top));
    for note in &filesystem.facts().notes {
        answers.reply(&Reply::Note(note.clone()))?;
    }
    Tree {
        filesystem,
        answers,
        shown: place.shown(),
        path: vec![top],
        seen: 0,
        open: Vec::new(),
    }
    .send(&place.node)
}

fn volume_name(label: Option<&str>, number: u32) -> String {
    match label {
        Some(label) if !label.is_empty() && label != "." && label != ".." => label.to_owned(),
        _ => format!("volume {number}"),
    }
}

struct Tree<'a, 'b, F: FileSystem> {
    filesystem: &'a F,
    answers: &'a mut Answers<'b>,
    /// Path of the top on the disk.
    shown: String,
    /// Names from the top down.
    path: Vec<String>,
    seen: u64,
    /// The folders that are open, from the top down.
    open: Vec<F::Node>,
}

/// Names of entries, as they are shown, and the entries.
type Entries<N> = Vec<(String, N)>;

impl<F: FileSystem> Tree<'_, '_, F> {
    fn send(mut self, top: &F::Node) -> Outcome<()> {
        // What is left to do on each level.
        let mut levels: Vec<std::vec::IntoIter<(String, F::Node)>> = Vec::new();
        levels.extend(self.one(top)?.map(Vec::into_iter));
        while let Some(level) = levels.last_mut() {
            let Some((name, node)) = level.next() else {
                levels.pop();
                self.open.pop();
                self.path.pop();
                continue;
            };
            self.path.push(name);
            match self.one(&node)? {
                Some(below) => levels.push(below.into_iter()),
                None => drop(self.path.pop()),
            }
        }
        Ok(())
    }

    /// Sends one entry; the entries below if it is a folder.
    fn one(&mut self, node: &F::Node) -> Outcome<Option<Entries<F::Node>>> {
        self.seen += 1;
        if self.seen > ALL_MAX {
            return Err(Fault::Damaged("it has more files than are possible".into()));
        }
        let stat = match self.filesystem.stat(node) {
            Ok(stat) => stat,
            Err(fault) => return self.skip(&said(fault)?).map(|()| None),
        };
        match stat.kind {
            Kind::Link => self.skip("It is a link, and links are not copied.")?,
            Kind::Other => self.skip("It is a device, a pipe or a socket.")?,
            Kind::File => {
                self.answers.reply(&Reply::File {
                    path: self.path.clone(),
                    size: stat.size,
                    modified: stat.modified,
                })?;
                let reply = match self.filesystem.read_file(node, self.answers) {
                    Ok(()) => Reply::FileEnd,
                    Err(fault) => Reply::FileDamaged(said(fault)?),
                };
                self.answers.reply(&reply)?;
            }
            Kind::Folder if self.path.len() > DEPTH_MAX => {
                self.skip("It is too deep inside of other folders.")?;
            }
            Kind::Folder if self.open.contains(node) => {
                self.skip("It is damaged: the folder contains itself.")?;
            }
            Kind::Folder => {
                self.open.push(node.clone());
                return self.folder(node).map(Some);
            }
        }
        Ok(None)
    }

    fn folder(&mut self, node: &F::Node) -> Outcome<Entries<F::Node>> {
        self.answers.reply(&Reply::Folder(self.path.clone()))?;
        let mut below = Vec::new();
        let mut too_many = false;
        let read = self.filesystem.read_folder(node, &mut |found| {
            if below.len() < ENTRIES_MAX {
                below.push((names::shown(&found.name), found.node));
            } else {
                too_many = true;
            }
            Ok(())
        });
        if let Err(fault) = read {
            let why = said(fault)?;
            self.skip(&format!("Not all of it could be read: {why}"))?;
        }
        if too_many {
            self.skip(&format!(
                "It has more than {ENTRIES_MAX} entries; the others were left out."
            ))?;
        }
        Ok(below)
    }

    fn skip(&mut self, why: &str) -> Outcome<()> {
        let mut path = self.shown.clone();
        for name in &self.path[1..] {
            if !path.ends_with('/') {
                path.push('/');
            }
            path.push_str(name);
        }
        self.answers.reply(&Reply::Skipped {
            path,
            why: why.to_owned(),
        })
    }
}

/// What is wrong with one entry, in a sentence; an error where nobody listens any more.
fn said(fault: Fault) -> Outcome<String> {
    Ok(match fault {
        Fault::HungUp => return Err(fault),
        Fault::Damaged(what) => format!("It is damaged: {what}."),
        Fault::Unsupported(what) => format!("Nestbox can't read it: {what}."),
        Fault::NotFound | Fault::NotAFolder => "It is damaged.".into(),
    })
}
