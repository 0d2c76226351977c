//! What the operator orders, and how it is answered.
//!
//! An order is a command like any other: the machine takes it in one step, decides, stores what follows
//! from it, and says its answer to the operator behind those changes, as it says everything that must
//! still be true after a crash. The shell only carries the order in and the answer out. A new order is a
//! variant of [`Order`] and an arm of `Member::ordered`.

mod burial;
mod leases;
mod queue;
mod selection;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::protocol::member::{Member, Pdu, Turn};
use crate::protocol::organization::SubmitPolicy;
use crate::protocol::queue::queue_name;
use crate::wire::ids::{ConnectionId, MemberName};
use crate::wire::message::Address;

pub use burial::Burial;
pub use selection::{Selection, State};

/// The longest reason or text that an order may give: it ends up on one line of a notice.
pub const TEXT_LIMIT_OCTETS: usize = 400;

/// What the operator wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// This, with what is selected of the queue.
    Queue {
        /// What is to be done.
        action: Action,
        /// With which messages or recipients.
        which: Selection,
    },
    /// Queue nothing more for others and lead no more, or do so again.
    Drain {
        /// Whether the member is to drain.
        on: bool,
    },
    /// This member will not come back: free everything that is in doubt with it, and mark it.
    Forget {
        /// The member.
        member: MemberName,
    },
    /// This group is no more, whoever may still tell of it.
    Bury(Burial),
    /// This member is the master of its group from now on, whoever else may be.
    Appoint {
        /// This member: the order is for no other one.
        member: MemberName,
    },
    /// The elected master goes.
    Transfer {
        /// Who is to follow; whoever is elected, where nobody is named.
        to: Option<MemberName>,
    },
    /// Whoever has this leased account is to have it no more.
    ReleaseAccount {
        /// The account.
        account: Address,
    },
}

/// What can be done with messages of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Try nothing any more before the release.
    Hold {
        /// Why, for whoever looks at the queue.
        reason: Option<String>,
    },
    /// Go on with what is held, and at once.
    Release,
    /// Try now what waits for its next attempt.
    Retry,
    /// Give up, and tell the sender.
    Bounce {
        /// What the sender is told.
        text: Option<String>,
    },
    /// Give up, and tell nobody.
    Remove,
}

/// The answer to an order, true also after a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ordered {
    /// What was done.
    pub done: Vec<Item>,
    /// What was not done, and why.
    pub refused: Vec<Item>,
}

/// One fact of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Item {
    /// What it is about: a queue id, or whatever else the order named.
    pub of: String,
    /// The recipients that it is about; empty where it is about the whole.
    pub recipients: Vec<Address>,
    /// What was done, or why it was not.
    pub text: String,
}

impl Action {
    /// The name of the action, as commands and log lines have it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hold { .. } => "hold",
            Self::Release => "release",
            Self::Retry => "retry",
            Self::Bounce { .. } => "bounce",
            Self::Remove => "remove",
        }
    }

    /// The words that it brings along.
    const fn words(&self) -> Option<&String> {
        match self {
            Self::Hold { reason: words } | Self::Bounce { text: words } => words.as_ref(),
            Self::Release | Self::Retry | Self::Remove => None,
        }
    }
}

impl Item {
    /// A fact about the whole of something.
    #[must_use]
    pub fn whole(of: &str, text: &str) -> Self {
        Self { of: String::from(of), recipients: Vec::new(), text: String::from(text) }
    }
}

impl Member {
    /// The operator orders something; the answer leaves when everything that it speaks of is durable.
    pub(crate) fn ordered(&mut self, from: ConnectionId, order: Order, turn: &mut Turn<'_, '_>) {
        let answer = match order {
            Order::Queue { action, which } => self.order_queue(&action, &which, turn),
            Order::Drain { on } => self.order_drain(on, turn),
            Order::Forget { member } => self.order_forget(&member, turn),
            Order::Bury(burial) => self.order_burial(burial, turn),
            Order::Appoint { member } => self.order_appointment(&member, turn),
            Order::Transfer { to } => self.order_transfer(to, turn),
            Order::ReleaseAccount { account } => self.order_release_of_account(&account, turn),
        };
        clause!(CU_050);
        turn.promise(from, Pdu::Ordered(answer));
    }

    fn order_drain(&mut self, on: bool, turn: &mut Turn<'_, '_>) -> Ordered {
        let mut answer = Ordered::default();
        let name = turn.config.member.as_str();
        let accepts = turn.config.policy_of_submission() == SubmitPolicy::LocalForOthers;
        if self.spool.draining == on {
            // What is wanted is so: a script may say it again.
            let text = if on { "drains already" } else { "does not drain" };
            answer.done.push(Item::whole(name, text));
            return answer;
        }
        let stays = turn.config.link().group().election.is_none()
            && self.link.master() == Some(&turn.config.member);
        self.drain(on, turn);
        let text = match (on, accepts) {
            (true, _) if stays => {
                "drains; it stays the master of its group (master set makes another one)"
            }
            (true, _) => "drains",
            (false, true) => "queues for others again",
            (false, false) => "drains no more",
        };
        answer.done.push(Item::whole(name, text));
        answer
    }

    fn order_forget(&mut self, member: &MemberName, turn: &mut Turn<'_, '_>) -> Ordered {
        let mut answer = Ordered::default();
        let known = turn.config.organization.group_of(member).is_some();
        if !known || *member == turn.config.member {
            let text = if known { "a member does not forget itself" } else { "no such member" };
            answer.refused.push(Item::whole(member.as_str(), text));
            return answer;
        }
        for (queue, recipients) in self.forget(member, turn) {
            let text = String::from("free, and marked as suspect");
            answer.done.push(Item { of: queue_name(queue), recipients, text });
        }
        if answer.done.is_empty() {
            answer.done.push(Item::whole(member.as_str(), "nothing was in doubt with it"));
        }
        answer
    }
}
