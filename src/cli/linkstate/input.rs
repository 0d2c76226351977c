//! What a capture holds: octets, a dump of them, or the lines of a session.

use crate::wire::frame::{FRAME_LIMIT, HEADER_OCTETS, read_header};
use crate::wire::link2state::{Chunk, Reassembly};

/// The most octets that a line `*` of a dump stands for.
const REPEATED_LIMIT: usize = 64 * 1024 * 1024;

/// One message of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Where it comes from, in words.
    pub(super) origin: String,
    pub(super) octets: Vec<u8>,
}

/// The messages of a capture, in order, and why the rest of it is none.
pub(super) fn messages(octets: &[u8]) -> (Vec<Message>, Option<String>) {
    if octets.windows(6).any(|six| six.eq_ignore_ascii_case(b"CHUNK=")) {
        return chunks(octets);
    }
    let start = octets.iter().position(|octet| !octet.is_ascii_whitespace()).unwrap_or(0);
    frames(&octets[start..], start)
}

/// Counted frames, one behind the other. What follows the last one that is whole belongs to it: the counts of
/// a packet that was edited for print are not right.
fn frames(octets: &[u8], start: usize) -> (Vec<Message>, Option<String>) {
    let mut messages = Vec::new();
    let mut at = 0;
    while at < octets.len() {
        let rest = &octets[at..];
        let whole = match read_header(rest, FRAME_LIMIT) {
            Ok(Some(count)) => HEADER_OCTETS + count,
            _ => rest.len(),
        };
        let follows = rest.get(whole..).unwrap_or_default();
        let is_frame = |octets: &[u8]| matches!(read_header(octets, FRAME_LIMIT), Ok(Some(_)));
        let octets = if is_frame(follows) { &rest[..whole] } else { trimmed(rest, whole) };
        let origin = format!("frame at octet {}", start + at);
        messages.push(Message { origin, octets: octets.to_vec() });
        if !is_frame(follows) {
            break;
        }
        at += whole;
    }
    (messages, None)
}

/// Without the line end that an editor has put behind the packet, where the count does not include it.
fn trimmed(octets: &[u8], whole: usize) -> &[u8] {
    if octets.len() == whole {
        return octets;
    }
    let octets = octets.strip_suffix(b"\n").unwrap_or(octets);
    octets.strip_suffix(b"\r").unwrap_or(octets)
}

/// The lines of a session that carry chunks: commands, and lines of replies. The two directions are put
/// together apart, as replies come between commands.
fn chunks(octets: &[u8]) -> (Vec<Message>, Option<String>) {
    let mut sides = [Reassembly::default(), Reassembly::default()];
    let mut begun = [0, 0];
    let mut messages = Vec::new();
    for (place, line) in octets.split(|octet| *octet == b'\n').enumerate() {
        let number = place + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some((side, chunk)) = chunk_of(line) else { continue };
        let wrong = |what: String| Some(format!("line {number}: {what}"));
        let chunk = match Chunk::decode(chunk) {
            Ok(chunk) => chunk,
            Err(error) => return (messages, wrong(format!("{error} of the chunk"))),
        };
        if !sides[side].is_inside() {
            begun[side] = number;
        }
        match sides[side].take(&chunk) {
            Ok(None) => {}
            Ok(Some(message)) => {
                let origin = format!("chunks of lines {} to {number}", begun[side]);
                messages.push(Message { origin, octets: message.into_bytes() });
            }
            Err(error) => {
                return (messages, wrong(format!("{error}: {}", error.place())));
            }
        }
    }
    let unfinished = [0, 1].into_iter().find(|side| sides[*side].is_inside());
    let problem = unfinished
        .map(|side| format!("the message that begins on line {} has no LAST CHUNK=", begun[side]));
    (messages, problem)
}

/// The side that says a chunk (0 in commands, 1 in replies), and the chunk.
fn chunk_of(line: &[u8]) -> Option<(usize, &[u8])> {
    let upper = line.to_ascii_uppercase();
    let find = |word: &[u8]| upper.windows(word.len()).position(|window| window == word);
    find(b"CHUNK=")?;
    if let Some(verb) = find(b"X-LINK2STATE ") {
        return Some((0, &line[verb + b"X-LINK2STATE ".len()..]));
    }
    for code in [&b"200-"[..], b"200 "] {
        if let Some(start) = find(code) {
            return Some((1, &line[start + code.len()..]));
        }
    }
    Some((0, line.trim_ascii_start()))
}

