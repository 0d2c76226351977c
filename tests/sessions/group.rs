//! The group port, from both ends.

use bridgehead::protocol::member::{Endpoint, Port, Security};

use crate::stage::Stage;

const ATTACH: &str = r"C=  ATTACH {5}rg2-b\r\n";
const ONES: &str = "0101010101010101010101010101010101010101010101010101010101010101";

fn master() -> Stage {
    let mut stage = Stage::accept(Security::Address, Port::Group, Some("rg2-b"));
    stage.play(
        r"S=  NODEINFO (6) {21}Version: 1 Bridgehead rg2-a ready\r\n
          ? Frame(1024)",
    );
    stage
}

/// SM-080: attach, then frames both ways.
#[test]
fn a_member_attaches() {
    let mut stage = master();
    stage.play(&format!(
        r#"{ATTACH}
           ? Frame(4194304)
           M> inbound rg2-b Group
           C=  REPORT ( {{7}}RG2-RG1 UP )\r\n
           ? Frame(4194304)
           M> {{"link":{{"report":{{"states":[["RG2-RG1","UP"]]}}}}}}
           M< {{"link":{{"reported":{{"term":{{"counter":1,"member":"rg2-a","nonce":2}}}}}}}}
           S=  REPORTED 1 {{5}}rg2-a 2\r\n
           M< {{"link":{{"news":{{"digest":"{ONES}","records":[]}}}}}}
           S=  NEWS {ONES} ()\r\n
           M. close
           . close"#
    ));
}

/// SM-080, SM-082: everything but ATTACH, CONSULT, CONVENE or TENANT of the proved member closes.
#[test]
fn anything_else_closes() {
    for first in [
        r"C=  ATTACH {5}rg2-a\r\n",
        r"C=  CONVENE {5}rg2-a\r\n",
        r"C=  REPORT ()\r\n",
        "C=  FROBNICATE",
        "C~ hello there",
    ] {
        let mut stage = master();
        stage.play(&format!("{first}\n. close"));
    }
    let mut stage = master();
    stage.play(&format!(
        "{ATTACH}\n? Frame(4194304)\nM> inbound rg2-b Group\n{ATTACH}\n. close\nM> link Lost"
    ));
}

/// SM-018: the log says where a frame is malformed, in its count or in its content, and what came there.
#[test]
fn the_log_says_where_a_frame_is_malformed() {
    for (said, told) in [
        (r"GET / HTTP/1.1\r\nHost: x", r"octet 0: expected `{`, got `GET / HTTP/1.1\r\nHost: x`"),
        (r"{0000zz10}  ATTACH", "octet 5: expected a hexadecimal digit, got `{0000zz10}  ATTACH`"),
        (r"{00000010)  ATTACH", "octet 9: expected `}`, got `{00000010)  ATTACH`"),
        ("{ffffffff}x", "octet 1: expected a length within the limit, got `{ffffffff}x`"),
        (
            r"{0000000e} ATTACH {9}a\r\n",
            r"octet 14: expected the whole of a counted string, got ` ATTACH {9}a\r\n`",
        ),
    ] {
        let mut stage = master();
        stage.show_events = true;
        stage.play(&format!("C~ {said}\nE: LINKSTATE {told}\n. close\nE: LINKSTATE closed"));
    }
}

/// MA-022, SM-082: a first frame that says more than a name is refused by its count, at either end, and
/// so is one that stands before the greeting.
#[test]
fn a_first_frame_is_short() {
    let mut stage = master();
    stage.show_events = true;
    stage.play(
        "C~ {00000401} ATTACH\nE: LINKSTATE octet 1: expected a length within the limit, got \
         `{00000401} ATTACH`\n. close\nE: LINKSTATE closed",
    );
    let open = || Stage::open(Security::Address, Endpoint::Group("rg1-b".into()));
    let mut stage = open();
    stage.play("? Frame(1024)\nS~ {00000401} NODEINFO\n. close\nM> link Refused");
    for first in [r"S=  REPORTED 1 {5}rg1-b 2\r\n", r"S=  ATTACH {5}rg1-b\r\n", "S~ hello there"] {
        let mut stage = open();
        stage.play(&format!("? Frame(1024)\n{first}\n. close\nM> link Refused"));
    }
    // Behind ATTACH a frame may be as long as a table.
    let mut stage = master();
    stage.play(&format!("{ATTACH}\n? Frame(4194304)\nM> inbound rg2-b Group\nC~ {{00000401}} NE"));
}

