//! By which exit mail leaves the organization, and when it waits for one.

use super::handing_over::{TO_CARL, client, client_with, once};
use super::link_group::RG1;
use super::link_peers::{
    MINUTE, RG2, RG3, TO_RG2, TO_RG3, knows, link, opened, telling, versioned,
};
use crate::case::Case;
use crate::cluster::{HOUR, SECOND, SMART_HOST_LINK};
use crate::net::{Port, Rule};
use crate::organization::{
    Blueprint, fellow_leaves, leaves, leaves_elsewhere, leaves_hosted, leaves_or_smart_host,
    led_leaves, triangle,
};
use crate::play::{Answer, Look, On, Play};
use crate::script::Script;
use crate::smtp::Want;

/// The link to the server behind the node's own exit.
const WORLD: &str = "world";
const BY_WORLD: On = On::said(WORLD, "RCPT TO:");
const BY_RG2: On = On::said(TO_RG2, "X-SUBMIT OFFER ");
const BY_RG3: On = On::said(TO_RG3, "X-SUBMIT OFFER ");
const BY_SMART_HOST: On = On::said(SMART_HOST_LINK, "RCPT TO:");
const TO_FIRST: On = On::said("rg1-a>rg1-c/smtp", "X-SUBMIT OFFER ");
const TO_SECOND: On = On::said("rg1-a>rg1-b/smtp", "X-SUBMIT OFFER ");
/// All ways on which mail could go.
const WAYS: [(&str, On); 3] =
    [("not-by-rg2", BY_RG2), ("not-by-rg3", BY_RG3), ("not-by-the-own-exit", BY_WORLD)];
const PARTNER: &str = "ann@partner.example";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = spaces();
    cases.extend(existing());
    cases.extend(least());
    cases.extend(sources());
    cases.extend(waiting());
    cases
}

/// An exit in a record; the cost as it stands there, and what stands behind the sources.
pub(super) fn exit(name: &str, space: &str, cost: &str, source: &str, behind: &str) -> String {
    let counted = |text: &str| format!("{{{:x}}}{text}", text.len());
    let (name, space, source) = (counted(name), counted(space), counted(source));
    format!("{name} ( SPACES ( {space} ) COST {cost} BH ( {source} ){behind} )")
}

/// The next version of a record, with exits.
pub(super) fn with_exits(record: &str, exits: &[&str]) -> String {
    let member = if record.contains("{3}RG3 1 ") { "rg3-a" } else { "rg2-a" };
    let record = versioned(record, &format!("1 {{5}}{member} 1 1 1 0"));
    let head = record.strip_suffix(" )").unwrap_or_default();
    format!("{head} EXITS ( {} ) )", exits.join(" "))
}

/// RG2 with one exit for a space, at a cost of 1 or as it is given.
fn rg2(space: &str, cost: &str, behind: &str) -> String {
    with_exits(RG2, &[&exit("partner", space, cost, "rg2-a", behind)])
}

/// RG3 likewise.
pub(super) fn rg3(space: &str, cost: &str) -> String {
    with_exits(RG3, &[&exit("partner", space, cost, "rg3-a", "")])
}

/// The play in which these records have come and routes are computed by them.
fn knowing(blueprint: fn() -> Blueprint, records: &[&str]) -> Play {
    opened(Play::over(blueprint)).wait(SECOND).talk("peer", telling(records)).wait(6 * SECOND)
}

fn to(address: &str) -> Script {
    client("<carl@example.test>", &[&format!("<{address}>")])
}

fn large() -> Script {
    client_with("<carl@example.test>", &[&format!("<{PARTNER}>")], &"all of it\r\n".repeat(400))
}

/// One way, and none of the others; what goes out by the own exit does not come back.
fn only(play: Play, way: On) -> Play {
    let play = play.wait(SECOND).look(Look::Count("this-way", way, 1));
    let others = WAYS.into_iter().filter(|(_, other)| *other != way);
    others.fold(play, |play, (check, other)| play.look(Look::Never(check, other, None)))
}

fn goes(id: &str, title: &str, verifies: &[&str], play: Play, way: On) -> Case {
    link(id, title, verifies, only(play, way)).twin("link.exit.01")
}

/// No way at all, for half an hour, and no notice.
fn waits(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    let play = WAYS.into_iter().fold(play.wait(30 * MINUTE), |play, (check, way)| {
        play.look(Look::Never(check, way, None))
    });
    let play = play.look(Look::NoNotice("not-returned", TO_CARL));
    link(id, title, verifies, play).twin("link.exit.01")
}

