//! Reads the vector files: tables of lines and the answers that they must get.
//!
//! A vector is a conversation of a few lines; only the answer to the last one is in question. The
//! lines before it must be accepted, and the fence behind it shows that the connection is alive, so
//! that neither a deaf nor a parroting peer passes. A frame that must be refused ends the connection;
//! there the twin alone tells a deaf peer from a strict one.

mod file;

use std::collections::BTreeMap;

use file::{Before, File, Outcome, PortName, Protocol, SeatName, Step, Vector};

use crate::case::Case;
use crate::net::Port;
use crate::script::{Script, Seat, frame};
use crate::smtp::Want;

const FILES: [(&str, &str); 10] = [
    ("smtp-commands.json", include_str!("../../vectors/smtp-commands.json")),
    ("smtp-order.json", include_str!("../../vectors/smtp-order.json")),
    ("submit.json", include_str!("../../vectors/submit.json")),
    ("link2state.json", include_str!("../../vectors/link2state.json")),
    ("link-chunks.json", include_str!("../../vectors/link-chunks.json")),
    ("link-records.json", include_str!("../../vectors/link-records.json")),
    ("link-trace.json", include_str!("../../vectors/link-trace.json")),
    ("group-port.json", include_str!("../../vectors/group-port.json")),
    ("group-pdus.json", include_str!("../../vectors/group-pdus.json")),
    ("deliver.json", include_str!("../../vectors/deliver.json")),
];
/// The most characters of a line that a title quotes.
const QUOTED: usize = 80;

/// All vectors by their ids, each with its file.
type Index<'a> = BTreeMap<&'a str, (&'a File, &'a Vector)>;

/// The cases of all vectors.
pub(crate) fn cases() -> Result<Vec<Case>, String> {
    let mut files = Vec::new();
    for (name, text) in FILES {
        files.push((name, file::read(text).map_err(|problem| format!("{name}: {problem}"))?));
    }
    let by_id: Index<'_> = files
        .iter()
        .flat_map(|(_, file)| file.vectors.iter().map(move |v| (v.id.as_str(), (file, v))))
        .collect();
    let mut all = Vec::new();
    for (name, file) in &files {
        for vector in &file.vectors {
            let wrong = |problem: String| format!("{name}: {}: {problem}", vector.id);
            check_twin(&by_id, file, vector).map_err(wrong)?;
            all.push(case(file, vector).map_err(wrong)?);
        }
    }
    Ok(all)
}

/// That every negative vector has a twin is demanded of all cases; here the twin is looked at.
fn check_twin(by_id: &Index<'_>, file: &File, vector: &Vector) -> Result<(), String> {
    let Some(name) = &vector.twin else { return Ok(()) };
    let Some((theirs, twin)) = by_id.get(name.as_str()).copied() else {
        return Err(format!("there is no vector {name}"));
    };
    match file.no_twin(vector, theirs, twin) {
        Some(problem) => Err(format!("its twin {name} {problem}")),
        None => Ok(()),
    }
}

fn case(file: &File, vector: &Vector) -> Result<Case, String> {
    let seat = vector.seat.unwrap_or(file.seat);
    let script = match file.port {
        PortName::Group => frames(vector, seat),
        PortName::Smtp | PortName::Deliver => lines(file, vector, seat),
    }?;
    let why = vector.why.as_ref().unwrap_or(&vector.flag);
    let mut title = format!("{why}: `{}`", vector.line.escape_debug());
    if title.chars().count() > QUOTED {
        title = title.chars().take(QUOTED).chain("…`".chars()).collect();
    }
    let verifies: Vec<&str> = vector.verifies.iter().map(String::as_str).collect();
    let mut case = Case::script(&vector.id, &title, profile(file.protocol), script);
    case = case.verifies(&verifies);
    case.twin.clone_from(&vector.twin);
    case.is_vector = true;
    Ok(case)
}

/// A conversation in lines.
fn lines(file: &File, vector: &Vector, seat: SeatName) -> Result<Script, String> {
    let class = class_of(&vector.reply, vector.result)?;
    let port = if file.port == PortName::Smtp { Port::Smtp } else { Port::Deliver };
    let mut script = Script::new(of(seat), port).reply("greeting", Want::code(220));
    if (of(seat), port) == (Seat::Member, Port::Smtp) {
        script = script.secure(if vector.before.is_empty() { "answer" } else { "before-0" });
    }
    for (place, before) in vector.before.iter().enumerate() {
        script = line_before(script, before, &format!("before-{place}"))?;
    }
    if let (Outcome::Invalid, Some(content)) = (vector.result, &vector.content) {
        // Whether the line or what follows it is refused, is the server's affair.
        let script = script.line(&vector.line);
        return Ok(script.offer_refused("answer", content.as_bytes(), Want::class(class)).fence());
    }
    script = script.ask(&vector.line, "answer", Want::class(class));
    if vector.line.eq_ignore_ascii_case("QUIT") && class == 2 {
        return Ok(script.closed("closed"));
    }
    if class == 3 {
        const LETTER: &str = "Subject: conformance\r\n\r\ntext\r\n.\r\n";
        let content = vector.content.as_deref().unwrap_or(LETTER);
        script = script.send(content.as_bytes()).reply("content", Want::class(2));
    }
    Ok(script.fence())
}

