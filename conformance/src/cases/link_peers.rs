//! What the cases of links share: records, and how the suite tells them and asks for them.

use super::handing_over::always;
use super::members::{NO_DIGEST, proved};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::organization::triangle;
use crate::play::{Answer, Cue, Digest, On, Play};
use crate::script::{Script, frame};
use crate::smtp::Want;

pub(super) const LINK: &str = "linkstate/core";
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const TO_RG2: &str = "RG1-RG2";
pub(super) const TO_RG3: &str = "RG1-RG3";
pub(super) const LAST: &str = "X-LINK2STATE LAST ";
/// Each message of news on a connector ends with a line like this.
pub(super) const NEWS_TO_RG2: On = On::said(TO_RG2, LAST).with(" NEWS ");
pub(super) const NEWS_TO_RG3: On = On::said(TO_RG3, LAST).with(" NEWS ");
/// What RG1 says of its connector to RG2.
pub(super) const RG2_DOWN: &str = "{7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a ) STATE DOWN )";
pub(super) const RG2_UP: &str = "{7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a ) STATE UP )";

/// What RG2 and RG3 say of themselves in the triangle.
pub(super) const RG2: &str = concat!(
    "( 00000000000000000000000000000002 {3}RG2 1 {5}rg2-a 1 1 0 0 ( {5}rg2-a YES ) ",
    "( {7}RG2-RG1 ( CONFIG {3}RG1 a BH ( {5}rg2-a ) STATE UP ) ",
    "{7}RG2-RG3 ( CONFIG {3}RG3 a BH ( {5}rg2-a ) STATE UP ) ) )",
);
pub(super) const RG3: &str = concat!(
    "( 00000000000000000000000000000003 {3}RG3 1 {5}rg3-a 1 1 0 0 ( {5}rg3-a YES ) ",
    "( {7}RG3-RG1 ( CONFIG {3}RG1 14 BH ( {5}rg3-a ) STATE UP ) ",
    "{7}RG3-RG2 ( CONFIG {3}RG2 a BH ( {5}rg3-a ) STATE UP ) ) )",
);

/// One of these records with another version.
pub(super) fn versioned(record: &str, version: &str) -> String {
    let plain = ["1 {5}rg2-a 1 1 0 0", "1 {5}rg3-a 1 1 0 0"];
    plain.iter().fold(record.to_owned(), |record, plain| record.replacen(plain, version, 1))
}

/// The members of the triangle as they know each other: after the first exchange all have one table.
pub(super) fn opened(play: Play) -> Play {
    play.opens(TO_RG2, Port::Smtp, knows(&[RG2])).opens(TO_RG3, Port::Smtp, knows(&[RG3]))
}

/// The triangle.
pub(super) fn triangular() -> Play {
    opened(Play::over(triangle))
}

/// Whoever is played has the table that it is told, and these records besides.
pub(super) fn knows(records: &'static [&'static str]) -> Vec<Cue> {
    vec![always(LAST, Answer::Merged(Digest::Same, records))]
}

/// On a connection of a member, tells records under a digest, and expects the answer as check `answer`.
pub(super) fn tells_under(script: Script, digest: &str, records: &[&str], answer: &str) -> Script {
    let list =
        if records.is_empty() { "()".to_owned() } else { format!("( {} )", records.join(" ")) };
    tells_element(script, &format!(" NEWS {digest} {list}"), answer)
}

/// The same with any element.
pub(super) fn tells_element(script: Script, element: &str, answer: &str) -> Script {
    let message = frame(&format!(" MULTI (6) ({})", frame(element)));
    let mut script = script;
    let mut rest = message.as_str();
    let mut mark = "FIRST";
    while rest.len() > 900 {
        let (chunk, later) = rest.split_at(900);
        let line = format!("X-LINK2STATE {mark} CHUNK={chunk}");
        script = script.ask(&line, &format!("{answer}-{}", later.len()), Want::code(200));
        (mark, rest) = ("NEXT", later);
    }
    if mark == "FIRST" {
        script = script.ask("X-LINK2STATE FIRST CHUNK=", &format!("{answer}-0"), Want::code(200));
    }
    script.ask(
        &format!("X-LINK2STATE LAST CHUNK={rest}"),
        answer,
        Want::code(200).keyword("FIRST").keyword("LAST"),
    )
}

/// The same, as somebody whose table is another one.
pub(super) fn tells(script: Script, records: &[&str], answer: &str) -> Script {
    tells_under(script, NO_DIGEST, records, answer)
}

/// As rg2-a: tells records.
pub(super) fn telling(records: &[&str]) -> Script {
    leaves(tells(proved(), records, "merged"))
}

/// As rg2-a: asks for the table.
pub(super) fn asking() -> Script {
    leaves(tells(proved(), &[], "table"))
}

/// Ends a conversation in order.
pub(super) fn leaves(script: Script) -> Script {
    script.ask("QUIT", "farewell", Want::code(221)).closed("closed")
}

/// A frame of news on the group port.
pub(super) fn news_frame(digest: &str, records: &[&str]) -> String {
    let list =
        if records.is_empty() { "()".to_owned() } else { format!("( {} )", records.join(" ")) };
    frame(&format!(" NEWS {digest} {list}\r\n"))
}

/// A case of LINK STATE.
pub(super) fn link(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, LINK, play).verifies(verifies)
}

#[cfg(test)]
mod tests {
    use super::{RG2, versioned};

    #[test]
    fn a_record_gets_another_version() {
        let other = versioned(RG2, "7 {5}rg2-b 2 3 4 5");
        assert!(
            other.starts_with("( 00000000000000000000000000000002 {3}RG2 7 {5}rg2-b 2 3 4 5 ( ")
        );
        assert_eq!(versioned(RG2, "1 {5}rg2-a 1 1 0 0"), RG2);
    }
}
