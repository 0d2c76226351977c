//! What sessions tell the log.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::protocol::member::{OutsideTls, Port};
use crate::wire::ids::MemberName;
use crate::wire::message::Address;

/// The most octets of a peer's words that an event repeats.
pub const QUOTE_LIMIT: usize = 200;

/// Which conversation an event is about; printed as the tag of its log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// A client on our SMTP port that has not said `X-SUBMIT HELLO`.
    Smtp,
    /// A client on one of our submission ports.
    Submission,
    /// A hand-over between members, either side.
    Submit,
    /// Our connection to an outside server.
    Relay,
    /// The delivery port, either side.
    Deliver,
    /// The group port, either side.
    Group,
    /// Questions about accounts on the group port, either side.
    Verify,
    /// Elections on the group port, either side.
    Election,
    /// Leases of accounts on the group port, either side.
    Accounts,
}

impl Tag {
    /// The tag as log lines print it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Submission => "SUBMISSION",
            Self::Submit => "SUBMIT",
            Self::Relay => "RELAY",
            Self::Deliver => "DELIVER",
            Self::Group => "LINKSTATE",
            Self::Verify => "VERIFY",
            Self::Accounts => "ACCOUNTS",
            Self::Election => "ELECTION",
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that happened to a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEvent {
    /// A client connected.
    Accepted {
        /// To which port.
        port: Port,
        /// From where.
        remote: String,
    },
    /// The far end is this member, and it has said so in the protocol.
    Proved(MemberName),
    /// The client has proved to be this account.
    Authenticated(Address),
    /// The client has not proved to be anybody.
    NotAuthenticated {
        /// Whom it named, where that is an account.
        account: Option<Address>,
    },
    /// The far end broke the protocol.
    Misbehaved {
        /// What was expected there.
        expected: String,
        /// Where in the line, frame or message, if it is malformed and not only out of place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offset: Option<usize>,
        /// What came instead, as [`quote`] prints it.
        said: String,
    },
    /// The far end, or this end, ended the conversation before it could be used, or for a reason.
    Refused {
        /// The reason, as it was said.
        reason: String,
    },
    /// Mail may go on a connection to an outside server, secured like this.
    Outside {
        /// The server.
        server: String,
        /// What is configured for it.
        tls: OutsideTls,
        /// Whether TLS is on.
        secured: bool,
        /// TLS has failed with it the last time.
        after_failure: bool,
    },
    /// The client has reached a limit of its address.
    Limited {
        /// Its address.
        remote: String,
        /// The limit, as the configuration names it.
        limit: String,
    },
    /// The far end is a mail store that keeps no delivery journal: what is in doubt there may come to
    /// be stored twice.
    NoJournal,
    /// A body that broke off earlier goes on behind so many octets.
    Resumed {
        /// How many are here.
        octets: u64,
    },
    /// Nothing came for too long.
    TimedOut,
    /// Custody said something that this conversation cannot carry; nothing was put on the wire.
    Unspoken,
    /// The connection is gone.
    Closed,
}

impl fmt::Display for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { port, remote } => write!(f, "accepted {remote} on port {port:?}"),
            Self::Proved(member) => write!(f, "the far end is {member}"),
            Self::Authenticated(account) => write!(f, "authenticated as {account}"),
            Self::NotAuthenticated { account: Some(account) } => {
                write!(f, "not authenticated as {account}")
            }
            Self::NotAuthenticated { account: None } => {
                f.write_str("not authenticated, and no such account")
            }
            Self::Misbehaved { expected, offset: Some(offset), said } => {
                write!(f, "octet {offset}: expected {expected}, got `{said}`")
            }
            Self::Misbehaved { expected, offset: None, said } => {
                write!(f, "expected {expected}, got `{said}`")
            }
            Self::Outside { server, tls, secured, after_failure } => {
                let how = if *secured { "under TLS" } else { "in clear" };
                let why = if *after_failure { ", as TLS has failed" } else { "" };
                write!(f, "mail for {server} goes {how}{why} (tls = {tls})")
            }
            Self::Limited { remote, limit } => write!(f, "{remote} is over its {limit}"),
            Self::Refused { reason } => write!(f, "refused: {reason}"),
            Self::NoJournal => f.write_str(
                "the mail store keeps no delivery journal: after a lost reply a copy may be double",
            ),
            Self::Resumed { octets } => write!(f, "the body goes on at octet {octets}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Unspoken => f.write_str("nothing was said: it does not fit this conversation"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

/// The words of a peer as a log may print them: escaped, and no more than [`QUOTE_LIMIT`] octets of them,
/// those around `offset`. Three dots stand for what is left out.
#[must_use]
pub fn quote(octets: &[u8], offset: usize) -> String {
    let latest = octets.len().saturating_sub(QUOTE_LIMIT);
    let start = offset.saturating_sub(QUOTE_LIMIT / 2).min(latest);
    let shown = &octets[start..octets.len().min(start + QUOTE_LIMIT)];
    let mut quoted = String::from(if start == 0 { "" } else { "..." });
    for octet in shown {
        match octet {
            b'\\' => quoted.push_str("\\\\"),
            b' '..=b'~' => quoted.push(char::from(*octet)),
            // The quotes that it would escape as well are printable, and taken above.
            _ => quoted.extend(core::ascii::escape_default(*octet).map(char::from)),
        }
    }
    if start + shown.len() < octets.len() {
        quoted.push_str("...");
    }
    quoted
}
