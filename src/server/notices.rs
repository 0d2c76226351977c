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
use crate::protocol::queue::Ending;
use crate::protocol::session::date;
use crate::wire::message::{Recipient, Refusal, Return};
use crate::wire::smtp::xtext;

/// The longest message that a notice returns whole.
pub const RETURNED_LIMIT_OCTETS: u64 = 1024 * 1024;
/// The longest header that a notice returns.
pub const HEADER_LIMIT_OCTETS: u64 = 64 * 1024;

/// Writes the notice, with CRLF line ends. `original` reads the message that it is about, where that may
/// be read; `now` is its date.
///
/// # Errors
/// The original cannot be read, or it is damaged.
pub fn compose<R: Read>(
    notice: &Notice,
    original: Option<&mut R>,
    now: Time,
) -> io::Result<Vec<u8>> {
    assert!(!notice.recipients.is_empty(), "a notice is about somebody");
    clause!(SV_021);
    let report = ContentType::new("multipart/report")
        .attribute("report-type", "delivery-status")
        .attribute("boundary", boundary(notice));
    let mut parts = vec![
        // In UTF-8, and said so, where the text needs that.
        MimePart::new("text/plain", explanation(notice)),
        MimePart::new(ContentType::new("message/delivery-status"), status(notice).into_bytes())
            .transfer_encoding("7bit"),
    ];
    if let Some(original) = original {
        parts.push(returned(notice, original)?);
    }
    let subject = match notice.kind {
        NoticeKind::Failure => "Undelivered mail returned to sender",
        NoticeKind::Delay => "Delayed mail (still being tried)",
        NoticeKind::Success => "Successful mail delivery report",
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
        NoticeKind::Success => "success",
    }
}

/// The digest of the original is in the boundary: a message cannot contain its own digest.
fn boundary(notice: &Notice) -> String {
    // Without an original nothing is in the notice that somebody else has chosen.
    let digest = notice.body.map_or_else(String::new, |body| body.digest.to_string());
    format!("=_{}_{}", kind_name(notice.kind), digest.get(..32).unwrap_or("without"))
}

fn explanation(notice: &Notice) -> String {
    let (what, then) = match notice.kind {
        NoticeKind::Delay if notice.body.is_none() => (
            "Your message could not be delivered to the recipients below.",
            "It is kept for the postmaster here and not tried until they have looked at it.",
        ),
        NoticeKind::Failure => (
            "Your message could not be delivered to the recipients below.",
            "It is not tried again.",
        ),
        NoticeKind::Delay => (
            "Your message could not be delivered to the recipients below yet.",
            "It is still being tried; you need not send it again.",
        ),
        NoticeKind::Success => (
            "You asked to hear what became of your message for the recipients below.",
            "`delivered` means that it lies in the mailbox, `relayed` that a server took it that may \
             tell you nothing more.",
        ),
    };
    let mut text = format!("This is the mail system at {}.\n\n{what}\n{then}\n\n", notice.reporter);
    for (recipient, ending) in &notice.recipients {
        let word = match ending {
            Ending::Refused(refusal) => readable(refusal),
            Ending::Delivered | Ending::Relayed => action(notice.kind, ending).into(),
        };
        text.push_str(&format!("<{}>: {word}\n", recipient.address));
    }
    text
}

/// The action of RFC 3464 section 2.3.3.
const fn action(kind: NoticeKind, ending: &Ending) -> &'static str {
    match (ending, kind) {
        (Ending::Delivered, _) => "delivered",
        (Ending::Relayed, _) => "relayed",
        (Ending::Refused(_), NoticeKind::Delay) => "delayed",
        (Ending::Refused(_), _) => "failed",
    }
}

