//! What a member writes itself: delivery status notifications (`multipart/report` of RFC 3464), and the
//! automatic replies of accounts (RFC 3834).

use std::io::{self, Read};

use mail_builder::MessageBuilder;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::MimePart;

use crate::clause;
use crate::kernel::Time;
use crate::protocol::member::{AutoReply, Notice, NoticeKind};
use crate::protocol::session::date;
use crate::wire::message::{Recipient, Refusal, Return};
use crate::wire::smtp::xtext;

/// The longest message that a notice returns whole.
pub const RETURNED_LIMIT_OCTETS: u64 = 1024 * 1024;
/// The longest header that a notice returns.
pub const HEADER_LIMIT_OCTETS: u64 = 64 * 1024;

/// Writes the notice, with CRLF line ends. `original` reads the message that it is about; `now` is its
/// date.
///
/// # Errors
/// The original cannot be read.
pub fn compose(notice: &Notice, original: &mut impl Read, now: Time) -> io::Result<Vec<u8>> {
    assert!(!notice.recipients.is_empty(), "a notice is about somebody");
    clause!(SV_021);
    let report = ContentType::new("multipart/report")
        .attribute("report-type", "delivery-status")
        .attribute("boundary", boundary(notice));
    let parts = vec![
        MimePart::new("text/plain", explanation(notice)),
        MimePart::new(ContentType::new("message/delivery-status"), status(notice).into_bytes())
            .transfer_encoding("7bit"),
        returned(notice, original)?,
    ];
    let subject = match notice.kind {
        NoticeKind::Failure => "Undelivered mail returned to sender",
        NoticeKind::Delay => "Delayed mail (still being tried)",
    };
    let mut octets = Vec::new();
    MessageBuilder::new()
        .header("From", Raw::new(format!("Mail Delivery System <postmaster@{}>", notice.reporter)))
        .header("To", Raw::new(format!("<{}>", notice.to)))
        .header("Subject", Raw::new(subject))
        .header("Date", Raw::new(date(now)))
        .header("Message-ID", Raw::new(message_id(notice)))
        .header("Auto-Submitted", Raw::new("auto-replied"))
        .header("MIME-Version", Raw::new("1.0"))
        .body(MimePart::new(report, parts))
        .write_to(&mut octets)?;
    Ok(octets)
}

/// Writes an automatic reply, with CRLF line ends. `now` is its date.
///
/// # Errors
/// It cannot be written.
pub fn compose_reply(reply: &AutoReply, now: Time) -> io::Result<Vec<u8>> {
    clause!(RU_033);
    let origin = reply.origin.to_string().replace('/', ".");
    let mut message = MessageBuilder::new()
        .header("From", Raw::new(format!("<{}>", reply.from)))
        .header("To", Raw::new(format!("<{}>", reply.to)))
        .header("Subject", Text::new(reply.subject.clone()))
        .header("Date", Raw::new(date(now)))
        .header("Message-ID", Raw::new(format!("<reply.{origin}@{}>", reply.from.domain())))
        .header("Auto-Submitted", Raw::new("auto-replied"))
        .header("MIME-Version", Raw::new("1.0"));
    if let Some(answers) = reply.answers.as_deref().map(printable) {
        message = message
            .header("In-Reply-To", Raw::new(answers.clone()))
            .header("References", Raw::new(answers));
    }
    let mut octets = Vec::new();
    message.body(MimePart::new("text/plain", reply.text.clone())).write_to(&mut octets)?;
    Ok(octets)
}

/// The Message-ID of a notice. A recipient gets at most one notice of a kind from one message, so the
/// first recipient tells the notices of a message apart.
#[must_use]
pub fn message_id(notice: &Notice) -> String {
    clause!(SV_022);
    let origin = notice.origin.to_string().replace('/', ".");
    let index = notice.recipients.first().map_or(0, |(recipient, _)| recipient.index);
    format!("<{}.{origin}.{index}@{}>", kind_name(notice.kind), notice.reporter)
}

const fn kind_name(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Failure => "failure",
        NoticeKind::Delay => "delay",
    }
}

