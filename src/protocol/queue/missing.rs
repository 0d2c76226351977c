//! What is noted of the header of mail that comes in: its priority, and what the mail of an account
//! lacks, and gets (RFC 6409, section 8).

use alloc::string::String;
use alloc::vec::Vec;

use crate::clause;
use crate::protocol::member::{HeaderRead, NewMail, Turn};
use crate::protocol::rules::Source;
use crate::protocol::session::date;
use crate::wire::ids::OriginId;
use crate::wire::message::Field;
use crate::wire::restrictions::Priority;

/// Whether a client that has proved who it is has given us this mail.
pub(super) fn is_submitted(mail: &NewMail) -> bool {
    Source::of(&mail.with) == Source::Authenticated
}

/// What is noted of the header of a message that comes in; nothing where it is not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Noted {
    /// A client that has logged in has sent it without.
    date: bool,
    message_id: bool,
    pub(super) priority: Priority,
}

impl Noted {
    /// Of the header of `mail`. It lacks nothing that may stand in the part that was not read, and nothing
    /// that strangers leave out.
    pub(super) fn of(mail: &NewMail, header: &HeaderRead) -> Self {
        let lacks = |name| !header.fields.iter().any(|field| field.is(name));
        let is_ours = is_submitted(mail) && header.is_whole;
        Self {
            date: is_ours && lacks("Date"),
            message_id: is_ours && lacks("Message-ID"),
            priority: Priority::of(&header.fields),
        }
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
        let noted = |is_whole| Noted::of(&mail, &HeaderRead { fields: Vec::new(), is_whole });
        assert!(noted(true).date && noted(true).message_id);
        assert!(!noted(false).date && !noted(false).message_id);
    }
}
