//! What a session may do at one event, and what it knows then.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::{Gate, LinkChange, Span, Time};
use crate::protocol::member::{MemberConfig, Pdu};
use crate::protocol::server::{Charge, Clients, Wire};
use crate::wire::framer::EXPECTED_CRLF;
use crate::wire::hops::EXPECTED_FEWER_HOPS;
use crate::wire::ids::{MemberName, StoreId};
use crate::wire::smtp::auth::public_part;
use crate::wire::{DecodeError, Mode};

/// How long a client may be silent within content (RFC 5321, section 4.5.3.2.5, and some patience).
pub const CONTENT_WAIT: Span = Span::minutes(5);

/// What a session wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) enum Action {
    /// Put it on the wire, or tell the host how to go on.
    Say(Wire, Gate),
    /// This member is at the far end and may talk to custody from now on.
    Inbound(MemberName),
    /// The connection that custody wanted can be used.
    Up,
    /// The far end says this to custody.
    Tell(Box<Pdu>),
    /// The conversation is over: close after what was said. Custody hears of it unless it knows.
    End(LinkChange),
    /// Start the timer of the session anew.
    Wait(Span),
    /// Stop the timer of the session.
    Rest,
    /// TLS with this outside server has failed: the next connection to it does without.
    InClear(String),
    /// Tell the log.
    Log(Tag, SessionEvent),
}

/// One turn of one session.
pub(in crate::protocol) struct Talk<'a> {
    /// The configuration.
    pub(super) config: &'a MemberConfig,
    /// This member's disk.
    pub(super) store: StoreId,
    /// The host's time.
    pub(super) now: Time,
    /// Whether no newer list of the accounts is known than the configured one.
    pub(super) knows_the_list: &'a dyn Fn() -> bool,
    /// When that to which the session reacts allows it to speak.
    gate: Gate,
    /// What the clients have taken lately.
    clients: &'a mut Clients,
    actions: Vec<Action>,
}

impl<'a> Talk<'a> {
    /// A turn in reaction to something that asks for `gate`.
    pub(in crate::protocol) const fn new(
        config: &'a MemberConfig,
        store: StoreId,
        now: Time,
        gate: Gate,
        knows_the_list: &'a dyn Fn() -> bool,
        clients: &'a mut Clients,
    ) -> Self {
        Self { config, store, now, knows_the_list, gate, clients, actions: Vec::new() }
    }

    /// What the turn came to, in order.
    pub(in crate::protocol) fn into_actions(self) -> Vec<Action> {
        self.actions
    }

    /// When the session may speak.
    pub(super) const fn gate(&self) -> Gate {
        self.gate
    }

    /// From here on nothing is said before everything stored is on disk, when `gate` asks for that.
    pub(super) fn hold_for(&mut self, gate: Gate) {
        if gate == Gate::Durable {
            self.gate = Gate::Durable;
        }
    }

    /// Puts `wire` on the wire.
    pub(super) fn say(&mut self, wire: Wire) {
        self.actions.push(Action::Say(wire, self.gate));
    }

    /// Says one line.
    pub(super) fn line(&mut self, line: impl Into<Vec<u8>>) {
        self.say(Wire::Line(line.into()));
    }

    /// Asks for the next unit.
    pub(super) fn receive(&mut self, mode: Mode) {
        self.say(Wire::Receive(mode));
    }

    /// Tells custody what the far end says.
    pub(super) fn tell(&mut self, pdu: Pdu) {
        self.actions.push(Action::Tell(Box::new(pdu)));
    }

    /// Tells custody who is at the far end of a connection that was accepted.
    pub(super) fn inbound(&mut self, member: MemberName) {
        self.actions.push(Action::Inbound(member));
    }

    /// Tells custody that the connection that it wanted can be used.
    pub(super) fn up(&mut self) {
        self.actions.push(Action::Up);
    }

    /// Ends the conversation.
    pub(super) fn end(&mut self, change: LinkChange) {
        self.actions.push(Action::End(change));
    }

