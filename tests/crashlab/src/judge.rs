//! Before, after, or between?

use crate::lab::{CLONE, MACHINE, TWIN, Victim};
use crate::world::{Edges, Machine, World};
use crate::{Finding, Operation};

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// As if it had never begun.
    Before,
    /// As if nothing had happened.
    After,
    /// A whole step of several.
    Step,
}

/// One operation that was cut short.
pub struct Case<'a> {
    pub operation: Operation,
    pub victim: Victim,
    /// The name of what it would make.
    pub fresh: &'a str,
    /// Id of the snapshot it is about.
    pub target: &'a str,
    pub before: &'a World,
    pub now: &'a World,
}

impl Case<'_> {
    /// # Errors
    /// What is between, or lost.
    pub fn judge(&self) -> Finding<Fate> {
        use Operation::*;
        let (before, now) = (machine(self.before)?, machine(self.now)?);
        let fate = match self.operation {
            Take | TakeDisks | TakeDisposable => self.taken(before, now)?,
            TakeTogether => self.taken_together()?,
            Restore | RestoreDiscard => self.restored(before, now)?,
            Delete | DeleteSubtree => self.deleted(before, now)?,
            Tidy => {
                same(before, now)?;
                Fate::After
            }
            Clone | CloneStart => self.cloned(before, now)?,
            Suspend | Wake => self.suspended(before, now)?,
            DisposableStart | DisposableStop | KeepChanges => self.disposable(before, now)?,
        };
        self.state(before, now, fate)?;
        Ok(fate)
    }

    fn taken(&self, before: &Machine, now: &Machine) -> Finding<Fate> {
        if now.edges() == before.edges() {
            return Ok(Fate::Before);
        }
        let taken = find(now, self.fresh).ok_or_else(|| differ(before, now))?;
        let mut wanted = before.edges();
        wanted.parents.insert(taken.clone(), before.current());
        if self.operation != Operation::TakeDisposable || now.spec.disposable.is_some() {
            wanted.current = Some(taken);
        }
        equal(&now.edges(), &wanted)?;
        Ok(Fate::After)
    }

    fn taken_together(&self) -> Finding<Fate> {
        let mut fates = Vec::new();
        for name in [MACHINE, TWIN] {
            let (Some(before), Some(now)) = (self.before.get(name), self.now.get(name)) else {
                return Err(format!("“{name}” is gone"));
            };
            fates.push(self.taken(before, now)?);
            self.state(before, now, Fate::Before)?;
        }
        if fates[0] == fates[1] {
            Ok(fates[0])
        } else {
            Err("a snapshot of two machines is there for one of them only".to_owned())
        }
    }

    fn restored(&self, before: &Machine, now: &Machine) -> Finding<Fate> {
        // Back to where it is already, with nothing kept: only the image tells.
        let is_there = before.current().as_deref() == Some(self.target);
        let in_place = self.operation == Operation::RestoreDiscard && is_there;
        let other_image = now.spec.disks[0].image != before.spec.disks[0].image;
        if now.edges() == before.edges() && !(in_place && other_image) {
            return Ok(Fate::Before);
        }
        let mut wanted = before.edges();
        let kept = now.tree.keys().find(|id| !before.tree.contains_key(*id));
        if let Some(kept) = kept {
            if self.operation == Operation::RestoreDiscard {
                return Err(differ(before, now));
            }
            wanted.parents.insert(kept.clone(), before.current());
            wanted.current = Some(kept.clone());
            if now.edges() == wanted {
                return Ok(Fate::Step);
            }
        }
        wanted.current = Some(self.target.to_owned());
        equal(&now.edges(), &wanted)?;
        Ok(Fate::After)
    }

    fn deleted(&self, before: &Machine, now: &Machine) -> Finding<Fate> {
        if now.edges() == before.edges() {
            return Ok(Fate::Before);
        }
        let subtree = self.operation == Operation::DeleteSubtree;
        equal(&now.edges(), &without(&before.edges(), self.target, subtree))?;
        Ok(Fate::After)
    }

    fn cloned(&self, before: &Machine, now: &Machine) -> Finding<Fate> {
        let mut wanted = before.edges();
        let kept = now.tree.keys().find(|id| !before.tree.contains_key(*id));
        if let Some(kept) = kept.filter(|_| self.operation == Operation::Clone) {
            wanted.parents.insert(kept.clone(), before.current());
            wanted.current = Some(kept.clone());
        }
        equal(&now.edges(), &wanted)?;
        match self.now.get(CLONE) {
            None if kept.is_some() => Ok(Fate::Step),
            None => Ok(Fate::Before),
            Some(clone) if clone.state == "running" || clone.state == "paused" => Ok(Fate::After),
            Some(clone) if clone.state == "suspended" && self.operation == Operation::Clone => {
                Ok(Fate::After)
            }
            Some(clone) if clone.state == "suspended" => Ok(Fate::Step),
            Some(clone) => Err(format!("the clone is {}: {}", clone.state, clone.reason)),
        }
    }

    fn suspended(&self, before: &Machine, now: &Machine) -> Finding<Fate> {
        same(before, now)?;
        let saved = now.spec.suspended.is_some();
        if saved != (now.state == "suspended") {
            return Err(format!("it is {}, and memory on disk counts: {saved}", now.state));
        }
        let was_saved = before.spec.suspended.is_some();
        if saved == was_saved {
            Ok(Fate::Before)
        } else {
            Ok(Fate::After)
        }
    }

    fn disposable(&self, before: &Machine, now: &Machine) -> Finding<Fate> {
        same(before, now)?;
        let off = now.pid.is_none();
        let began = now.spec.disposable.is_some();
        if off && began {
            return Err("a disposable run is over and not thrown away".to_owned());
        }
        let image = |machine: &Machine| machine.spec.disks[0].image.clone();
        let back = before
            .spec
            .disposable
            .as_ref()
            .map_or_else(|| image(before), |disposable| disposable.disks[0].image.clone());
        let kept = self.operation == Operation::KeepChanges && !began && image(now) == image(before);
        if off && image(now) != back && !kept {
            return Err("after a disposable run the disk is another".to_owned());
        }
        if before.spec.disposable.is_some() == began && before.pid == now.pid {
            return Ok(Fate::Before);
        }
        Ok(Fate::After)
    }

    /// Whether the guest is as it should be. One whose QEMU was killed may be off.
    fn state(&self, before: &Machine, now: &Machine, fate: Fate) -> Finding<()> {
        use Operation::*;
        let may_be_off = self.victim != Victim::Service;
        let good = match (now.state.as_str(), self.operation) {
            ("running", DisposableStop) => fate == Fate::Before,
            ("running", _) => true,
            ("suspended", Suspend) => fate == Fate::After,
            ("suspended", Wake) => fate == Fate::Before,
            ("stopped", DisposableStart) => fate == Fate::Before || may_be_off,
            ("stopped", DisposableStop) => true,
            ("stopped", _) => may_be_off,
            _ => false,
        };
        if !good {
            return Err(format!(
                "it was {} and is {} ({})",
                before.state, now.state, now.reason
            ));
        }
        let keeps_process = !matches!(self.operation, Restore | RestoreDiscard | Wake | DisposableStart);
        if keeps_process && !may_be_off && now.pid.is_some() && now.pid != before.pid {
            return Err("its process is another".to_owned());
        }
        Ok(())
    }
}

