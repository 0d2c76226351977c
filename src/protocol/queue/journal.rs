//! What the account store has of an account beside its mailbox.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::kernel::Time;
use crate::wire::ids::{Epoch, MemberName, OriginId};
use crate::wire::message::{Address, Digest, Refusal};

/// The final word on a recipient in the delivery journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// Stored.
    Delivered {
        /// Of what was stored for whom.
        digest: Digest,
        /// The account.
        account: Address,
        /// The file.
        name: String,
        /// Whether the file was moved to its final place.
        published: bool,
        /// The folder; `None` is the inbox.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        folder: Option<String>,
    },
    /// The rules of the account have passed it on, or dropped it: nothing is stored.
    Passed {
        /// Of what was delivered to whom.
        digest: Digest,
        /// The account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Address>,
    },
    /// Refused for ever.
    Refused {
        /// Of what was refused for whom.
        digest: Digest,
        /// In these words.
        refusal: Refusal,
        /// The account; `None` where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Address>,
    },
}

/// An automatic reply, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Answered {
    /// The account that replied.
    pub account: Address,
    /// To whom.
    pub sender: Address,
    /// When.
    pub at: Time,
    /// Until when there is no other reply.
    pub until: Time,
}

/// What the account store has of one account beside its mailbox. It moves with the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountJournal {
    /// The delivery journal.
    pub rows: Vec<(OriginId, u32, Recorded)>,
    /// Whom its rules have answered, and until when they do not answer again.
    #[serde(default)]
    pub answered: BTreeMap<Address, Time>,
    /// When the messages entered the organization that the delivery journal has.
    #[serde(default)]
    pub arrivals: BTreeMap<OriginId, Time>,
    /// When the latest of those entered that the delivery journal has dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<Time>,
}

/// How an account stands at this member.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountState {
    /// The greatest epoch that has opened it, here or where it went.
    pub epoch: Epoch,
    /// Where it went; `None` while it is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<MemberName>,
}

impl Recorded {
    /// Whether nothing is left to be done about it.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        !matches!(self, Self::Delivered { published: false, .. })
    }

    /// Whose journal has it.
    #[must_use]
    pub const fn account(&self) -> Option<&Address> {
        match self {
            Self::Delivered { account, .. } => Some(account),
            Self::Passed { account, .. } | Self::Refused { account, .. } => account.as_ref(),
        }
    }

    /// What the word is about.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        match self {
            Self::Delivered { digest, .. }
            | Self::Passed { digest, .. }
            | Self::Refused { digest, .. } => digest,
        }
    }
}
