//! What a mail store without `X-DELIVER` is told: LMTP as RFC 2033 has it, and nothing of ours.

use alloc::string::String;

use super::received::{SUSPECT_LINE, lines_above};
use crate::clause;
use crate::protocol::member::Parcel;
use crate::wire::message::{Outcome, Recipient, Refusal};
use crate::wire::smtp::{BodyKind, Extensions, Mail, Rcpt, Reply};

/// A store that keeps no delivery journal, and what it offers instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stock(pub(super) Extensions);

impl Stock {
    /// The MAIL command; a refusal where the store cannot carry the message.
    pub(super) fn mail(&self, parcel: &Parcel) -> Result<Mail, Refusal> {
        clause!(DE_071);
        let Self(offered) = self;
        let envelope = &parcel.envelope;
        if envelope.smtputf8 && !offered.smtputf8 {
            let text = "The mail store does not take internationalized mail";
            return Err(Refusal::new(550, "5.6.7", text));
        }
        Ok(Mail {
            size: offered.size.map(|_| parcel.body.octets),
            body: offered.eight_bit_mime.then_some(BodyKind::EightBitMime),
            smtputf8: envelope.smtputf8,
            ..Mail::from(envelope.sender.clone())
        })
    }

    /// The RCPT command.
    pub(super) fn rcpt(recipient: &Recipient) -> Rcpt {
        Rcpt::to(recipient.address.clone())
    }

    /// What is written above the header. A store does not know of suspects, so the mark is written
    /// here (SU-041): into the one copy that all of `accepted` get.
    pub(super) fn prefix(parcel: &Parcel, accepted: impl Fn(u32) -> bool) -> String {
        let envelope = &parcel.envelope;
        let mut lines = lines_above(envelope);
        if envelope.recipients.iter().any(|r| r.suspect && accepted(r.index)) {
            clause!(SU_041);
            lines.insert_str(0, SUSPECT_LINE);
        }
        lines
    }

    /// What a reply says of the recipient whose turn it is; `None` where it is not final.
    pub(super) fn outcome(reply: &Reply) -> Option<Outcome> {
        clause!(DE_071);
        match reply.refusal() {
            Some(refusal) => Some(Outcome::Refused(refusal)),
            None => reply.is_positive().then_some(Outcome::Delivered),
        }
    }
}