fn machine(world: &World) -> Finding<&Machine> {
    world.get(MACHINE).ok_or_else(|| "the machine is gone".to_owned())
}

fn find(machine: &Machine, name: &str) -> Option<String> {
    let found = machine.tree.iter().find(|(_, record)| record.name == name);
    found.map(|(id, _)| id.clone())
}

fn same(before: &Machine, now: &Machine) -> Finding<()> {
    equal(&now.edges(), &before.edges())
}

fn differ(before: &Machine, now: &Machine) -> String {
    format!(
        "the tree is neither: before {:?}, now {:?}",
        before.edges(),
        now.edges()
    )
}

fn equal(now: &Edges, wanted: &Edges) -> Finding<()> {
    if now == wanted {
        return Ok(());
    }
    Err(format!("the tree is {now:?} and should be {wanted:?}"))
}

/// The tree without a snapshot, whose children move up, or with `subtree` without them, too.
pub fn without(edges: &Edges, target: &str, subtree: bool) -> Edges {
    let mut gone = vec![target.to_owned()];
    let mut at = 0;
    while subtree && at < gone.len() {
        let parent = Some(gone[at].clone());
        let children = edges.parents.iter().filter(|(_, p)| **p == parent);
        gone.extend(children.map(|(id, _)| id.clone()).collect::<Vec<_>>());
        at += 1;
    }
    let living = |mut id: Option<String>| {
        while let Some(doomed) = id.clone().filter(|id| gone.contains(id)) {
            id = edges.parents.get(&doomed).cloned().flatten();
        }
        id
    };
    Edges {
        parents: edges
            .parents
            .iter()
            .filter(|(id, _)| !gone.contains(id))
            .map(|(id, parent)| (id.clone(), living(parent.clone())))
            .collect(),
        current: living(edges.current.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(pairs: &[(&str, Option<&str>)], current: &str) -> Edges {
        Edges {
            parents: pairs
                .iter()
                .map(|(id, parent)| ((*id).to_owned(), parent.map(str::to_owned)))
                .collect(),
            current: Some(current.to_owned()),
        }
    }

    #[test]
    fn children_move_up_or_go_too() {
        let tree = edges(&[("a", None), ("b", Some("a")), ("c", Some("b"))], "c");
        assert_eq!(
            without(&tree, "b", false),
            edges(&[("a", None), ("c", Some("a"))], "c")
        );
        assert_eq!(without(&tree, "b", true), edges(&[("a", None)], "a"));
    }
}