/// For people: as it was said, on one line.
fn readable(refusal: &Refusal) -> String {
    clause!(SV_026);
    let text = format!("{} {} {}", refusal.code, refusal.status, refusal.text);
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// For programs, in a field that takes US-ASCII only: other letters as RFC 6533 section 3 codes them in
/// addresses.
fn diagnostic(refusal: &Refusal) -> String {
    let coded = |letter: char| match letter {
        letter if letter.is_ascii() => letter.to_string(),
        letter => format!("\\x{{{:02X}}}", u32::from(letter)),
    };
    let text: String = readable(refusal).chars().map(coded).collect();
    printable(&text)
}

/// The fields of RFC 3464 sections 2.2 and 2.3: one group for the message, one for each recipient.
fn status(notice: &Notice) -> String {
    let mut fields = format!("Reporting-MTA: dns; {}\r\n", notice.reporter);
    if let Some(envid) = &notice.envid {
        fields.push_str(&format!("Original-Envelope-Id: {}\r\n", printable(envid)));
    }
    fields.push_str(&format!("Arrival-Date: {}\r\n", date(notice.arrived)));
    for (recipient, ending) in &notice.recipients {
        fields.push_str("\r\n");
        fields.push_str(&recipient_fields(notice.kind, recipient, ending));
    }
    fields
}

fn recipient_fields(kind: NoticeKind, recipient: &Recipient, ending: &Ending) -> String {
    clause!(SV_024);
    let mut fields = String::new();
    if let Some(original) = &recipient.original {
        fields.push_str(&format!("Original-Recipient: {}\r\n", original_recipient(original)));
    }
    let address = final_recipient(&recipient.address.0);
    fields.push_str(&format!("Final-Recipient: {address}\r\n"));
    fields.push_str(&format!("Action: {}\r\n", action(kind, ending)));
    match ending {
        Ending::Refused(refusal) => {
            fields.push_str(&format!("Status: {}\r\n", printable(&refusal.status)));
            fields.push_str(&format!("Diagnostic-Code: smtp; {}\r\n", diagnostic(refusal)));
        }
        Ending::Delivered | Ending::Relayed => fields.push_str("Status: 2.0.0\r\n"),
    }
    fields
}

/// The third part. Only a failure returns the content, and only when the sender asked for it.
fn returned(notice: &Notice, original: &mut impl Read) -> io::Result<MimePart<'static>> {
    clause!(SV_023);
    let wants_all = notice.ret == Some(Return::Full) && notice.kind == NoticeKind::Failure;
    let octets = notice.body.map_or(u64::MAX, |body| body.octets);
    let is_whole = wants_all && octets <= RETURNED_LIMIT_OCTETS;
    let limit = if is_whole { RETURNED_LIMIT_OCTETS } else { HEADER_LIMIT_OCTETS };
    let mut octets = Vec::new();
    original.by_ref().take(limit).read_to_end(&mut octets)?;
    // What is damaged behind that is damaged, too: only its end tells.
    io::copy(original, &mut io::sink())?;
    let mut octets = with_line_ends(&octets);
    let content_type = if is_whole {
        "message/rfc822"
    } else {
        octets.truncate(header_length(&octets));
        "text/rfc822-headers"
    };
    let encoding = if octets.is_ascii() { "7bit" } else { "8bit" };
    Ok(MimePart::new(ContentType::new(content_type), octets).transfer_encoding(encoding))
}

/// The octets with CRLF for each bare CR or LF: the notice must be able to travel where the message was
/// not.
fn with_line_ends(octets: &[u8]) -> Vec<u8> {
    clause!(SV_025);
    let mut lines = Vec::with_capacity(octets.len());
    let mut rest = octets.iter().copied().peekable();
    while let Some(octet) = rest.next() {
        match octet {
            b'\r' => {
                rest.next_if_eq(&b'\n');
                lines.extend_from_slice(b"\r\n");
            }
            b'\n' => lines.extend_from_slice(b"\r\n"),
            _ => lines.push(octet),
        }
    }
    lines
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

/// The address with its type; one with letters beyond ASCII in the coding of RFC 6533 section 3.
fn final_recipient(address: &str) -> String {
    if address.is_ascii() {
        return format!("rfc822; {}", printable(address));
    }
    let coded = |letter: char| match letter {
        '\\' | '+' | '=' => format!("\\x{{{:02X}}}", u32::from(letter)),
        _ if letter.is_ascii_graphic() => letter.to_string(),
        _ => format!("\\x{{{:02X}}}", u32::from(letter)),
    };
    format!("utf-8; {}", address.chars().map(coded).collect::<String>())
}

/// ORCPT as the field has it: the address without its xtext coding (RFC 3461 section 5.2).
fn original_recipient(orcpt: &str) -> String {
    let decoded = orcpt
        .split_once(';')
        .and_then(|(kind, address)| Some(format!("{kind}; {}", xtext::decode(address).ok()?)));
    printable(&decoded.unwrap_or_else(|| orcpt.into()))
}