fn spaces() -> Vec<Case> {
    let own = || opened(Play::over(leaves)).wait(SECOND);
    let below = rg2("*.partner.example", "64", "");
    let both = [&below[..], &rg3("mail.partner.example", "64")];
    let nested =
        [&rg2("*.example", "1", "")[..], &rg3("*.partner.example", "64")].map(String::from);
    let nested = [&nested[0][..], &nested[1]];
    vec![
        link(
            "link.exit.01",
            "Mail for a domain outside leaves by the exit of the own group, to the server behind it",
            &["LS-214", "LS-216", "LS-217"],
            own()
                .talk("client", to(PARTNER))
                .wait(SECOND)
                .look(Look::Count("by-the-exit", BY_WORLD.with(PARTNER), 1))
                .look(Look::Count("content", On::said(WORLD, "Subject: conformance"), 1)),
        ),
        goes(
            "link.exit.02",
            "The most specific space wins, whatever its exit costs: over the connector to its group",
            &["LS-215", "LS-216"],
            knowing(leaves, &[&rg2("partner.example", "64", "")]).talk("client", to(PARTNER)),
            BY_RG2,
        ),
        goes(
            "link.exit.03",
            "A space that is a domain wins over one that is what is below a domain",
            &["LS-215", "LS-212"],
            knowing(leaves, &both).talk("client", to("ann@mail.partner.example")),
            BY_RG3,
        ),
        goes(
            "link.exit.04",
            "One that is a domain is not for another domain below the same one",
            &["LS-212", "LS-215"],
            knowing(leaves, &both).talk("client", to("ann@post.partner.example")),
            BY_RG2,
        ),
        goes(
            "link.exit.05",
            "What is below a domain is not the domain itself",
            &["LS-212"],
            knowing(leaves, &both).talk("client", to(PARTNER)),
            BY_WORLD,
        ),
        goes(
            "link.exit.06",
            "A domain that only ends in the same letters is not below it",
            &["LS-212"],
            knowing(leaves, &both).talk("client", to("ann@badpartner.example")),
            BY_WORLD,
        ),
        goes(
            "link.exit.07",
            "Of two spaces below a domain the longer one wins",
            &["LS-215"],
            knowing(leaves, &nested).talk("client", to("ann@mail.partner.example")),
            BY_RG3,
        ),
        goes(
            "link.exit.08",
            "Letters of a domain are compared without regard to case",
            &["LS-212"],
            knowing(leaves, &[&rg2("partner.example", "64", "")])
                .talk("client", to("ann@Partner.EXAMPLE")),
            BY_RG2,
        ),
        goes(
            "link.exit.09",
            "Mail for an account goes to its host, though an exit of another group covers its domain",
            &["LS-213"],
            knowing(leaves, &[&rg2("example.test", "1", "")]).talk("client", to("cat@example.test")),
            BY_RG3,
        ),
        goes(
            "link.exit.34",
            "A space that is a domain is not for what is below it",
            &["LS-212"],
            knowing(leaves, &[&rg2("partner.example", "1", "")])
                .talk("client", to("ann@mail.partner.example")),
            BY_WORLD,
        ),
        link(
            "link.exit.10",
            "Nobody of a domain of the organization is refused, though an exit of the node covers it",
            &["LS-213", "CU-001"],
            opened(Play::over(leaves_hosted)).wait(SECOND).talk(
                "client",
                Script::smtp(crate::script::Seat::Outside)
                    .ask("MAIL FROM:<carl@example.test>", "mail", Want::code(250))
                    .ask("RCPT TO:<nobody@example.test>", "refused", Want::code(550).status("5.1.1"))
                    .ask("QUIT", "farewell", Want::code(221))
                    .closed("closed"),
            ),
        )
        .twin("link.exit.01"),
    ]
}

