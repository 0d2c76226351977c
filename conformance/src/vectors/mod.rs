//! Reads the vector files: tables of lines and the answers that they must get.
//!
//! A vector is a conversation of a few lines; only the answer to the last one is in question. The
//! lines before it must be accepted, and the fence behind it shows that the connection is alive, so
//! that neither a deaf nor a parroting peer passes.

use serde::Deserialize;

use crate::case::Case;
use crate::net::Port;
use crate::script::{Script, Seat};
use crate::smtp::Want;

/// The only value of `schema` that this version reads.
const SCHEMA: u32 = 1;

const FILES: [(&str, &str); 5] = [
    ("smtp-commands.json", include_str!("../../vectors/smtp-commands.json")),
    ("smtp-order.json", include_str!("../../vectors/smtp-order.json")),
    ("submit.json", include_str!("../../vectors/submit.json")),
    ("link2state.json", include_str!("../../vectors/link2state.json")),
    ("deliver.json", include_str!("../../vectors/deliver.json")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    protocol: Protocol,
    seat: SeatName,
    port: PortName,
    count: usize,
    vectors: Vec<Vector>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Protocol {
    Smtp,
    Submit,
    LinkState,
    Deliver,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SeatName {
    Outside,
    Member,
    Fellow,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PortName {
    Smtp,
    Deliver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    id: String,
    flag: String,
    verifies: Vec<String>,
    before: Vec<String>,
    line: String,
    result: Outcome,
    reply: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Valid,
    Invalid,
}

/// The cases of all vectors.
pub(crate) fn cases() -> Result<Vec<Case>, String> {
    let mut all = Vec::new();
    for (name, text) in FILES {
        let file: File = serde_json::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        if file.schema != SCHEMA || file.count != file.vectors.len() {
            let (schema, count) = (file.schema, file.vectors.len());
            return Err(format!("{name}: schema {schema}, {count} vectors: not what it declares"));
        }
        for vector in &file.vectors {
            all.push(case(&file, vector).map_err(|problem| format!("{name}: {problem}"))?);
        }
    }
    Ok(all)
}

fn case(file: &File, vector: &Vector) -> Result<Case, String> {
    let class = match (vector.reply.as_str(), vector.result) {
        ("2yz", Outcome::Valid) => 2,
        ("3yz", Outcome::Valid) => 3,
        ("5yz", Outcome::Invalid) => 5,
        (reply, result) => return Err(format!("{}: {result:?} with {reply}", vector.id)),
    };
    let mut script = opening(file, vector);
    for (place, line) in vector.before.iter().enumerate() {
        // A line that must be refused on the way stands behind an exclamation mark.
        let (line, class) = line.strip_prefix("! ").map_or((line.as_str(), 2), |line| (line, 5));
        script = script.ask(line, &format!("before-{place}"), Want::class(class));
    }
    script = script.ask(&vector.line, "answer", Want::class(class));
    let script = match (vector.line.as_str(), class) {
        (line, 2) if line.eq_ignore_ascii_case("QUIT") => script.closed("closed"),
        (_, 3) => script
            .send(b"Subject: conformance\r\n\r\ntext\r\n.\r\n")
            .reply("content", Want::class(2))
            .fence(),
        _ => script.fence(),
    };
    let title = format!("{}: `{}`", vector.flag, vector.line.escape_debug());
    let mut case = Case::script(&vector.id, &title, profile(file.protocol), script);
    let verifies: Vec<&str> = vector.verifies.iter().map(String::as_str).collect();
    case = case.verifies(&verifies);
    case.is_vector = true;
    Ok(case)
}

fn opening(file: &File, vector: &Vector) -> Script {
    let seat = match file.seat {
        SeatName::Outside => Seat::Outside,
        SeatName::Member => Seat::Member,
        SeatName::Fellow => Seat::Fellow,
    };
    let port = match file.port {
        PortName::Smtp => Port::Smtp,
        PortName::Deliver => Port::Deliver,
    };
    let script = Script::new(seat, port).reply("greeting", Want::code(220));
    if (seat, port) != (Seat::Member, Port::Smtp) {
        return script;
    }
    script.secure(if vector.before.is_empty() { "answer" } else { "before-0" })
}

const fn profile(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Smtp => "smtp/server",
        Protocol::Submit => "submit/receiver",
        Protocol::LinkState => "linkstate/core",
        Protocol::Deliver => "deliver/receiver",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::cases;

    #[test]
    fn every_vector_reads_and_ids_stand_once() {
        let all = cases().expect("the vectors of this version read");
        let ids: BTreeSet<_> = all.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
        assert!(all.len() >= 300, "{} vectors", all.len());
    }
}
