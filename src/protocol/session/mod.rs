//! One conversation on one connection: lines and frames on one side, custody on the other.
//!
//! A session parses what the far end says, keeps the order of commands and replies, refuses what is out
//! of place, and puts the rest before custody. It has no durable state: what must survive is custody's.

mod caller;
mod calling;
mod elsewhere;
mod event;
mod group_client;
mod group_server;
mod lmtp_client;
mod lmtp_server;
mod received;
mod relay_client;
mod smtp_client;
mod smtp_server;
mod stock;
mod talk;

use alloc::string::String;

pub use caller::{GREETING_WAIT, MEMBER_WAIT, QUIT_WAIT};
pub use event::{QUOTE_LIMIT, SessionEvent, Tag, quote};
pub use group_server::ATTACH_WAIT;
pub use received::{SUSPECT_LINE, WORD_LIMIT, date, lines_of_file, received_lines};
pub use smtp_server::{
    BODY_WAIT, CHECK_WAIT, COMMAND_WAIT, ERRORS_LIMIT, FAILURES_LIMIT, TRANSFERRED_LIMIT,
};

use calling::Calling;
use group_client::GroupClient;
use group_server::GroupServer;
use lmtp_client::LmtpClient;
use lmtp_server::LmtpServer;
use relay_client::RelayClient;
use smtp_client::SmtpClient;
use smtp_server::SmtpServer;
pub use talk::CONTENT_WAIT;
use talk::Conversation;
pub(in crate::protocol) use talk::{Action, Talk};

use super::member::{Endpoint, Pdu, Port};
use super::server::Wire;
use crate::wire::ids::MemberName;

/// The session of any connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) enum Session {
    SmtpServer(SmtpServer),
    SmtpClient(Calling<SmtpClient>),
    RelayClient(Calling<RelayClient>),
    LmtpServer(LmtpServer),
    LmtpClient(Calling<LmtpClient>),
    GroupServer(GroupServer),
    GroupClient(GroupClient),
}

impl Session {
    /// The session of a client that connected to `port`.
    pub(in crate::protocol) fn accept(
        port: Port,
        remote: String,
        member: Option<MemberName>,
    ) -> Self {
        match port {
            Port::Smtp => Self::SmtpServer(SmtpServer::new(remote, member)),
            Port::Deliver => Self::LmtpServer(LmtpServer::new(remote, member)),
            Port::Group => Self::GroupServer(GroupServer::new(remote, member)),
            Port::Submission => Self::SmtpServer(SmtpServer::submission(remote, false)),
            Port::Submissions => Self::SmtpServer(SmtpServer::submission(remote, true)),
        }
    }

    /// The session of a connection that custody opens.
    /// `in_clear`: TLS with this outside server has failed the last time.
    pub(in crate::protocol) fn open(endpoint: &Endpoint, in_clear: bool) -> Self {
        match endpoint {
            Endpoint::Connector(_, target) | Endpoint::Member(target) => {
                Self::SmtpClient(SmtpClient::calling(target.clone()))
            }
            Endpoint::Deliver(host) => Self::LmtpClient(LmtpClient::calling(host.clone())),
            Endpoint::Group(target) => Self::GroupClient(GroupClient::attaching(target.clone())),
            Endpoint::Consult(target) => Self::GroupClient(GroupClient::consulting(target.clone())),
            Endpoint::Convene(target) => Self::GroupClient(GroupClient::convening(target.clone())),
            Endpoint::Tenant(target) => Self::GroupClient(GroupClient::renting(target.clone())),
            Endpoint::Outside(server) => {
                Self::RelayClient(RelayClient::calling(Some(server.clone()), in_clear))
            }
            Endpoint::Frontend(_) => Self::RelayClient(RelayClient::calling(None, true)),
        }
    }

    /// The tag of its log lines.
    pub(in crate::protocol) const fn tag(&self) -> Tag {
        match self {
            Self::SmtpServer(session) => session.tag(),
            Self::SmtpClient(session) => session.tag(),
            Self::RelayClient(session) => session.tag(),
            Self::LmtpServer(_) | Self::LmtpClient(_) => Tag::Deliver,
            Self::GroupServer(session) => session.tag(),
            Self::GroupClient(session) => session.tag(),
        }
    }

    fn conversation(&mut self) -> &mut dyn Conversation {
        match self {
            Self::SmtpServer(session) => session,
            Self::SmtpClient(session) => session,
            Self::RelayClient(session) => session,
            Self::LmtpServer(session) => session,
            Self::LmtpClient(session) => session,
            Self::GroupServer(session) => session,
            Self::GroupClient(session) => session,
        }
    }

    /// The connection is open.
    pub(in crate::protocol) fn start(&mut self, talk: &mut Talk<'_>) {
        self.conversation().start(talk);
    }

    /// The far end, or the host, says something.
    pub(in crate::protocol) fn hear(&mut self, wire: Wire, talk: &mut Talk<'_>) {
        self.conversation().hear(wire, talk);
    }

    /// Custody says something.
    pub(in crate::protocol) fn say(&mut self, pdu: Pdu, talk: &mut Talk<'_>) {
        self.conversation().say(pdu, talk);
    }

    /// Close in order, now.
    pub(in crate::protocol) fn leave(&mut self, talk: &mut Talk<'_>) {
        self.conversation().leave(talk);
    }

    /// Close in order as soon as nothing is under way.
    pub(in crate::protocol) fn finish(&mut self, talk: &mut Talk<'_>) {
        self.conversation().finish(talk);
    }

    /// The timer of the session is due.
    pub(in crate::protocol) fn overdue(&mut self, talk: &mut Talk<'_>) {
        self.conversation().overdue(talk);
    }
}