fn existing() -> Vec<Case> {
    let small = rg2("partner.example", "1", " RESTRICT ( SIZE 7d0 )");
    // The ids of carl@example.test and of nobody in particular (LS-172).
    let (carl, other) = ("8134da52397fe44b", "0000000000000001");
    let for_senders = |word: &str, id: &str| {
        rg2("partner.example", "1", &format!(" RESTRICT ( {word} ( {id} ) )"))
    };
    vec![
        goes(
            "link.exit.11",
            "An exit that is for its group alone counts in another group as one that does not exist",
            &["LS-214"],
            knowing(leaves, &[&rg2("partner.example", "1", " SCOPE GROUP")])
                .talk("client", to(PARTNER)),
            BY_WORLD,
        ),
        goes(
            "link.exit.12",
            "A message above its size limit counts an exit as one that does not exist",
            &["LS-214"],
            knowing(leaves, &[&small]).talk("client", large()),
            BY_WORLD,
        ),
        goes(
            "link.exit.13",
            "A message below it does not",
            &["LS-214"],
            knowing(leaves, &[&small]).talk("client", to(PARTNER)),
            BY_RG2,
        ),
        goes(
            "link.exit.14",
            "Neither does one whose sender the exit denies use it",
            &["LS-214", "LS-171", "LS-172"],
            knowing(leaves, &[&for_senders("DENY", carl)]).talk("client", to(PARTNER)),
            BY_WORLD,
        ),
        goes(
            "link.exit.15",
            "Nor one whose sender is not among those that it allows",
            &["LS-214", "LS-171"],
            knowing(leaves, &[&for_senders("ALLOW", other)]).talk("client", to(PARTNER)),
            BY_WORLD,
        ),
        goes(
            "link.exit.16",
            "One whose sender is among them does",
            &["LS-214", "LS-171", "LS-172"],
            knowing(leaves, &[&for_senders("ALLOW", carl)]).talk("client", to(PARTNER)),
            BY_RG2,
        ),
        link(
            "link.exit.17",
            "When no exit exists mail goes to the smart host of the organization",
            &["LS-218"],
            only(
                opened(Play::over(leaves_or_smart_host)).wait(SECOND).talk("client", large()),
                BY_SMART_HOST,
            ),
        )
        .twin("link.exit.01"),
        link(
            "link.exit.18",
            "When one does it goes there, and not to the smart host",
            &["LS-218", "LS-214"],
            opened(Play::over(leaves_or_smart_host))
                .wait(SECOND)
                .talk("client", to(PARTNER))
                .wait(SECOND)
                .look(Look::Count("this-way", BY_WORLD, 1))
                .look(Look::Never("no-smart-host", BY_SMART_HOST, None)),
        )
        .twin("link.exit.01"),
    ]
}

fn least() -> Vec<Case> {
    let two = |one: &str, other: &str| {
        let records = [rg2("partner.example", one, ""), rg3("partner.example", other)];
        knowing(leaves, &[&records[0], &records[1]]).talk("client", to(PARTNER))
    };
    vec![
        goes(
            "link.exit.19",
            "Of two exits of the same space mail takes the one of the least sum: that of the farther group",
            &["LS-216"],
            // 10 and 12, 20 and 1.
            two("c", "1"),
            BY_RG3,
        ),
        goes(
            "link.exit.20",
            "Or that of the nearer group",
            &["LS-216"],
            // 10 and 10, 20 and 1.
            two("a", "1"),
            BY_RG2,
        ),
        goes(
            "link.exit.21",
            "Of two exits of one sum, and as many connectors away, the name of the group decides",
            &["LS-216"],
            // 10 and 11, 20 and 1.
            two("b", "1"),
            BY_RG2,
        ),
        goes(
            "link.exit.22",
            "Of two exits of one sum the one with fewer connectors before it wins: the own one has none",
            &["LS-216"],
            // 20, and 10 and 10.
            knowing(leaves, &[&rg2("*", "a", "")]).talk("client", to(PARTNER)),
            BY_WORLD,
        ),
        goes(
            "link.exit.23",
            "An exit of another group that costs less with its way than the own one wins",
            &["LS-216"],
            knowing(leaves, &[&rg2("*", "9", "")]).talk("client", to(PARTNER)),
            BY_RG2,
        ),
    ]
}