/// The octets of a dump: bare digits, or the lines of `xxd` and `hexdump -C`.
pub(super) fn from_hex(text: &[u8]) -> Result<Vec<u8>, String> {
    let text =
        core::str::from_utf8(text).map_err(|_| "a dump is text, and this is not".to_owned())?;
    let mut digits = String::new();
    let mut squeeze = Squeeze::default();
    for (place, line) in text.lines().enumerate() {
        if line.trim() == "*" {
            squeeze.is_open = true;
            continue;
        }
        let (offset, bare) = dumped(line, squeeze.is_canonical);
        squeeze.fill(&mut digits, offset).map_err(|what| format!("line {}: {what}", place + 1))?;
        squeeze.is_canonical |= line.trim_end().ends_with('|');
        let foreign = |c: char| !c.is_ascii_hexdigit() && !c.is_whitespace() && c != ':';
        if let Some(found) = bare.find(foreign) {
            let character = bare[found..].chars().next().unwrap_or(' ');
            return Err(format!("line {}: `{character}` is no hexadecimal digit", place + 1));
        }
        squeeze.last = bare.chars().filter(char::is_ascii_hexdigit).collect();
        digits.push_str(&squeeze.last);
    }
    if squeeze.is_open {
        return Err("the line `*` at the end has no offset behind it".into());
    }
    if !digits.len().is_multiple_of(2) {
        return Err(format!("{} hexadecimal digits, expected two for each octet", digits.len()));
    }
    let octet = |place: usize| u8::from_str_radix(&digits[place..place + 2], 16);
    (0..digits.len()).step_by(2).map(octet).collect::<Result<_, _>>().map_err(|e| e.to_string())
}

/// What a line `*` stands for: the line before it, as often as it takes to reach the next offset.
#[derive(Default)]
struct Squeeze {
    /// A line `*` was the last one.
    is_open: bool,
    /// A line of `hexdump -C` was seen.
    is_canonical: bool,
    /// The first offset.
    start: Option<usize>,
    /// The digits of the last line.
    last: String,
}

impl Squeeze {
    fn fill(&mut self, digits: &mut String, offset: Option<usize>) -> Result<(), String> {
        let start = *self.start.get_or_insert_with(|| offset.unwrap_or(0));
        if !core::mem::take(&mut self.is_open) {
            return Ok(());
        }
        let end = offset.ok_or("expected an offset behind the line `*`")?;
        let here = start + digits.len() / 2;
        let missing = end.checked_sub(here).filter(|_| !self.last.is_empty());
        let missing = missing.ok_or("the line `*` repeats nothing")?;
        if missing > REPEATED_LIMIT {
            return Err(format!("the line `*` stands for more than {REPEATED_LIMIT} octets"));
        }
        digits.extend(self.last.chars().cycle().take(missing * 2));
        Ok(())
    }
}

/// The offset and the digits of a line, without its text. Behind lines of `hexdump -C`, a word alone is the
/// offset of the end.
fn dumped(line: &str, is_canonical: bool) -> (Option<usize>, &str) {
    let number = |offset: &str| usize::from_str_radix(offset.trim(), 16).ok();
    let is_offset = |text: &str| text.len() >= 4 && text.bytes().all(|o| o.is_ascii_hexdigit());
    // `00000000: 7b30 3030  {000`
    if let Some((offset, rest)) = line.split_once(": ")
        && is_offset(offset)
    {
        return (number(offset), rest.split("  ").next().unwrap_or(rest));
    }
    if is_canonical && is_offset(line.trim()) {
        return (number(line), "");
    }
    // `00000000  7b 30 30 30  |{000|`
    if let Some((front, text)) = line.split_once('|')
        && text.ends_with('|')
    {
        let parted = front.split_once("  ");
        return parted.map_or((None, front), |(offset, rest)| (number(offset), rest));
    }
    (None, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_of_the_usual_tools_are_read() {
        for dump in [
            "7b30 3030 0a",
            "7b:30:30:30:0a",
            "00000000: 7b30 3030 0a                             {000.",
            "00000000  7b 30 30 30 0a                                    |{000.|",
        ] {
            assert_eq!(from_hex(dump.as_bytes()).expect(dump), b"{000\n", "{dump}");
        }
        assert_eq!(
            from_hex(b"7b3").expect_err("odd"),
            "3 hexadecimal digits, expected two for each octet"
        );
        assert_eq!(from_hex(b"7b\n7g").expect_err("g"), "line 2: `g` is no hexadecimal digit");
    }

    #[test]
    fn chunks_of_both_sides_are_put_together() {
        let session =
            b"X-LINK2STATE FIRST CHUNK={0000\r\n200 NEXT\r\nX-LINK2STATE LAST CHUNK=0002}ab\r\n\
            200-FIRST CHUNK={00000001\r\n200 LAST CHUNK=}c\r\n";
        let (found, problem) = messages(session);
        assert_eq!(problem, None);
        let octets: Vec<&[u8]> = found.iter().map(|message| &message.octets[..]).collect();
        assert_eq!(octets, [&b"{00000002}ab"[..], b"{00000001}c"]);
        assert_eq!(found[0].origin, "chunks of lines 1 to 3");
    }

    #[test]
    fn what_is_wrong_with_chunks_is_told_with_its_line() {
        let problem = |session: &[u8]| messages(session).1.expect("it is wrong");
        assert_eq!(
            problem(b"EHLO a\nX-LINK2STATE NEXT CHUNK=x\n"),
            "line 2: chunk before FIRST: octet 0: expected FIRST before any other chunk"
        );
        assert_eq!(
            problem(b"X-LINK2STATE FIRST CHUNK={000\n"),
            "the message that begins on line 1 has no LAST CHUNK="
        );
    }

    #[test]
    fn frames_of_a_group_port_are_parted() {
        let (found, _) = messages(b"{00000003} a\n{00000002} b");
        let octets: Vec<&[u8]> = found.iter().map(|message| &message.octets[..]).collect();
        assert_eq!(octets, [&b"{00000003} a\n"[..], b"{00000002} b"]);
    }
}
