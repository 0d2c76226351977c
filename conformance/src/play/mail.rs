//! What a node has sent to played members: offers with envelope and body, deliveries with content, and
//! the notices among them.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::event::{Way, hex};
use crate::smtp::{parameter, starts_with};
use crate::transcript::{Stream, Transcript};

/// An offer, with its octets.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// The record of the command.
    pub(super) n: u64,
    /// The command.
    pub(super) line: String,
    /// The envelope.
    pub(super) envelope: Value,
    /// The body.
    pub(super) body: Vec<u8>,
    /// The digest of the octets, as WI-083 wants it.
    pub(super) digest: String,
}

/// A message that was delivered.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// The record of its first octet.
    pub(super) n: u64,
    /// Without dots that were added, and without the last line.
    pub(super) octets: Vec<u8>,
}

/// The connections of a link.
fn connections<'a>(transcript: &Transcript<'a>, link: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in transcript.connections() {
        let is_of = name.rsplit_once('#').is_some_and(|(of, _)| of == link);
        if is_of && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The next line from a place on, without its end, and where it ends.
fn line_at(stream: &Stream, place: usize) -> Option<(String, usize)> {
    let rest = stream.octets.get(place..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    Some((String::from_utf8_lossy(&rest[..end]).into_owned(), place + end + 2))
}

/// All offers on a link that carried their octets, in order.
pub(super) fn offers(transcript: &Transcript<'_>, link: &str) -> Vec<Offer> {
    let mut offers = Vec::new();
    for connection in connections(transcript, link) {
        let stream = transcript.stream(connection, Way::Forward);
        let mut place = 0;
        while let Some((line, next)) = line_at(&stream, place) {
            let n = stream.numbers[place];
            place = next;
            // No command begins with a brace; behind an offer that was not wanted there are no octets.
            if starts_with(&line, "X-SUBMIT OFFER ") && stream.octets.get(place) == Some(&b'{') {
                let count = |name| parameter(&line, name).and_then(|n| n.parse::<usize>().ok());
                let (envelope, body) = (count("ENVELOPE").unwrap_or(0), count("BODY").unwrap_or(0));
                let Some(octets) = stream.octets.get(place..place + envelope + body) else { break };
                let (envelope, body) = octets.split_at(envelope);
                offers.push(offer(n, line, envelope, body));
                place += octets.len();
            }
        }
    }
    offers.sort_by_key(|offer| offer.n);
    offers
}

fn offer(n: u64, line: String, envelope: &[u8], body: &[u8]) -> Offer {
    let mut hasher = Sha256::new();
    hasher.update(envelope);
    hasher.update(Sha256::digest(body));
    let digest = hex(&hasher.finalize());
    let envelope = serde_json::from_slice(envelope).unwrap_or(Value::Null);
    Offer { n, line, envelope, body: body.to_vec(), digest }
}

/// All contents on a link, in order.
pub(super) fn contents(transcript: &Transcript<'_>, link: &str) -> Vec<Content> {
    let mut contents = Vec::new();
    for connection in connections(transcript, link) {
        let stream = transcript.stream(connection, Way::Forward);
        let mut place = 0;
        while let Some((line, next)) = line_at(&stream, place) {
            place = next;
            if line.eq_ignore_ascii_case("DATA") {
                let Some(content) = content_at(&stream, &mut place) else { break };
                contents.push(content);
            }
        }
    }
    contents.sort_by_key(|content| content.n);
    contents
}

/// The content from a place on. A DATA that was refused has none: the next line is a command.
fn content_at(stream: &Stream, place: &mut usize) -> Option<Content> {
    let n = *stream.numbers.get(*place)?;
    let mut octets = Vec::new();
    loop {
        let rest = stream.octets.get(*place..)?;
        let end = rest.windows(2).position(|pair| pair == b"\r\n")? + 2;
        let line = &rest[..end];
        *place += end;
        if line == b".\r\n" {
            return Some(Content { n, octets });
        }
        octets.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
}

/// Every message that a link carried, handed over or delivered.
fn messages(transcript: &Transcript<'_>, link: &str) -> Vec<Content> {
    let offered = offers(transcript, link).into_iter();
    let offered = offered.map(|offer| Content { n: offer.n, octets: offer.body });
    contents(transcript, link).into_iter().chain(offered).collect()
}

/// A part of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The header of the message.
    Header,
    /// The part for people.
    Text,
    /// The fields about the message, and the groups about its recipients.
    Status,
    /// What is returned of the message, with the header of the part.
    Returned,
}

/// A notice: RFC 3464's `multipart/report`.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// The record with which it began.
    pub(super) n: u64,
    header: String,
    parts: Vec<String>,
}

/// The notices that a link carried.
pub(super) fn notices(transcript: &Transcript<'_>, link: &str) -> Vec<Notice> {
    messages(transcript, link).iter().filter_map(notice).collect()
}

fn notice(content: &Content) -> Option<Notice> {
    let text = String::from_utf8_lossy(&content.octets).into_owned();
    let (header, body) = text.split_once("\r\n\r\n")?;
    let header = unfolded(header);
    let kind = field(&header, "Content-Type")?.to_owned();
    let lower = kind.to_ascii_lowercase();
    let is_report = lower.starts_with("multipart/report") && lower.contains("delivery-status");
    let boundary = kind.split_once("boundary=")?.1.split(';').next()?.trim().trim_matches('"');
    let marker = format!("\r\n--{boundary}");
    let body = format!("\r\n{body}");
    let mut parts: Vec<String> = body.split(&marker).skip(1).map(str::to_owned).collect();
    // The last one is what stands behind the end.
    let end = parts.pop()?;
    (is_report && end.starts_with("--")).then_some(Notice { n: content.n, header, parts })
}

fn unfolded(header: &str) -> String {
    header.replace("\r\n ", " ").replace("\r\n\t", " ")
}

fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

impl Notice {
    /// A part of it, with the types that RFC 3462 and RFC 3464 want; otherwise nothing.
    pub(super) fn part(&self, part: Part) -> Option<&str> {
        let typed = |place: usize, kinds: &[&str]| {
            let part = self.parts.get(place)?;
            let (header, _) = part.trim_start_matches("\r\n").split_once("\r\n\r\n")?;
            let kind = field(&unfolded(header), "Content-Type")?.to_ascii_lowercase();
            kinds.iter().any(|wanted| kind.starts_with(wanted)).then_some(part.as_str())
        };
        match part {
            Part::Header => Some(&self.header),
            Part::Text => typed(0, &["text/plain"]),
            Part::Status => {
                typed(1, &["message/delivery-status", "message/global-delivery-status"])
            }
            Part::Returned => {
                typed(2, &["message/rfc822", "text/rfc822-headers", "message/global"])
            }
        }
    }
}