/// SM-083: who is no proved member hears nothing.
#[test]
fn a_stranger_is_not_greeted() {
    let mut stage = Stage::accept(Security::Tls, Port::Group, None);
    stage.play(". close");
}

/// SM-081: the same from the other end.
#[test]
fn we_attach() {
    let endpoint = || Endpoint::Group("rg1-b".into());
    let greeting = r"S=  NODEINFO (6) {21}Version: 1 Bridgehead rg1-b ready\r\n";
    let mut stage = Stage::open(Security::Address, endpoint());
    stage.play(&format!(
        r#"? Frame(1024)
           {greeting}
           C=  ATTACH {{5}}rg1-a\r\n
           ? Frame(4194304)
           M> link Up
           M< {{"link":{{"report":{{"states":[]}}}}}}
           C=  REPORT ()\r\n
           + lost
           M> link Lost"#
    ));
    let mut stage = Stage::open(Security::Address, endpoint());
    stage.play(
        r"? Frame(1024)
          S=  NODEINFO (6) {21}Version: 1 Bridgehead rg1-x ready\r\n
          . close
          M> link Refused",
    );
    let mut stage = Stage::open(Security::Address, endpoint());
    stage.play("? Frame(1024)\n+ timer\n. close\nM> link TimedOut");
}

/// SM-095, WI-047: who has come to ask is answered in any order, and is not attached.
#[test]
fn a_member_asks_about_accounts() {
    const CONSULT: &str = r"C=  CONSULT {5}rg2-b\r\n";
    let mut stage = master();
    stage.play(&format!(
        r#"{CONSULT}
           ? Frame(4194304)
           C=  VERIFY 0 RECIPIENT {{10}}anna@example.org 0\r\n
           ? Frame(4194304)
           M> {{"verify":{{"verify":{{"id":0,"question":{{"recipient":{{"account":"anna@example.org","octets":0}}}}}}}}}}
           C=  VERIFY 1 SENDER {{10}}bert@example.org 0 2\r\n
           ? Frame(4194304)
           M> {{"verify":{{"verify":{{"id":1,"question":{{"sender":{{"account":"bert@example.org","octets":0,"recipients":2}}}}}}}}}}
           M< {{"verify":{{"verified":{{"id":1}}}}}}
           S=  VERIFIED 1\r\n
           M< {{"verify":{{"refused":{{"id":0,"refusal":{{"code":450,"status":"4.2.1","text":"not now"}}}}}}}}
           S=  REFUSED 0 450 4.2.1 {{9}}not+20now\r\n
           C=  REPORT ()\r\n
           . close
           M> link Lost"#
    ));
    let mut stage = master();
    stage.play("C=  CONSULT {5}rg2-a\\r\\n\n. close");
    let mut stage = master();
    stage.play(&format!(
        "{ATTACH}\n? Frame(4194304)\nM> inbound rg2-b Group\nC=  VERIFY 0 RECIPIENT {{10}}anna@example.org 0\\r\\n\n. close\nM> link Lost"
    ));
}

/// SM-095: the same from the other end; a member that does not know CONSULT closes, and is refused.
#[test]
fn we_ask_about_accounts() {
    let open = || {
        let mut stage = Stage::open(Security::Address, Endpoint::Consult("rg1-b".into()));
        stage.play(
            r"? Frame(1024)
              S=  NODEINFO (6) {21}Version: 1 Bridgehead rg1-b ready\r\n
              C=  CONSULT {5}rg1-a\r\n
              ? Frame(4194304)
              M> link Up",
        );
        stage
    };
    let mut stage = open();
    stage.play(
        r#"M< {"verify":{"verify":{"id":0,"question":{"recipient":{"account":"bert@example.org","octets":9}}}}}
           C=  VERIFY 0 RECIPIENT {10}bert@example.org 9\r\n
           S=  VERIFIED 0\r\n
           ? Frame(4194304)
           M> {"verify":{"verified":{"id":0}}}
           S=  VERIFY 0 RECIPIENT {10}bert@example.org 9\r\n
           . close
           M> link Lost"#,
    );
    let mut stage = open();
    stage.play("+ lost\nM> link Lost");
}