    /// Charges the client at `remote`. `false`, told to the log, where it has reached its limit.
    pub(super) fn charge(&mut self, tag: Tag, remote: &str, charge: Charge) -> bool {
        let limits = &self.config.policy.limits.client;
        let is_left = self.clients.charge(remote, charge, limits, self.now);
        if !is_left {
            self.limited(tag, remote, charge);
        }
        is_left
    }

    /// Whether the client at `remote` has reached its limit already; told to the log where it has.
    pub(super) fn is_over(&mut self, tag: Tag, remote: &str, charge: Charge) -> bool {
        let limits = &self.config.policy.limits.client;
        let is_over = self.clients.is_over(remote, charge, limits, self.now);
        if is_over {
            self.limited(tag, remote, charge);
        }
        is_over
    }

    fn limited(&mut self, tag: Tag, remote: &str, charge: Charge) {
        let (remote, limit) = (String::from(remote), String::from(charge.limit()));
        self.log(tag, SessionEvent::Limited { remote, limit });
    }

    /// Starts the timer of the session anew.
    pub(super) fn wait(&mut self, span: Span) {
        self.actions.push(Action::Wait(span));
    }

    /// Waits for more of the content at hand, which has to be complete at `until`.
    pub(super) fn wait_for_content(&mut self, until: Time) {
        self.wait(until.since(self.now).min(CONTENT_WAIT));
    }

    /// Stops the timer of the session.
    pub(super) fn rest(&mut self) {
        self.actions.push(Action::Rest);
    }

    /// Has the next connection to an outside server do without TLS, which has failed with it.
    pub(super) fn in_clear_next(&mut self, server: String) {
        self.actions.push(Action::InClear(server));
    }

    /// Tells the log.
    pub(super) fn log(&mut self, tag: Tag, event: SessionEvent) {
        self.actions.push(Action::Log(tag, event));
    }

    /// Tells the log that the far end broke the protocol.
    pub(super) fn misbehaved(&mut self, tag: Tag, expected: &str, said: &[u8]) {
        let (expected, said) = (String::from(expected), quote(said, 0));
        self.log(tag, SessionEvent::Misbehaved { expected, offset: None, said });
    }

    /// Tells the log that what the far end said is malformed: where, counted from the front of `said`.
    pub(super) fn malformed(&mut self, tag: Tag, error: DecodeError, said: &[u8]) {
        clause!(SM_018);
        let DecodeError { offset, expected } = error;
        let (expected, said) = (String::from(expected), quote(said, offset));
        self.log(tag, SessionEvent::Misbehaved { expected, offset: Some(offset), said });
    }

    /// Tells the log of a bare CR or LF at this octet of content, which is how mail is smuggled. Content
    /// itself is not for logs.
    pub(super) fn bare_line_end(&mut self, tag: Tag, offset: u64) {
        self.bad_content(tag, offset, EXPECTED_CRLF, b"a bare CR or LF");
    }

    /// Tells the log of a message that seems to go in a circle; its first hop too many is at this octet.
    pub(super) fn too_many_hops(&mut self, tag: Tag, offset: u64) {
        self.bad_content(tag, offset, EXPECTED_FEWER_HOPS, b"one more");
    }

    fn bad_content(&mut self, tag: Tag, offset: u64, expected: &'static str, said: &[u8]) {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.malformed(tag, DecodeError { offset, expected }, said);
    }
}

/// The words of a peer, without those that no log may have.
fn quote(said: &[u8], offset: usize) -> String {
    super::quote(public_part(said).as_deref().unwrap_or(said), offset)
}

/// What every session can be told.
pub(in crate::protocol) trait Conversation {
    /// The connection is open.
    fn start(&mut self, talk: &mut Talk<'_>);
    /// The far end, or the host, says something.
    fn hear(&mut self, wire: Wire, talk: &mut Talk<'_>);
    /// Custody says something; the turn's gate is that of its words.
    fn say(&mut self, pdu: Pdu, talk: &mut Talk<'_>);
    /// Close in order, now.
    fn leave(&mut self, talk: &mut Talk<'_>);
    /// Close in order as soon as nothing is under way.
    fn finish(&mut self, talk: &mut Talk<'_>);
    /// The timer of the session is due.
    fn overdue(&mut self, talk: &mut Talk<'_>);
}
