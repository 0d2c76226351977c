//! `linkstate decode`: a captured packet as a tree, each token with its place, its meaning and the grounds of it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::input::{Message, from_hex, messages};
use super::{failed, refused};
use crate::cli::admin::ADMIN_FORMAT;
use crate::cli::table::{count, row, table};
use crate::wire::explain::{Explanation, Token, explain_frame, explain_message};
use crate::wire::frame::HEADER_OCTETS;
use crate::wire::historic::{Counts, explain};

/// The most octets of a capture.
const CAPTURE_LIMIT: u64 = 64 * 1024 * 1024;
/// The most characters of a token that are shown.
const TOKEN_SHOWN: usize = 46;

/// What to explain.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The capture; - is standard input
    file: PathBuf,
    /// The file is a dump: hexadecimal digits, or what xxd or hexdump -C print
    #[arg(long)]
    hex: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A message, and what it is.
struct Explained<'m> {
    message: &'m Message,
    /// The grammar.
    grammar: &'static str,
    /// What is to be said of it as a whole.
    about: String,
    explanation: Explanation,
    /// Nothing of it is of any grammar.
    is_none: bool,
}

/// Reads, explains and prints; 1 says that a message is malformed, 2 that there is none.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let wrong = |problem: String| format!("{}: {problem}", arguments.file.display());
    let octets = read(&arguments.file)
        .and_then(|octets| if arguments.hex { from_hex(&octets) } else { Ok(octets) });
    let octets = match octets.map_err(wrong) {
        Ok(octets) => octets,
        Err(problem) => return refused(&problem),
    };
    let (found, problem) = messages(&octets);
    let explained: Vec<Explained<'_>> = found.iter().map(explained).collect();
    if arguments.json {
        let all: Vec<Value> = explained.iter().map(as_json).collect();
        say!("{}", json!({"format": ADMIN_FORMAT, "messages": all, "problem": problem}));
    } else {
        let packets = explained.iter().filter(|one| !one.is_none);
        packets.for_each(|one| say!("{}", words(one).trim_end()));
    }
    let errors = explained.iter().filter_map(|one| {
        let is_none = if one.is_none { format!("{}: ", one.about) } else { String::new() };
        one.explanation.error.map(|error| format!("{}: {is_none}{error}", one.message.origin))
    });
    let errors: Vec<String> = errors.chain(problem).map(wrong).collect();
    match (&errors[..], explained.is_empty()) {
        ([], true) => refused(&wrong("there is nothing to explain".into())),
        ([], false) => ExitCode::SUCCESS,
        (errors, _) if explained.iter().all(|one| one.is_none) && !explained.is_empty() => {
            refused(&errors.join("\n"))
        }
        (errors, _) => failed(&errors.join("\n")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(CAPTURE_LIMIT + 1).read_to_end(&mut octets)
    } else {
        std::fs::File::open(path).and_then(|f| f.take(CAPTURE_LIMIT + 1).read_to_end(&mut octets))
    };
    match read {
        Err(error) => Err(error.to_string()),
        Ok(read) if read as u64 > CAPTURE_LIMIT => Err(format!("more than {CAPTURE_LIMIT} octets")),
        Ok(_) => Ok(octets),
    }
}

/// Which grammar a message is of: its first word says.
fn explained(message: &Message) -> Explained<'_> {
    let content = message.octets.get(HEADER_OCTETS..).unwrap_or_default();
    let content = content.trim_ascii_start();
    let end = content.iter().position(|octet| !octet.is_ascii_alphabetic());
    let word = &content[..end.unwrap_or(content.len())];
    // A digest is in lower case.
    let is_verb = word.len() > 1 && word.iter().all(u8::is_ascii_uppercase);
    let counted = |tokens: &[Token]| tokens.iter().filter(|token| token.counted.is_some()).count();
    if word == b"MULTI" {
        let explanation = explain_message(&message.octets);
        let about = "a message of X-LINK2STATE".to_owned();
        return Explained { message, grammar: "version (6)", about, explanation, is_none: false };
    }
    if is_verb && word != b"ORGINFO" {
        let explanation = explain_frame(&message.octets);
        let about = "a frame of the group port".to_owned();
        return Explained { message, grammar: "version (6)", about, explanation, is_none: false };
    }
    let (explanation, packet) = explain(&message.octets, Counts::Edited);
    // The count in front is that of any frame: it makes no packet of what follows.
    if explanation.error.is_some() && explanation.tokens.len() <= 1 {
        let about = "no packet, neither a historic one nor one of ours".to_owned();
        return Explained { message, grammar: "none", about, explanation, is_none: true };
    }
    let about = packet.map_or_else(String::new, |packet| {
        let members: usize = packet.groups.iter().map(|group| group.members.len()).sum();
        let connectors: usize = packet.groups.iter().map(|group| group.connectors.len()).sum();
        let parts = [
            count(packet.groups.len(), "routing group"),
            count(members, "member"),
            count(connectors, "connector"),
        ];
        parts.join(", ")
    });
    let off = counted(&explanation.tokens);
    let mut about =
        if about.is_empty() { "OrgInfo".to_owned() } else { format!("OrgInfo, {about}") };
    if off > 0 {
        about.push_str(&format!(
            "; {} not what follows",
            if off == 1 { "1 count is".into() } else { format!("{off} counts are") }
        ));
    }
    if has_dots(&message.octets, &explanation.tokens) {
        about.push_str("; dots for SP, as a network monitor prints it");
    }
    let grammar = "historic, version (5)";
    Explained { message, grammar, about, explanation, is_none: false }
}

