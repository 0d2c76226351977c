//! What scenarios expect of the list of members, and of who has an account.

use super::Stage;
use crate::sim::network::HostIndex;
use crate::wire::message::Address;

impl Stage<'_> {
    /// What the list that a member has says of the whole group: `1`, or `2 loads`.
    pub(super) fn expect_group(&self, host: HostIndex, wanted: &[&str]) -> Result<(), String> {
        let (_, list) =
            self.world.hosts[host].disk.durable().members.list.as_ref().ok_or("it has none")?;
        let mut words = vec![list.spoken.version.to_string()];
        words.extend(list.spoken.features.iter().map(ToString::to_string));
        if words == wanted { Ok(()) } else { Err(format!("it speaks {}", words.join(" "))) }
    }

    /// What it says of one member: whether it is there, and its version.
    pub(super) fn expect_listed(
        &self,
        host: HostIndex,
        member: &str,
        wanted: &[&str],
    ) -> Result<(), String> {
        let (_, list) =
            self.world.hosts[host].disk.durable().members.list.as_ref().ok_or("it has none")?;
        let listed = list.members.iter().find(|listed| listed.member.as_str() == member);
        let listed = listed.ok_or("it is not in the list")?;
        let version = listed.spoken.as_ref().map_or_else(|| "-".into(), |s| s.version.to_string());
        let words = [listed.presence.as_str(), &version];
        if words == wanted { Ok(()) } else { Err(format!("it is {}", words.join(" "))) }
    }

    /// Who has an account that is leased, as far as a member that runs knows.
    pub(super) fn expect_owner(
        &self,
        host: HostIndex,
        address: &str,
        wanted: &str,
    ) -> Result<(), String> {
        let node = self.world.hosts[host].node.as_ref().ok_or("it does not run")?;
        let report = node.machine().member().owner_report(&Address::from(address));
        let owner = report.owner.as_ref().map_or("-", |owner| owner.as_str());
        if owner == wanted { Ok(()) } else { Err(format!("it is {owner}")) }
    }
}
