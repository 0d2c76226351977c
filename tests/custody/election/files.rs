//! The files of the world: who is to vote by them changes, and each member reads it at another time.

use std::collections::BTreeSet;

use bridgehead::kernel::Input;
use bridgehead::protocol::master::election::ElectionCommand;
use bridgehead::wire::ids::MemberName;

use super::world::{Happening, World};

/// Who votes by a file.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Names {
    voters: Vec<MemberName>,
    witness: Option<MemberName>,
}

impl World {
    pub(super) fn plan_file(&mut self) {
        let delay = self.below("file.when", 6 * self.lease);
        self.plan(delay, Happening::File);
    }

    /// Another file, which each member reads when it does; none of an earlier one behind it.
    pub(super) fn write_file(&mut self) {
        let everybody: Vec<_> = self.hosts.iter().map(|host| host.config.member.clone()).collect();
        let members = self.hosts[0].config.members.clone();
        let witness = everybody.iter().find(|member| !members.contains(member)).cloned();
        let witness = witness.filter(|_| self.one_in("file.witness", 2));
        let mut voters = members;
        let least = if witness.is_some() { 2 } else { 3 };
        for _ in 0..self.below("file.fewer", (voters.len() - least + 1) as u64) {
            let gone = self.below("file.voter", voters.len() as u64);
            voters.remove(usize::try_from(gone).expect("few"));
        }
        let rotated = self.below("file.first", voters.len() as u64);
        voters.rotate_left(usize::try_from(rotated).expect("few"));
        self.file = Some(Names { voters, witness });
        for at in 0..self.hosts.len() {
            let delay = self.below("file.read", 2 * self.lease);
            let names = Box::new(self.file.clone().expect("it was just written"));
            self.plan(delay, Happening::Reads { at, names });
        }
    }

    pub(super) fn read_file(&mut self, at: usize, names: &Names) {
        let Names { voters, witness } = names.clone();
        let config = &mut self.hosts[at].config;
        (config.voters, config.witness) = (voters, witness);
        self.step(at, Input::Command(ElectionCommand::Voters));
    }

    /// Everybody reads a file with these voters now.
    pub(super) fn name_voters(&mut self, voters: Vec<MemberName>) {
        self.file = Some(Names { voters, witness: None });
        self.last_file();
    }

    /// Everybody reads the last file; who votes by it.
    pub(super) fn last_file(&mut self) -> BTreeSet<MemberName> {
        if let Some(names) = self.file.clone() {
            (0..self.hosts.len()).for_each(|at| self.read_file(at, &names));
        }
        self.agenda.retain(|_, happening| !matches!(happening, Happening::Reads { .. }));
        self.hosts[0].config.electorate().cloned().collect()
    }
}