/// MA-049: whoever convenes where we have no part is closed before it has said anything else.
#[test]
fn nobody_convenes_for_a_group_that_is_not_ours() {
    let mut stage = Stage::accept(Security::Address, Port::Group, Some("rg1-a"));
    stage.play(
        r"S=  NODEINFO (6) {21}Version: 1 Bridgehead rg2-a ready\r\n
          ? Frame(1024)
          C=  CONVENE {5}rg1-a\r\n
          . close",
    );
}

/// SM-134, WI-121: a candidate is answered and not attached; what is no word of an election closes.
#[test]
fn a_candidate_is_answered() {
    let convene = "C=  CONVENE {5}rg2-b\\r\\n\n? Frame(4194304)";
    let mut stage = master();
    stage.play(&format!(
        r#"{convene}
           C=  POLL 7 3 {{5}}rg2-b 9\r\n
           ? Frame(4194304)
           M> {{"election":{{"by":"rg2-b","pdu":{{"poll":{{"round":7,"term":{{"counter":3,"member":"rg2-b","nonce":9}}}}}}}}}}
           M< {{"election":{{"by":"rg1-a","pdu":{{"willing":{{"round":7}}}}}}}}
           S=  WILLING 7\r\n
           C=  REPORT ()\r\n
           . close
           M> link Lost"#
    ));
    let mut stage = master();
    stage.play(&format!("{convene}\nC=  ATTACH {{5}}rg2-b\\r\\n\n. close"));
}

/// SM-134: the same from the other end; a far end that does not know CONVENE closes, and is lost.
#[test]
fn we_convene() {
    let mut stage = Stage::open(Security::Address, Endpoint::Convene("rg1-b".into()));
    stage.play(
        r#"? Frame(1024)
           S=  NODEINFO (6) {21}Version: 1 Bridgehead rg1-b ready\r\n
           C=  CONVENE {5}rg1-a\r\n
           ? Frame(4194304)
           M> link Up
           M< {"election":{"by":"rg1-a","pdu":{"lead":{"round":8,"term":{"counter":3,"member":"rg1-a","nonce":9}}}}}
           C=  LEAD 8 3 {5}rg1-a 9\r\n
           S=  OBEYED 8\r\n
           ? Frame(4194304)
           M> {"election":{"by":"rg1-b","pdu":{"obeyed":{"round":8}}}}
           S=  REPORTED 1 {5}rg1-b 2\r\n
           . close
           M> link Lost"#,
    );
}

/// WI-130: a heartbeat behind ATTACH, and lists to it; everything else about the list closes.
#[test]
fn heartbeats_come_from_who_is_attached() {
    let heartbeat = r"C=  HEARTBEAT 2 ( {5}loads ) - LOCAL 1 0 SERVES -\r\n";
    let members = r"MEMBERS 1 {5}rg2-a 2 1 1 () ( {5}rg2-a ACTIVE - LOCAL 1 0 - )\r\n";
    let list = r#"{"members":{"members":{"version":{"term":{"counter":1,"member":"rg2-a","nonce":2},"number":1},"spoken":{"version":1,"features":[]},"members":[{"member":"rg2-a","presence":"active","standing":{"role":null,"policy":"local","weight":1,"load":0},"spoken":null}]}}}"#;
    let mut stage = master();
    stage.play(&format!(
        r#"{ATTACH}
           ? Frame(4194304)
           M> inbound rg2-b Group
           {heartbeat}
           ? Frame(4194304)
           M> {{"members":{{"heartbeat":{{"spoken":{{"version":2,"features":["loads"]}},"standing":{{"role":null,"policy":"local","weight":1,"load":0}},"drains":false,"known":null}}}}}}
           M< {list}
           S=  {members}
           C=  {members}
           . close
           M> link Lost"#
    ));
    for first in [heartbeat, &format!("C=  {members}")] {
        let mut stage = master();
        stage.play(&format!("{first}\n. close"));
    }
    let open = || {
        let mut stage = Stage::open(Security::Address, Endpoint::Group("rg1-b".into()));
        stage.play(
            r"? Frame(1024)
              S=  NODEINFO (6) {21}Version: 1 Bridgehead rg1-b ready\r\n
              C=  ATTACH {5}rg1-a\r\n
              ? Frame(4194304)
              M> link Up",
        );
        stage
    };
    let mut stage = open();
    stage.play(&format!("S=  {members}\n? Frame(4194304)\nM> {list}"));
    let mut stage = open();
    let heartbeat = heartbeat.replace("C=", "S=");
    stage.play(&format!("{heartbeat}\n. close\nM> link Lost"));
}