fn line_before(script: Script, before: &Before, check: &str) -> Result<Script, String> {
    let (line, refused) = before.line();
    let Before::Step(Step { reply, content, times, .. }) = before else {
        return Ok(script.ask(line, check, Want::class(if refused { 5 } else { 2 })));
    };
    let class = class_of(reply.as_deref().unwrap_or("2yz"), Outcome::Valid)?;
    let script = match times {
        Some(times) => {
            let line = format!("{line}\r\n");
            script.repeat(line.as_bytes(), *times, check, Want::class(class))
        }
        None => script.ask(line, check, Want::class(class)),
    };
    Ok(match content {
        Some(content) => {
            script.send(content.as_bytes()).reply(&format!("{check}-content"), Want::class(2))
        }
        None => script,
    })
}

fn class_of(reply: &str, result: Outcome) -> Result<u16, String> {
    match (reply, result) {
        ("2yz", Outcome::Valid) => Ok(2),
        ("3yz", Outcome::Valid) => Ok(3),
        ("5yz", Outcome::Invalid) => Ok(5),
        (reply, result) => Err(format!("{result:?} with {reply}")),
    }
}

/// A conversation in counted frames: what must be accepted is answered, or heard in silence, and a report or a question
/// behind it is answered all the same; what must be refused ends the connection.
fn frames(vector: &Vector, seat: SeatName) -> Result<Script, String> {
    let mut script = Script::new(of(seat), Port::Group);
    if seat == SeatName::Outside {
        // Who is no member is thrown out at once, and does not come to say what a member says there.
        return Ok(script.gone("answer"));
    }
    script = script.frame("greeting", " NODEINFO (6) {");
    for (place, before) in vector.before.iter().enumerate() {
        let reply = match before {
            Before::Step(Step { reply: Some(reply), content: None, times: None, .. }) => reply,
            Before::Line(_) => "heard",
            Before::Step(_) => return Err("a frame has a line and a reply, no more".into()),
        };
        script = script.send(before.line().0.as_bytes());
        script = answered(script, reply, &format!("before-{place}"))?;
    }
    script = script.send(vector.line.as_bytes());
    match (vector.reply.as_str(), vector.result) {
        ("closed", Outcome::Invalid) => Ok(script.gone("answer")),
        (reply, Outcome::Valid) => {
            let script = answered(script, reply, "answer")?;
            if matches!(reply, "asking" | "VERIFIED") {
                let question = frame(" VERIFY f SENDER {10}ann@example.test 0 1\r\n");
                return Ok(script.send(question.as_bytes()).frame("fence-verified", " VERIFIED f"));
            }
            let script = script.send(frame(" REPORT ()\r\n").as_bytes());
            Ok(script.frame("fence-reported", " REPORTED "))
        }
        (reply, result) => Err(format!("{result:?} with {reply}")),
    }
}

fn answered(script: Script, reply: &str, check: &str) -> Result<Script, String> {
    match reply {
        "heard" | "asking" => Ok(script),
        "REPORTED" | "MERGED" | "VERIFIED" | "MEMBERS" => {
            Ok(script.frame(check, &format!(" {reply} ")))
        }
        _ => Err(format!("`{reply}` is no answer on the group port")),
    }
}

const fn of(seat: SeatName) -> Seat {
    match seat {
        SeatName::Outside => Seat::Outside,
        SeatName::Member => Seat::Member,
        SeatName::Fellow => Seat::Fellow,
    }
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

    use super::file::{self, File, Vector};
    use super::{FILES, cases};

    #[test]
    fn every_vector_reads_and_ids_stand_once() {
        let all = cases().expect("the vectors of this version read");
        let ids: BTreeSet<_> = all.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
        let of_link_state = all.iter().filter(|case| case.profile == "linkstate/core").count();
        assert!(of_link_state >= 800, "{of_link_state} vectors of LINK STATE");
        assert!(all.len() >= 1_150, "{} vectors", all.len());
    }

    fn find<'a>(file: &'a File, id: &str) -> &'a Vector {
        file.vectors.iter().find(|vector| vector.id == id).expect("the vector is there")
    }

    #[test]
    fn a_twin_differs_in_one_thing_and_is_accepted() {
        let order = file::read(FILES[1].1).expect("the file reads");
        let problem = |own: &str, twin: &str| {
            order.no_twin(find(&order, own), &order, find(&order, twin)).unwrap_or_default()
        };
        // DATA before MAIL, and DATA in its place.
        assert_eq!(problem("smtp-order-0010", "smtp-order-0014"), "");
        assert!(problem("smtp-order-0010", "smtp-order-0016").contains("differs in 2"));
        assert!(problem("smtp-order-0010", "smtp-order-0011").contains("refusal itself"));
        assert!(problem("smtp-order-0014", "smtp-order-0014").contains("differs in 0"));
        let submit = file::read(FILES[2].1).expect("the file reads");
        let elsewhere = order.no_twin(&order.vectors[0], &submit, &submit.vectors[0]);
        assert!(elsewhere.is_some_and(|problem| problem.contains("another seat")));
    }
}