/// The digest of the original is in the boundary: a message cannot contain its own digest.
fn boundary(notice: &Notice) -> String {
    let digest = notice.body.digest.to_string();
    format!("=_{}_{}", kind_name(notice.kind), &digest[..32])
}

fn explanation(notice: &Notice) -> String {
    let (what, then) = match notice.kind {
        NoticeKind::Failure => (
            "Your message could not be delivered to the recipients below.",
            "It is not tried again.",
        ),
        NoticeKind::Delay => (
            "Your message could not be delivered to the recipients below yet.",
            "It is still being tried; you need not send it again.",
        ),
    };
    let mut text = format!("This is the mail system at {}.\n\n{what}\n{then}\n\n", notice.reporter);
    for (recipient, refusal) in &notice.recipients {
        text.push_str(&format!("<{}>: {}\n", recipient.address, diagnostic(refusal)));
    }
    text
}

fn diagnostic(refusal: &Refusal) -> String {
    printable(&format!("{} {} {}", refusal.code, refusal.status, refusal.text))
}

/// The fields of RFC 3464 sections 2.2 and 2.3: one group for the message, one for each recipient.
fn status(notice: &Notice) -> String {
    let mut fields = format!("Reporting-MTA: dns; {}\r\n", notice.reporter);
    if let Some(envid) = &notice.envid {
        fields.push_str(&format!("Original-Envelope-Id: {}\r\n", printable(envid)));
    }
    fields.push_str(&format!("Arrival-Date: {}\r\n", date(notice.arrived)));
    for (recipient, refusal) in &notice.recipients {
        fields.push_str("\r\n");
        fields.push_str(&recipient_fields(notice.kind, recipient, refusal));
    }
    fields
}

fn recipient_fields(kind: NoticeKind, recipient: &Recipient, refusal: &Refusal) -> String {
    let mut fields = String::new();
    if let Some(original) = &recipient.original {
        fields.push_str(&format!("Original-Recipient: {}\r\n", original_recipient(original)));
    }
    let address = printable(&recipient.address.0);
    fields.push_str(&format!("Final-Recipient: rfc822; {address}\r\n"));
    let action = match kind {
        NoticeKind::Failure => "failed",
        NoticeKind::Delay => "delayed",
    };
    fields.push_str(&format!("Action: {action}\r\nStatus: {}\r\n", printable(&refusal.status)));
    fields.push_str(&format!("Diagnostic-Code: smtp; {}\r\n", diagnostic(refusal)));
    fields
}

/// The third part. Only a failure returns the content, and only when the sender asked for it.
fn returned(notice: &Notice, original: &mut impl Read) -> io::Result<MimePart<'static>> {
    clause!(SV_023);
    let wants_all = notice.ret == Some(Return::Full) && notice.kind == NoticeKind::Failure;
    let is_whole = wants_all && notice.body.octets <= RETURNED_LIMIT_OCTETS;
    let limit = if is_whole { RETURNED_LIMIT_OCTETS } else { HEADER_LIMIT_OCTETS };
    let mut octets = Vec::new();
    original.take(limit).read_to_end(&mut octets)?;
    let content_type = if is_whole {
        "message/rfc822"
    } else {
        octets.truncate(header_length(&octets));
        "text/rfc822-headers"
    };
    let encoding = if octets.is_ascii() { "7bit" } else { "8bit" };
    Ok(MimePart::new(ContentType::new(content_type), octets).transfer_encoding(encoding))
}

/// The header with the end of its last line, without the empty line.
fn header_length(octets: &[u8]) -> usize {
    if octets.starts_with(b"\r\n") {
        return 0;
    }
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n");
    end.map_or(octets.len(), |end| end + 2)
}

/// Nothing in a field may end its line early; other alphabets have no place in these fields.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// ORCPT as the field has it: the address without its xtext coding (RFC 3461 section 5.2).
fn original_recipient(orcpt: &str) -> String {
    let decoded = orcpt
        .split_once(';')
        .and_then(|(kind, address)| Some(format!("{kind}; {}", xtext::decode(address).ok()?)));
    printable(&decoded.unwrap_or_else(|| orcpt.into()))
}
