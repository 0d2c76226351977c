//! What one step works with.

use crate::kernel::{Cx, Span};
use crate::protocol::member::{Event, Member, MemberConfig, Pdu, Timer};
use crate::wire::ids::ConnectionId;
use crate::wire::message::Refusal;

/// The configuration and the buffers of one step.
pub(crate) struct Turn<'t, 'c> {
    /// The configuration.
    pub(crate) config: &'t MemberConfig,
    /// Time, choices and effects.
    pub(crate) cx: &'t mut Cx<'c, Member>,
}

impl Turn<'_, '_> {
    /// Whether this planted bug is on.
    pub(crate) fn fault(&self, name: &'static str) -> bool {
        self.config.faults.is_on(name)
    }

    /// Says what nothing depends on.
    pub(crate) fn say(&mut self, to: ConnectionId, pdu: Pdu) {
        self.cx.send(to, pdu);
    }

    /// Says what must be true after a crash, too.
    pub(crate) fn promise(&mut self, to: ConnectionId, pdu: Pdu) {
        if self.fault("reply-before-durable") {
            self.cx.send(to, pdu);
        } else {
            self.cx.send_durable(to, pdu);
        }
    }

    /// Refuses.
    pub(crate) fn refuse(&mut self, to: ConnectionId, code: u16, status: &str, text: &str) {
        self.say(to, Pdu::Refused(Refusal::new(code, status, text)));
    }

    /// Tells the log.
    pub(crate) fn tell(&mut self, event: Event) {
        self.cx.event(event);
    }

    /// Starts a timer.
    pub(crate) fn arm(&mut self, timer: Timer, span: Span) {
        self.cx.arm(timer, span);
    }

    /// Stops a timer.
    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.cx.disarm(timer);
    }
}
