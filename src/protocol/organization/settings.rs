//! What is said of a member besides its name: its role, and who queues what is born at it.

use serde::{Deserialize, Serialize};

use super::{Group, Organization};
use crate::clause;
use crate::wire::ids::MemberName;
use crate::wire::members::WEIGHT_RANGE;

pub use crate::wire::members::{Role, SubmitPolicy};

/// The greatest weight of a member; the least is 1.
pub const WEIGHT_LIMIT: u32 = *WEIGHT_RANGE.end();

/// `[[group.member]]`. A member without one has the default of every setting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSettings {
    /// One of the members of the group.
    pub name: MemberName,
    /// What it does in its group; a member without a role does everything.
    #[serde(default)]
    pub role: Option<Role>,
    /// Who queues what is born at it.
    #[serde(default)]
    pub submit: Submit,
    /// How much of what others submit it takes, beside other members that do; 1 to [`WEIGHT_LIMIT`].
    #[serde(default = "lightest")]
    pub weight: u32,
    /// Where mail goes that leaves the organization; without it, to the smart host.
    #[serde(default)]
    pub relay: Option<Relay>,
}

/// Who queues what is born at a member, as it is configured.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Submit {
    /// As the role says.
    #[default]
    Automatic,
    /// The member itself.
    Local,
    /// The member itself, and what others submit to it, too.
    LocalForOthers,
    /// Another member of its group.
    Remote,
}

/// Where mail goes that leaves the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Relay {
    /// To a frontend of the group.
    #[serde(rename = "*")]
    Frontends,
}

const fn lightest() -> u32 {
    1
}

impl Group {
    /// What is said of `member` besides its name.
    #[must_use]
    pub fn settings_of(&self, member: &MemberName) -> Option<&MemberSettings> {
        self.settings.iter().find(|settings| settings.name == *member)
    }

    /// Who queues what is born at `member`.
    #[must_use]
    pub fn submit_policy(&self, member: &MemberName) -> SubmitPolicy {
        clause!(SU_050);
        let settings = self.settings_of(member);
        let role = settings.and_then(|settings| settings.role);
        match (settings.map_or(Submit::Automatic, |settings| settings.submit), role) {
            (Submit::LocalForOthers, _) | (Submit::Automatic, Some(Role::Frontend)) => {
                SubmitPolicy::LocalForOthers
            }
            (Submit::Remote, _) | (Submit::Automatic, Some(Role::Backend)) => SubmitPolicy::Remote,
            (Submit::Local, _) | (Submit::Automatic, None) => SubmitPolicy::Local,
        }
    }

    /// The members that queue what others submit, by configuration, in its order.
    pub fn acceptors(&self) -> impl Iterator<Item = &MemberName> {
        let accepts =
            |member: &&MemberName| self.submit_policy(member) == SubmitPolicy::LocalForOthers;
        self.members.iter().filter(accepts)
    }

    /// The frontends, in the order of the configuration.
    pub fn frontends(&self) -> impl Iterator<Item = &MemberName> {
        let settings = self.settings.iter();
        settings.filter(|s| s.role == Some(Role::Frontend)).map(|settings| &settings.name)
    }

    /// How much of what others submit `member` takes, beside other members that do.
    #[must_use]
    pub fn weight_of(&self, member: &MemberName) -> u32 {
        self.settings_of(member).map_or_else(lightest, |settings| settings.weight)
    }
}

impl Organization {
    /// Who queues what is born at `member`.
    #[must_use]
    pub fn submit_policy(&self, member: &MemberName) -> SubmitPolicy {
        self.group_of(member).map_or(SubmitPolicy::Local, |group| group.submit_policy(member))
    }
}
