//! What does not pass between groups.

use bridgehead::wire::ids::{GroupName, MemberName};

use super::Network;

impl Network {
    /// Nothing passes from `from` to `to` by connections that `from` opens.
    pub(crate) fn cut_one_way(&mut self, from: &str, to: &str) {
        let cut = (GroupName::from(from), GroupName::from(to));
        let broken: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| self.route_of(connection) == cut)
            .map(|(id, _)| *id)
            .collect();
        self.cuts.insert(cut);
        for id in broken {
            self.break_connection(id);
        }
    }

    /// Cuts the physical link between two groups.
    pub(crate) fn cut(&mut self, u: &str, v: &str) {
        self.cut_one_way(u, v);
        self.cut_one_way(v, u);
    }

    /// The link works again.
    pub(crate) fn heal(&mut self, u: &str, v: &str) {
        self.cuts.remove(&(GroupName::from(u), GroupName::from(v)));
        self.cuts.remove(&(GroupName::from(v), GroupName::from(u)));
    }

    /// Nothing that one member opens gets to another group; what is open stays so.
    pub(crate) fn cut_from(&mut self, from: &MemberName, to: &str) {
        self.cut_members.insert((from.clone(), GroupName::from(to)));
    }

    /// It does again.
    pub(crate) fn heal_from(&mut self, from: &MemberName, to: &str) {
        self.cut_members.remove(&(from.clone(), GroupName::from(to)));
    }
}
