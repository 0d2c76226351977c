//! Rules: ordered lists of conditions and actions, and what they make of one message.
//!
//! The *queue rules* of a server and of its group run once, when a message enters custody from outside.
//! The *account rules* run at the host of the account, once for each recipient, when the message is
//! delivered. Both are the same lists; [`evaluate`] is a pure function from [`Facts`] to a [`Verdict`],
//! and what is done with the verdict is the business of the queue and of the delivery.

mod addresses;
mod check;
mod encoded;
mod evaluate;
mod pattern;
mod reply;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::wire::message::{Address, Field};

pub use check::{
    ACTIONS_LIMIT, ADDRESSES_LIMIT, CONDITIONS_LIMIT, Kind, RULES_LIMIT, TEXT_LIMIT_OCTETS,
    VACATION_DAYS, VALUE_LIMIT_OCTETS, VALUES_LIMIT, check,
};
pub(crate) use encoded::decoded;
pub use evaluate::evaluate;
pub use reply::may_reply;

/// The field by which rules know again what they have passed on.
pub const LOOP_FIELD: &str = "X-Loop";

/// How often a message is passed on by the rules of accounts, at most.
pub const PASSES_LIMIT: usize = 10;

/// One rule: when every condition holds, every action is done, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What people and the log call it.
    pub name: String,
    /// The conditions; a rule without any holds for every message.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// The actions; at least one.
    pub then: Vec<Action>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What is looked at.
    pub data: Data,
    /// The name of the header field, for [`Data::Header`].
    #[serde(default)]
    pub field: Option<String>,
    /// How it is compared.
    pub operation: Operation,
    /// With what: one text. In `is` and `in`, `*` stands for any characters.
    #[serde(default)]
    pub value: Option<String>,
    /// With what: several texts, for `in` and `not-in`.
    #[serde(default)]
    pub values: Vec<String>,
    /// With what: a size.
    #[serde(default)]
    pub octets: Option<u64>,
}

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Data {
    /// The return path of the envelope; empty for the null sender.
    ReturnPath,
    /// Some recipient of the envelope.
    AnyRecipient,
    /// Every recipient of the envelope.
    EachRecipient,
    /// The addresses in `From`.
    From,
    /// The addresses in `Sender`.
    Sender,
    /// The addresses in `Reply-To`.
    ReplyTo,
    /// The addresses in `To`.
    To,
    /// The addresses in `Cc`.
    Cc,
    /// `Subject`.
    Subject,
    /// `Message-ID`.
    MessageId,
    /// Any header field, by its name.
    Header,
    /// The length of the content.
    Size,
    /// Who gave the message: `internet` or `authenticated`. Queue rules only.
    Source,
}

/// How a condition compares. Letters are compared without case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// The text fits the pattern.
    Is,
    /// It does not.
    IsNot,
    /// The text fits one of the patterns.
    In,
    /// It fits none.
    NotIn,
    /// The text stands in it, letter by letter.
    Contains,
    /// The size is smaller.
    LessThan,
    /// The size is greater.
    GreaterThan,
}

/// What is done where a rule holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "action")]
pub enum Action {
    /// Into this folder of the account, also when the message is redirected. Account rules only.
    Store {
        /// Its name; `/` separates the levels.
        folder: String,
    },
    /// On to these addresses, and not here unless `store` says so.
    Redirect {
        /// Where to.
        to: Vec<Address>,
    },
    /// To these addresses as well.
    Copy {
        /// Where to.
        to: Vec<Address>,
    },
    /// Refused for ever, in these words. Nothing else that the rules said is done.
    Reject {
        /// What the sender reads.
        text: String,
    },
    /// A reply to the sender, once in so many days. Account rules only.
    Vacation {
        /// The subject; by default the one of the message, marked as an automatic reply.
        #[serde(default)]
        subject: Option<String>,
        /// The text.
        text: String,
        /// How long the same sender gets no other one.
        days: u32,
    },
    /// Not stored and not sent on; what was copied and redirected before is.
    Discard {},
    /// One more header field.
    AddHeader {
        /// Its name.
        field: String,
        /// Its value.
        value: String,
    },
    /// No other rule is looked at.
    Stop {},
}

/// Who gave the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Anybody.
    Internet,
    /// Somebody who has proved to be somebody.
    Authenticated,
}

impl Source {
    /// From the protocol of the first hop: RFC 3848 marks authenticated ones with an `A` at the end.
    #[must_use]
    pub fn of(with: &str) -> Self {
        if with.ends_with("TPA") || with.ends_with("TPSA") {
            Self::Authenticated
        } else {
            Self::Internet
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Internet => "internet",
            Self::Authenticated => "authenticated",
        }
    }
}

/// What rules know of a message.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The return path.
    pub sender: Option<&'a Address>,
    /// The recipients of the envelope.
    pub recipients: &'a [Address],
    /// The fields of the header, those that hops have added first.
    pub header: &'a [Field],
    /// The length of the content.
    pub octets: u64,
    /// Who gave it; account rules do not ask.
    pub source: Source,
}

/// What the rules make of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// The rules that held, by name.
    pub applied: Vec<String>,
    /// Refused for ever in these words; nothing else is to be done then.
    pub reject: Option<String>,
    /// `discard` was said.
    pub discard: bool,
    /// The folder that `store` named last.
    pub folder: Option<String>,
    /// Fields to add to the header, in order.
    pub fields: Vec<Field>,
    /// Where it goes in place of its recipient.
    pub redirects: Vec<Address>,
    /// Where it goes as well.
    pub copies: Vec<Address>,
    /// The reply that is wanted, if the sender may be answered.
    pub vacation: Option<Vacation>,
}

/// A reply that a rule wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vacation {
    /// The subject, if the rule gives one.
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// How long the same sender gets no other one.
    pub days: u32,
}

impl Verdict {
    /// Whether the message stays with its recipient.
    #[must_use]
    pub const fn keeps(&self) -> bool {
        let goes_elsewhere = !self.redirects.is_empty() && self.folder.is_none();
        self.reject.is_none() && !self.discard && !goes_elsewhere
    }

    /// Takes back what would send the message on: it has been here before.
    pub fn break_loop(&mut self) {
        self.redirects.clear();
        self.copies.clear();
    }

    /// Whether the message is sent on to anybody.
    #[must_use]
    pub const fn passes_on(&self) -> bool {
        !self.redirects.is_empty() || !self.copies.is_empty()
    }
}

/// Whether a message that these rules do not reject stays with its recipient, whatever it is.
#[must_use]
pub fn always_keep(rules: &[Rule]) -> bool {
    rules.iter().all(keeps)
}

/// Whether a message on which this rule acts stays with its recipient, as far as the rule goes.
fn keeps(rule: &Rule) -> bool {
    let (mut redirects, mut stores) = (false, false);
    for action in &rule.then {
        match action {
            Action::Redirect { .. } => redirects = true,
            Action::Store { .. } => stores = true,
            Action::Discard {} => return false,
            Action::Reject { .. } => return true,
            Action::Stop {} => break,
            Action::Copy { .. } | Action::AddHeader { .. } | Action::Vacation { .. } => {}
        }
    }
    stores || !redirects
}

/// Whether `who` has passed this message on before, or it was passed on too often.
#[must_use]
pub fn is_loop(who: &str, header: &[Field]) -> bool {
    let mut marks = header.iter().filter(|field| field.is(LOOP_FIELD)).peekable();
    let again = marks.clone().any(|mark| mark.value.eq_ignore_ascii_case(who));
    again || (marks.peek().is_some() && marks.count() >= PASSES_LIMIT)
}
