//! The connections that a candidate or holder opens, and what is said on one that has just opened.
//!
//! There is no back-off: a connection is opened with a poll or round that needs it, and those have their
//! own pace. A connection that says nothing is given up, for it may take minutes to notice that it is dead.

use alloc::vec::Vec;

use super::machine::{ElectionConfig, ElectionPeer};
use super::{Context, Election};
use crate::kernel::LinkChange;
use crate::wire::ids::MemberName;

/// The polls and rounds in which nothing comes on a connection before it is opened anew.
pub const SILENT_ROUNDS: u8 = 2;

/// A connection of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Link {
    is_up: bool,
    /// The polls and rounds since something came on it.
    silent: u8,
}

impl Election {
    /// A poll or round begins: asks every voter.
    pub(super) fn reach_voters(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        let is_other = |voter: &&MemberName| **voter != config.member;
        let voters: Vec<_> = self.seats.voters().iter().filter(is_other).cloned().collect();
        for voter in voters {
            self.call(&voter, cx);
            if self.is_up(&voter) {
                self.ask(&voter, config, cx);
            }
        }
    }

    /// A round is granted: tells every member.
    pub(super) fn reach_members(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        // A witness that is to get a seat is called as well: it is not added before it is there.
        let told = config.members.iter().chain(&config.witness);
        for member in told.filter(|member| **member != config.member) {
            // The voters were called when the round began, if they were asked at all.
            if config.asks_store() || !self.is_seated(member) {
                if config.faults.is_on("leads-voters-only") {
                    continue;
                }
                self.call(member, cx);
            }
            if self.is_up(member) {
                self.tell(member, config, cx);
            }
        }
    }

    /// Sees to it that there is a connection that answers.
    fn call(&mut self, member: &MemberName, cx: &mut Context<'_>) {
        match self.links.get_mut(member) {
            None => self.open(member, cx),
            Some(link) if link.silent < SILENT_ROUNDS => link.silent += 1,
            Some(_) => {
                cx.close(ElectionPeer::Voter(member.clone()));
                self.open(member, cx);
            }
        }
    }

    fn open(&mut self, member: &MemberName, cx: &mut Context<'_>) {
        self.links.insert(member.clone(), Link::default());
        cx.open(ElectionPeer::Voter(member.clone()), member.clone());
    }

    /// Whether this member has a connection to a voter or member, on which it can say something at once.
    #[must_use]
    pub fn is_up(&self, member: &MemberName) -> bool {
        self.links.get(member).is_some_and(|link| link.is_up)
    }

    /// A connection of ours has changed.
    pub(super) fn link(
        &mut self,
        member: &MemberName,
        change: LinkChange,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        if change != LinkChange::Up {
            self.links.remove(member);
        } else if let Some(link) = self.links.get_mut(member) {
            *link = Link { is_up: true, silent: 0 };
            self.ask(member, config, cx);
            self.tell(member, config, cx);
        }
    }

    /// Something has come.
    pub(super) fn hear(&mut self, member: &MemberName) {
        if let Some(link) = self.links.get_mut(member) {
            link.silent = 0;
        }
    }

    /// Closes all connections: another one is the master.
    pub(super) fn hang_up(&mut self, cx: &mut Context<'_>) {
        for (member, _) in core::mem::take(&mut self.links) {
            cx.close(ElectionPeer::Voter(member));
        }
    }
}