fn sources() -> Vec<Case> {
    let fellows =
        || Play::over(fellow_leaves).opens(TO_RG3, Port::Smtp, knows(&[RG2, RG3])).wait(SECOND);
    let unknown = with_exits(RG1, &[&exit("partner", "partner.example", "1", "rg1-a", "")]);
    let unknown = unknown.replacen("1 {5}rg1-c 1 1 0 0", "1 {5}rg1-c 1 1 1 0", 1);
    vec![
        link(
            "link.exit.24",
            "A member that does not carry the exit of its group hands mail to the first source",
            &["LS-217"],
            fellows()
                .talk("client", to(PARTNER))
                .wait(SECOND)
                .look(Look::Count("to-the-first", TO_FIRST, 1))
                .look(Look::Never("not-to-the-second", TO_SECOND, None)),
        )
        .twin("link.exit.01"),
        link(
            "link.exit.25",
            "When the first one cannot be reached mail goes to the second one at the next attempt",
            &["LS-217"],
            fellows()
                .rule("rg1-a>rg1-c/smtp", Rule::Refuse)
                .talk("client", to(PARTNER))
                .wait(HOUR)
                .look(Look::Count("to-the-second", TO_SECOND, 1)),
        ),
        waits(
            "link.exit.26",
            "A source whose own configuration does not name the server of the exit keeps the mail",
            &["LS-217"],
            opened(Play::over(led_leaves))
                .wait(SECOND)
                .talk("peer", telling(&[&unknown]))
                .wait(6 * SECOND)
                .talk("client", to(PARTNER)),
        ),
        link(
            "link.exit.27",
            "Mail waits at the source while the server of the exit does not take it, and takes no other exit",
            &["LS-215", "LS-217"],
            knowing(leaves, &[&rg2("*", "64", "")])
                .rule(WORLD, Rule::Refuse)
                .talk("client", to(PARTNER))
                .wait(30 * MINUTE)
                .rule(WORLD, Rule::Pass)
                .wait(HOUR)
                .look(Look::Count("by-the-exit", BY_WORLD, 1))
                .look(Look::Never("not-by-rg2", BY_RG2, None)),
        )
        .twin("link.exit.01"),
        link(
            "link.exit.28",
            "It waits likewise where the server answers that it cannot take mail now",
            &["LS-217", "CU-087"],
            opened(Play::over(leaves))
                .opens(WORLD, Port::Smtp, vec![once("MAIL", Answer::Say("451 4.3.0 not now"))])
                .wait(SECOND)
                .talk("client", to(PARTNER))
                .wait(HOUR)
                .look(Look::Count("taken-later", On::said(WORLD, "Subject: conformance"), 1))
                .look(Look::NoNotice("no-notice", TO_CARL)),
        )
        .twin("link.exit.01"),
    ]
}

/// A fourth group, which RG2 speaks of; it has the exit for the partner.
const RG4: &str = concat!(
    "( 00000000000000000000000000000004 {3}RG4 1 {5}rg4-a 1 1 0 0 ( {5}rg4-a YES ) ",
    "( {7}RG4-RG2 ( CONFIG {3}RG2 a BH ( {5}rg4-a ) STATE UP ) ) ",
    "EXITS ( {7}partner ( SPACES ( {f}partner.example ) COST 1 BH ( {5}rg4-a ) ) ) )",
);

/// RG2 with a connector to that group, in this state and under this minor number.
fn rg2_to_rg4(state: &str, minor: u32) -> String {
    let connector = "{7}RG2-RG4 ( CONFIG {3}RG4 a BH ( {5}rg2-a ) STATE ";
    let record = versioned(RG2, &format!("1 {{5}}rg2-a 1 1 {minor} 0"));
    let head = record.strip_suffix(" ) )").unwrap_or_default();
    format!("{head} {connector}{state} ) ) )")
}

fn waiting() -> Vec<Case> {
    let closed = || knowing(leaves, &[&rg2_to_rg4("DOWN", 1), RG4]).talk("client", to(PARTNER));
    let unheard = || {
        Play::over(leaves_elsewhere)
            .opens(TO_RG2, Port::Smtp, knows(&[RG2]))
            .opens(TO_RG3, Port::Smtp, knows(&[]))
            .wait(SECOND)
            .talk("client", to(PARTNER))
    };
    vec![
        waits(
            "link.exit.29",
            "While every way to the most specific exit is DOWN mail waits, and takes no other exit",
            &["LS-215", "LS-043"],
            closed(),
        ),
        goes(
            "link.exit.30",
            "It goes when the way to that exit is UP",
            &["LS-215"],
            closed()
                .wait(30 * MINUTE)
                .talk("later", telling(&[&rg2_to_rg4("UP", 2)]))
                .wait(6 * SECOND),
            BY_RG2,
        ),
        waits(
            "link.exit.31",
            "Mail that no exit permits waits where there is no smart host, and is not returned",
            &["LS-218"],
            knowing(triangle, &[&rg2("*", "1", " RESTRICT ( SIZE 7d0 )")]).talk("client", large()),
        ),
        waits(
            "link.exit.32",
            "Mail waits for the record of a group that has a more specific exit by the configuration",
            &["LS-219"],
            unheard(),
        ),
        goes(
            "link.exit.33",
            "It goes there when the record comes",
            &["LS-219", "LS-215"],
            unheard()
                .wait(10 * MINUTE)
                .talk("later", telling(&[&rg3("partner.example", "64")]))
                .wait(6 * SECOND),
            BY_RG3,
        ),
    ]
}