/// Whether a dot stands between tokens.
fn has_dots(octets: &[u8], tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| {
        let end = pair[0].offset + pair[0].octets;
        octets.get(end..pair[1].offset).is_some_and(|between| between.contains(&b'.'))
    })
}

fn text_of<'m>(message: &'m Message, token: &Token) -> String {
    let octets: &'m [u8] =
        message.octets.get(token.offset..token.offset + token.octets).unwrap_or_default();
    octets.escape_ascii().to_string()
}

/// What is wrong with a count.
fn miscounted(token: &Token) -> Option<String> {
    token.counted.map(|(counted, octets)| format!("counts {counted} octets, has {octets}"))
}

fn words(explained: &Explained<'_>) -> String {
    let Explained { message, grammar, about, explanation, .. } = explained;
    let mut rows = vec![row([&"OCTET", &"TOKEN", &"WHAT", &"TRUST", &"MEANING"])];
    for token in &explanation.tokens {
        let text = text_of(message, token);
        let shown: String = if text.chars().count() > TOKEN_SHOWN {
            text.chars().take(TOKEN_SHOWN - 3).chain("...".chars()).collect()
        } else {
            text
        };
        let field = token.field;
        let note = miscounted(token).map_or_else(String::new, |note| format!("; {note}"));
        rows.push(row([
            &token.offset,
            &format!("{}{shown}", "  ".repeat(token.depth)),
            &field.name,
            &field.grounds.as_str(),
            &format!("{}{note}", field.meaning),
        ]));
    }
    let mut text = format!("{}: {grammar}, {about}\n{}", message.origin, table(&rows));
    if let Some(error) = explanation.error {
        text.push_str(&format!("malformed: {error}\n"));
    }
    text
}

fn as_json(explained: &Explained<'_>) -> Value {
    let Explained { message, grammar, about, explanation, .. } = explained;
    let mut tokens = explanation.tokens.iter().peekable();
    let mut tree = Vec::new();
    while tokens.peek().is_some() {
        tree.push(node(message, &mut tokens));
    }
    json!({
        "origin": message.origin, "grammar": grammar, "about": about,
        "tokens": tree, "error": explanation.error,
    })
}

