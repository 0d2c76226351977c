//! The group port for accounts that are leased, from both ends.

use bridgehead::protocol::member::{Endpoint, Port, Security};
use bridgehead::protocol::organization::LeaseSettings;

use crate::stage::Stage;

const GREETING: &str = r"S=  NODEINFO (6) {21}Version: 1 Bridgehead rg2-a ready\r\n
                          ? Frame(1024)";
const TENANT: &str = r"C=  TENANT {5}rg2-b\r\n
                       ? Frame(4194304)";
const CLAIM: &str = r"C=  CLAIM 7 3 {5}rg2-a 9 1e ( {10}dora@example.org )\r\n";
const LEASED: &str = r"LEASED 7 ( {10}dora@example.org 3 {5}rg2-a 9 1 ) ()\r\n";
/// The same, as custody says and hears it.
const CLAIMED: &str = r#"{"accounts":{"by":"rg2-b","pdu":{"claim":{"request":7,"term":{"counter":3,"member":"rg2-a","nonce":9},"account_lease_s":30,"accounts":["dora@example.org"]}}}}"#;
const GRANTED: &str = r#"{"accounts":{"by":"rg2-a","pdu":{"leased":{"request":7,"granted":[["dora@example.org",{"term":{"counter":3,"member":"rg2-a","nonce":9},"number":1}]],"refused":[]}}}}"#;

/// A member has called rg2-a, whose group leases accounts where that is said.
fn called_by(member: &str, leases: bool) -> Stage {
    let mut stage = Stage::accept(Security::Address, Port::Group, Some(member));
    if leases {
        stage.reload(|organization| {
            let group = organization.groups.iter_mut().find(|group| group.name.as_str() == "RG2");
            group.expect("a group").accounts =
                Some(LeaseSettings { account_lease_s: 30, store: None });
        });
    }
    stage.play(GREETING);
    stage
}

/// SM-135, WI-140: who has come for accounts is answered, and is not attached by it.
#[test]
fn sm_135_a_member_asks_for_accounts() {
    let mut stage = called_by("rg2-b", true);
    stage.play(&format!(
        r#"{TENANT}
           {CLAIM}
           ? Frame(4194304)
           M> {CLAIMED}
           M< {GRANTED}
           S=  {LEASED}
           C=  RETURN 3 {{5}}rg2-a 9 ( {{10}}dora@example.org 3 {{5}}rg2-a 9 1 )\r\n
           ? Frame(4194304)
           M> {{"accounts":{{"by":"rg2-b","pdu":{{"return":{{"term":{{"counter":3,"member":"rg2-a","nonce":9}},"holdings":[["dora@example.org",{{"term":{{"counter":3,"member":"rg2-a","nonce":9}},"number":1}}]]}}}}}}}}
           M. close
           . close"#
    ));
}

/// SM-080, SM-135: TENANT comes first, under the name that is proved.
#[test]
fn sm_135_other_first_frames_close() {
    for first in [
        r"C=  TENANT {5}rg2-a\r\n",
        r"C=  TENANT {5}rg1-b\r\n",
        r"C=  TENANT {5}rg2-x\r\n",
        r"C=  TENANT\r\n",
        CLAIM,
        &format!("C=  {LEASED}"),
        r"C=  DECLINED 7 -\r\n",
    ] {
        called_by("rg2-b", true).play(&format!("{first}\n. close"));
    }
}

/// SM-135, MA-097: members of other groups have no accounts here, and nobody has where none is leased.
#[test]
fn sm_135_nobody_asks_a_group_that_leases_nothing_to_it() {
    called_by("rg1-a", true).play("C=  TENANT {5}rg1-a\\r\\n\n. close");
    called_by("rg2-b", false).play("C=  TENANT {5}rg2-b\\r\\n\n. close");
}

/// SM-135, SM-082, WI-140: behind TENANT nothing is said but requests about accounts, and these nowhere else.
#[test]
fn sm_135_what_is_no_request_closes() {
    for said in [
        r"REPORT ()\r\n",
        r"ATTACH {5}rg2-b\r\n",
        r"TENANT {5}rg2-b\r\n",
        r"CONVENE {5}rg2-b\r\n",
        r"POLL 7 3 {5}rg2-b 9\r\n",
        r"VERIFY 0 RECIPIENT {10}anna@example.org 0\r\n",
        r"HEARTBEAT 2 () - LOCAL 1 0 SERVES -\r\n",
        LEASED,
        r"DECLINED 7 -\r\n",
        r"CLAIM 7 3 {5}rg2-a 9 12d ( {10}dora@example.org )\r\n",
        r"CLAIM 7 3 {5}rg2-a 9 1e ()\r\n",
    ] {
        called_by("rg2-b", true).play(&format!("{TENANT}\nC=  {said}\n. close"));
        // Custody hears that the connection is gone, where it has heard of it at all.
        called_by("rg2-b", true).play(&format!(
            "{TENANT}\n{CLAIM}\n? Frame(4194304)\nM> {CLAIMED}\nC=  {said}\n. close\nM> link Lost"
        ));
    }
    for (first, heard, lost) in [
        (r"ATTACH {5}rg2-b\r\n", "\nM> inbound rg2-b Group", "\nM> link Lost"),
        (r"CONSULT {5}rg2-b\r\n", "", ""),
        (r"CONVENE {5}rg2-b\r\n", "", ""),
    ] {
        called_by("rg2-b", true)
            .play(&format!("C=  {first}\n? Frame(4194304){heard}\n{CLAIM}\n. close{lost}"));
    }
}

/// SM-135, WI-140: the same from the other end; a far end that does not know TENANT closes, and is lost.
#[test]
fn sm_135_we_ask_for_accounts() {
    let open = || {
        let mut stage = Stage::open(Security::Address, Endpoint::Tenant("rg1-b".into()));
        stage.play(
            r#"? Frame(1024)
               S=  NODEINFO (6) {21}Version: 1 Bridgehead rg1-b ready\r\n
               C=  TENANT {5}rg1-a\r\n
               ? Frame(4194304)
               M> link Up
               M< {"accounts":{"by":"rg1-a","pdu":{"renew":{"request":8,"term":{"counter":3,"member":"rg1-b","nonce":9},"account_lease_s":300,"holdings":[["dora@example.org",{"term":{"counter":2,"member":"rg1-b","nonce":9},"number":5}]]}}}}
               C=  RENEW 8 3 {5}rg1-b 9 12c ( {10}dora@example.org 2 {5}rg1-b 9 5 )\r\n"#,
        );
        stage
    };
    open().play(
        r#"S=  LEASED 8 () ( {10}dora@example.org {5}rg1-c )\r\n
           ? Frame(4194304)
           M> {"accounts":{"by":"rg1-b","pdu":{"leased":{"request":8,"granted":[],"refused":[["dora@example.org","rg1-c"]]}}}}
           S=  DECLINED 9 -\r\n
           ? Frame(4194304)
           M> {"accounts":{"by":"rg1-b","pdu":{"declined":{"request":9,"known":null}}}}"#,
    );
    for said in [
        r"RETURN 3 {5}rg1-b 9 ( {10}dora@example.org 3 {5}rg1-b 9 1 )\r\n",
        r"CLAIM 7 3 {5}rg1-a 9 1e ( {10}dora@example.org )\r\n",
        r"OBEYED 8\r\n",
        r"VERIFIED 0\r\n",
        r"REPORTED 1 {5}rg1-b 2\r\n",
        r"LEASED 8 () ()\r\n",
    ] {
        open().play(&format!("S=  {said}\n. close\nM> link Lost"));
    }
    open().play("+ lost\nM> link Lost");
}
