//! What a member is told: the organization, its own name, its policy.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Limits, OutsidePolicy};
use crate::kernel::Span;
use crate::protocol::faults::Faults;
use crate::protocol::linkstate::LinkConfig;
use crate::protocol::networks::Network;
use crate::protocol::organization::{Organization, Relay, SubmitPolicy};
use crate::protocol::rules::Rule;
use crate::wire::ids::MemberName;

/// What a member is configured with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberConfig {
    /// The organization, the same everywhere.
    pub organization: Arc<Organization>,
    /// This member.
    pub member: MemberName,
    /// How the members prove their names to each other.
    pub security: Security,
    /// How long, how often, how much.
    pub policy: Policy,
    /// Planted bugs, in test builds.
    pub faults: Faults,
}

/// How the members of an organization prove their names to each other.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// By a certificate. Without TLS nothing that only members may see is said, either side.
    #[default]
    Tls,
    /// By the address that they connect from. For tests only.
    Address,
}

/// How long, how often, how much. The defaults are the seed's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// The waits before the first retries of a message.
    pub first_retries_minutes: Vec<u32>,
    /// The wait before each later retry; at least 1.
    pub retry_interval_minutes: u32,
    /// When the sender is told that the message is late.
    pub delay_notice_hours: u32,
    /// When the message is returned.
    pub expiry_hours: u32,
    /// Groups that a message may visit before it is held.
    pub hop_limit: u32,
    /// The largest message that is accepted.
    pub message_limit_octets: u64,
    /// The most recipients of one message.
    pub recipients_limit: u32,
    /// The most messages in the queue before new mail is refused.
    pub queue_limit: u32,
    /// The queue rules of this server, which run before those of its group.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
    /// What becomes of mail that may be double because a disk was lost.
    pub suspects: Suspects,
    /// How much one client and one outside server may take. A section of its own, `[limits]`, names it.
    #[serde(skip)]
    pub limits: Limits,
    /// How connections to outside servers are secured: `[[outside]]`.
    #[serde(skip)]
    pub outside: Vec<OutsidePolicy>,
    /// A filter sees each message behind the queue rules. That is no word of the policy: it follows from
    /// whether the host was given one.
    #[serde(skip)]
    pub filter: bool,
    /// How long the delivery journal has a message after it entered the organization; longer than twice
    /// the time after which it is returned.
    pub journal_retention_days: u32,
    /// Whose mail for foreign domains is taken without a login.
    pub relay_networks: Vec<Network>,
}

/// What becomes of mail that may be double because a disk was lost or rolled back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Suspects {
    /// It is marked and sent again: rather double than lost.
    #[default]
    Resend,
    /// It is marked and held until the operator says.
    Hold,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first_retries_minutes: alloc::vec![10, 10, 10],
            retry_interval_minutes: 15,
            delay_notice_hours: 12,
            expiry_hours: 48,
            hop_limit: 25,
            message_limit_octets: 50 * 1024 * 1024,
            recipients_limit: 1_000,
            queue_limit: 100_000,
            rules: Vec::new(),
            suspects: Suspects::Resend,
            limits: Limits::default(),
            outside: Vec::new(),
            filter: false,
            journal_retention_days: 90,
            relay_networks: Vec::new(),
        }
    }
}

impl Policy {
    /// Whether a client at this address may send to foreign domains without a login.
    #[must_use]
    pub fn relays_for(&self, remote: &str) -> bool {
        let Ok(address) = remote.parse() else { return false };
        self.relay_networks.iter().any(|network| network.contains(address))
    }

    /// The wait before the attempt that follows `attempts` failed ones.
    #[must_use]
    pub fn wait_after(&self, attempts: u32) -> Span {
        let first = usize::try_from(attempts).ok().and_then(|n| self.first_retries_minutes.get(n));
        let minutes = first.copied().unwrap_or(self.retry_interval_minutes);
        Span::minutes(u64::from(minutes.max(1)))
    }

    /// The number of failed attempts after which every wait is the same.
    #[must_use]
    pub fn steady_after(&self) -> u32 {
        u32::try_from(self.first_retries_minutes.len()).unwrap_or(u32::MAX)
    }
}

impl MemberConfig {
    /// The queue rules: those of the server, then those of its group.
    pub fn queue_rules(&self) -> impl Iterator<Item = &Rule> {
        let group = self.organization.group_of(&self.member);
        self.policy.rules.iter().chain(group.into_iter().flat_map(|group| &group.rules))
    }

    /// Whether a message has to be looked at before it is queued: by rules, or by a filter.
    #[must_use]
    pub fn has_queue_rules(&self) -> bool {
        self.policy.filter || self.queue_rules().next().is_some()
    }

    /// Who queues what is born here.
    #[must_use]
    pub fn policy_of_submission(&self) -> SubmitPolicy {
        self.organization.submit_policy(&self.member)
    }

    /// Whether others queue what is born here.
    #[must_use]
    pub fn submits(&self) -> bool {
        self.policy_of_submission() == SubmitPolicy::Remote
    }

    /// Whether what leaves the organization goes to a frontend of the group, by plain SMTP.
    #[must_use]
    pub fn relays_to_frontends(&self) -> bool {
        let group = self.organization.group_of(&self.member);
        let settings = group.and_then(|group| group.settings_of(&self.member));
        settings.is_some_and(|settings| settings.relay == Some(Relay::Frontends))
    }

    /// The part of the configuration that the link-state machine sees.
    #[must_use]
    pub fn link(&self) -> LinkConfig {
        LinkConfig {
            organization: Arc::clone(&self.organization),
            member: self.member.clone(),
            faults: self.faults.clone(),
        }
    }
}