/// A token with those that stand deeper behind it.
fn node<'t>(
    message: &Message,
    tokens: &mut core::iter::Peekable<impl Iterator<Item = &'t Token>>,
) -> Value {
    let Some(token) = tokens.next() else { return Value::Null };
    let mut inside = Vec::new();
    while tokens.peek().is_some_and(|next| next.depth > token.depth) {
        inside.push(node(message, tokens));
    }
    let mut value = json!({
        "offset": token.offset, "octets": token.octets, "token": text_of(message, token),
        "name": token.field.name, "meaning": token.field.meaning,
        "trust": token.field.grounds.as_str(),
    });
    if let Some((counted, octets)) = token.counted {
        value["counted"] = json!({"counts": counted, "has": octets});
    }
    if !inside.is_empty() {
        value["inside"] = json!(inside);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::encode_frame;
    use crate::wire::group::Frame;
    use crate::wire::orginfo::encode_message;
    use crate::wire::record::{LinkPdu, Record};

    const PRINTED: &[u8] = include_bytes!("../../../tests/data/orginfo-as-printed.txt");

    fn message(octets: &[u8]) -> Message {
        messages(octets).0.remove(0)
    }

    fn find<'t>(text: &'t str, token: &str) -> &'t str {
        let line = text.lines().find(|line| line.contains(token));
        line.unwrap_or_else(|| panic!("{token} in {text}"))
    }

    #[test]
    fn the_packet_that_was_published_is_explained_with_its_wrong_counts() {
        let message = message(PRINTED);
        let explained = explained(&message);
        let text = words(&explained);
        assert!(
            text.contains("1 routing group, 2 members, 1 connector; 11 counts are not"),
            "{text}"
        );
        assert!(text.contains("dots for SP"), "{text}");
        assert!(find(&text, "{00000457}").contains("; counts 1111 octets, has 1098"), "{text}");
        let digest = find(&text, "a9c421ebe14f06710f6ab596345ac615");
        assert!(digest.contains(" known ") && digest.ends_with(" MD5 of the table"), "{digest}");
        assert!(find(&text, "2d07476703630a4d87a651498e2d73b9").contains("inferred"), "{text}");
        assert!(find(&text, "f0dcd868912f54479b26d729863bb825").contains("unknown"), "{text}");
        assert!(find(&text, "{13}RGR-65-02").ends_with("counts 19 octets, has 20"), "{text}");
        assert!(!text.contains("malformed"), "{text}");
        // Every octet that is no separator or closing parenthesis is in a token.
        let mut covered = vec![false; message.octets.len()];
        for token in &explained.explanation.tokens {
            covered[token.offset..token.offset + token.octets].fill(true);
        }
        let left = message.octets.iter().zip(&covered).filter(|(_, covered)| !**covered);
        assert!(left.clone().all(|(octet, _)| b".) \r\n".contains(octet)), "{text}");
    }

    #[test]
    fn an_error_has_its_octet_and_what_was_expected_there() {
        let text = String::from_utf8_lossy(PRINTED).replace(".BH.", ".BX.");
        let message = message(text.as_bytes());
        let explained = explained(&message);
        let error = explained.explanation.error.expect("BX is no keyword");
        assert_eq!(error.expected, "BH");
        assert_eq!(&message.octets[error.offset..error.offset + 2], b"BX");
        let shown = words(&explained);
        assert!(
            shown.ends_with(&format!("malformed: octet {}: expected BH\n", error.offset)),
            "{shown}"
        );
        assert!(shown.contains("address spaces"), "what was read before is explained: {shown}");
    }

    #[test]
    fn octets_of_no_grammar_are_no_packet() {
        for octets in
            [&b"\x8f\x00\xffnoise"[..], b"{0000000b}\x01\x02\x03\x04", b"hello world, how is it"]
        {
            let message = message(octets);
            let explained = explained(&message);
            assert!(explained.is_none, "{}", words(&explained));
            assert_eq!(as_json(&explained)["grammar"], "none");
        }
        let front = message(&PRINTED[..200]);
        assert!(!explained(&front).is_none, "the front of a packet is one");
    }

    fn record() -> Record {
        let answer = super::super::told::tests::answer(10, "DOWN", false);
        serde_json::from_value(answer["records"][0].clone()).expect("it is a record")
    }

    #[test]
    fn our_own_messages_are_explained_by_place() {
        let digest = crate::wire::message::Digest([7; 32]);
        let news = LinkPdu::news(digest, vec![record()]);
        let encoded = encode_message(core::slice::from_ref(&news)).expect("it is short");
        let of_smtp = message(encoded.as_bytes());
        let explained_smtp = explained(&of_smtp);
        let text = words(&explained_smtp);
        assert_eq!(explained_smtp.explanation.error, None, "{text}");
        for (token, what) in [
            ("{3}RG2 ", "group "),
            ("DOWN ", "state "),
            ("8a3e71c46d0f4b2e8c95f7a1d3b62202", "uuid"),
            ("NO ", "attached"),
        ] {
            assert!(find(&text, token).contains(what), "{token}: {text}");
        }
        assert!(!text.contains("element "), "every place has its name: {text}");

        let content = Frame::Link(news).encode().expect("it is short");
        let of_port = message(&encode_frame(&content));
        let explained_port = explained(&of_port);
        assert_eq!(explained_port.explanation.error, None);
        assert!(words(&explained_port).contains("a frame of the group port"));

        let broken = message(encoded.replace("STATE DOWN", "STATE LOST").as_bytes());
        let broken = explained(&broken).explanation;
        assert_eq!(broken.error.expect("LOST is no state").expected, "SP and UP or DOWN");
        let last = broken.tokens.last().expect("the front is explained");
        assert!(last.offset <= broken.error.expect("it is there").offset);
    }

    #[test]
    fn the_json_is_the_same_tree() {
        let message = message(PRINTED);
        let tree = as_json(&explained(&message));
        let group = &tree["tokens"].as_array().expect("tokens")[2];
        assert_eq!(group["name"], "routing group");
        assert_eq!(group["inside"][0]["token"], "a2a0f896d197b84999557850ac796258");
        assert_eq!(tree["tokens"][0]["counted"], json!({"counts": 1111, "has": 1098}));
        assert_eq!(tree["error"], Value::Null);
    }
}
