//! What the mail of an account lacks, and gets (RFC 6409, section 8).

use alloc::string::String;
use alloc::vec::Vec;

use crate::clause;
use crate::protocol::member::{HeaderRead, NewMail, Turn};
use crate::protocol::rules::Source;
use crate::protocol::session::date;
use crate::wire::ids::OriginId;
use crate::wire::message::Field;

/// Whether a client that has proved who it is has given us this mail.
pub(super) fn is_submitted(mail: &NewMail) -> bool {
    Source::of(&mail.with) == Source::Authenticated
}

/// What a message of a client that has logged in lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Missing {
    date: bool,
    message_id: bool,
}

impl Missing {
    /// What the header of `mail` lacks. Nothing where it may stand in the part that was not read, and
    /// nothing that strangers leave out.
    pub(super) fn of(mail: &NewMail, header: &HeaderRead) -> Self {
        let lacks = |name| !header.fields.iter().any(|field| field.is(name));
        let is_ours = is_submitted(mail) && header.is_whole;
        Self { date: is_ours && lacks("Date"), message_id: is_ours && lacks("Message-ID") }
    }

    /// The fields that it lacks (RFC 6409, section 8).
    pub(super) fn fields(self, origin: &OriginId, turn: &Turn<'_, '_>) -> Vec<Field> {
        if turn.config.faults.is_on("submitted-as-it-is") {
            return Vec::new();
        }
        let field = |name: &str, value| Field { name: String::from(name), value };
        let mut fields = Vec::new();
        if self.date {
            clause!(SM_115);
            fields.push(field("Date", date(turn.cx.now)));
        }
        if self.message_id {
            clause!(SM_115);
            let member = &turn.config.member;
            let domain = turn.config.organization.domains.first().unwrap_or(&member.0);
            fields.push(field("Message-ID", alloc::format!("<{origin}@{domain}>")));
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::{Body, BodyKey, Digest};

    // SM-115
    #[test]
    fn nothing_is_added_to_a_header_that_was_not_read_to_its_end() {
        let mail = NewMail {
            sender: None,
            recipients: Vec::new(),
            ret: None,
            envid: None,
            smtputf8: false,
            submitter: None,
            from: String::from("client"),
            with: String::from("ESMTPSA"),
            body: Body { key: BodyKey(1), digest: Digest::default(), octets: 1 },
        };
        let missing = |is_whole| Missing::of(&mail, &HeaderRead { fields: Vec::new(), is_whole });
        assert!(missing(true).date && missing(true).message_id);
        assert!(!missing(false).date && !missing(false).message_id);
    }
}
