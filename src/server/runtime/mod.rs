//! One member as a running program: the host loop that drives its machine, and what surrounds it.

mod asks;
mod host;
mod log;
mod opening;
mod reload;
mod serve;
mod start;

use core::convert::Infallible;
use core::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;

pub use host::GRACE;
pub use reload::Reloader;
pub use serve::{Logging, Until, log_to_stderr, serve};
pub use start::{Entropy, Exit, Member, Observer, Settings, StartError, start};

use super::configuration::Configuration;
use super::identity::Identity;
use super::net::Handle;
use super::report::What;
use super::spool::Settled;
use super::tokens::Token;
use crate::kernel::{LinkChange, Ticket, Time};
use crate::protocol::member::{Answer, Port};
use crate::protocol::operator::{Order, Ordered};
use crate::protocol::queue::Damage;
use crate::protocol::server::Wire;
use crate::wire::ids::{ConnectionId, MemberName};
use crate::wire::message::BodyKey;

/// What the host loop is told. Each one that leads to a step carries the token of its work.
#[derive(Debug)]
pub(crate) enum ToHost {
    /// An accepted connection is in its TLS handshake. Dropping `cancel` ends it.
    Arriving {
        /// Its name.
        connection: ConnectionId,
        /// Kept until the handshake is over.
        cancel: oneshot::Sender<Infallible>,
    },
    /// Its handshake failed.
    NotArrived {
        /// Its name.
        connection: ConnectionId,
    },
    /// A connection is here and may speak.
    Accepted {
        /// Its name.
        connection: ConnectionId,
        /// Where it was accepted.
        port: Port,
        /// Where it comes from.
        remote: SocketAddr,
        /// The member that is proved.
        member: Option<MemberName>,
        /// How to speak on it.
        handle: Handle,
        /// Of the work.
        token: Token,
    },
    /// A connection that the machine wanted is open.
    Opened {
        /// Its name.
        connection: ConnectionId,
        /// How to speak on it.
        handle: Handle,
        /// Of the work.
        token: Token,
    },
    /// A connection that the machine wanted cannot be opened.
    NotOpened {
        /// Its name.
        connection: ConnectionId,
        /// Why.
        change: LinkChange,
        /// Of the work.
        token: Token,
    },
    /// A unit was read.
    Said {
        /// On this connection.
        connection: ConnectionId,
        /// The unit.
        wire: Wire,
        /// Of the work.
        token: Token,
    },
    /// A connection has ended.
    Gone {
        /// Its name.
        connection: ConnectionId,
        /// How.
        change: LinkChange,
        /// Of the work.
        token: Token,
    },
    /// A body was looked at.
    Checked {
        /// Which one.
        key: BodyKey,
        /// What stands in its place; `None` where it is the accepted one.
        damage: Option<Damage>,
        /// Of the work.
        token: Token,
    },
    /// The world has answered.
    Answered {
        /// Which question.
        ticket: Ticket,
        /// The answer.
        answer: Answer,
        /// Of the work.
        token: Token,
    },
    /// The spool has written, or failed.
    Settled(Settled),
    /// The store failed outside the spool's own writes.
    Fatal {
        /// How.
        reason: String,
    },
    /// The configuration is another one.
    Reconfigure {
        /// It.
        configuration: Arc<Configuration>,
        /// The certificate that it names.
        identity: Option<Box<Identity>>,
        /// Told when the machine has taken it; dropped when the member stops before.
        reply: oneshot::Sender<()>,
    },
    /// Finish what is open and stop. The second time: stop.
    ShutDown,
    /// Somebody wants to look.
    Report {
        /// At what.
        what: What,
        /// Takes the answer.
        reply: oneshot::Sender<Value>,
    },
    /// The operator orders something.
    Order {
        /// What.
        order: Order,
        /// Takes the answer; dropped when the member stops before it has one.
        reply: oneshot::Sender<Ordered>,
    },
    /// The earliest deadline is asked for.
    Next {
        /// Takes the answer.
        reply: oneshot::Sender<Option<Time>>,
    },
    /// A virtual clock was advanced: fire what is due now.
    Fire {
        /// Takes the number of timers that fired.
        reply: oneshot::Sender<usize>,
    },
}
