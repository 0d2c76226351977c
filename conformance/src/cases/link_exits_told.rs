//! Exits in records: what a master publishes, what is told on, and what is not merged.

use super::link_exits::{exit, rg3, with_exits};
use super::link_peers::{
    RG2, RG3, TO_RG3, asking, leaves as leaves_in_order, link, opened, telling, tells_element,
    versioned,
};
use super::members::{NO_DIGEST, proved};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::organization::{leaves, triangle};
use crate::play::{Look, On, Play};

/// What the node answers to a query behind everything.
const TABLE: On = On::back("rg2", "200 ");

/// SHA-256 of what LS-003 writes of the record that [`cases`] tells, which stands in [`CANONICAL`].
const RECORD_DIGEST: &str = "a5cae2c573aba34d5ba115970094d9d97548b75b56fcf32fa183d05e7e580586";
#[cfg(test)]
const CANONICAL: &str = concat!(
    r#"{"group":"RG2","uuid":"00000000000000000000000000000002","version":{"term":{"counter":1,"#,
    r#""member":"rg2-a","nonce":1},"major":1,"minor":1,"user":0},"members":[["rg2-a",true]],"#,
    r#""connectors":[{"name":"RG2-RG1","to":"RG1","cost":10,"state":"UP","sources":["rg2-a"]},"#,
    r#"{"name":"RG2-RG3","to":"RG3","cost":10,"state":"UP","sources":["rg2-a"]}],"#,
    r#""exits":[{"name":"partner","spaces":["partner.example"],"cost":100,"sources":["rg2-a"],"#,
    r#""scope":"group","restrictions":{"size_limit_octets":2000,"priorities":["low"]}},"#,
    r#"{"name":"world","spaces":["*"],"cost":1,"sources":["rg2-a"]}]}"#,
);

fn full() -> String {
    let behind = " SCOPE GROUP RESTRICT ( SIZE 7d0 PRIORITY ( LOW ) )";
    with_exits(
        RG2,
        &[
            &exit("partner", "partner.example", "64", "rg2-a", behind),
            &exit("world", "*", "1", "rg2-a", ""),
        ],
    )
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    const FULL: &str = concat!(
        "EXITS ( {7}partner ( SPACES ( {f}partner.example ) COST 64 BH ( {5}rg2-a ) SCOPE GROUP ",
        "RESTRICT ( SIZE 7d0 PRIORITY ( LOW ) ) ) ",
        "{5}world ( SPACES ( {1}* ) COST 1 BH ( {5}rg2-a ) ) ) )",
    );
    const OWN: &str = ") EXITS ( {5}world ( SPACES ( {1}* ) COST 14 BH ( {5}rg1-a ) ) ) )";
    // A root that has another digest for each child is answered with the list of what is there.
    let inner = format!("( - INNER{} )", format!(" {NO_DIGEST}").repeat(16));
    let lists = format!(" NEWS {NO_DIGEST} () ( {inner} )");
    let told = |records: &[&str]| {
        opened(Play::over(triangle)).wait(SECOND).talk("peer", telling(records)).wait(SECOND)
    };
    vec![
        link(
            "link.exit.record.01",
            "A master publishes the exits of its group, with spaces, cost and sources",
            &["LS-210", "WI-102"],
            opened(Play::over(leaves))
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Some("own-exit", TABLE.with(OWN))),
        ),
        link(
            "link.exit.record.02",
            "A record with exits is merged, and told on as it is",
            &["LS-210", "WI-102", "LS-017"],
            told(&[&full()])
                .talk("rg2", asking())
                .look(Look::Some("in-the-table", TABLE.with(FULL)))
                .look(Look::Some("told-on", On::said(TO_RG3, "X-LINK2STATE LAST ").with(FULL))),
        ),
        link(
            "link.exit.record.03",
            "The digest of a record with exits is that of its canonical encoding",
            &["LS-003", "LS-210", "LS-121"],
            told(&[&full()])
                .talk("rg2", leaves_in_order(tells_element(proved(), &lists, "compared")))
                .look(Look::Some("the-digest", TABLE.with(RECORD_DIGEST))),
        ),
        unmerged("link.exit.record.04", "exits out of order", {
            let exits = ["world", "partner"].map(|name| exit(name, "*", "1", "rg3-a", ""));
            with_exits(RG3, &[&exits[0], &exits[1]])
        }),
        unmerged(
            "link.exit.record.05",
            "an address space that is none",
            rg3("Partner.example", "1"),
        ),
        unmerged("link.exit.record.06", "spaces of an exit out of order", {
            let spaces = "SPACES ( {f}partner.example {11}*.partner.example )";
            rg3("partner.example", "1").replacen("SPACES ( {f}partner.example )", spaces, 1)
        }),
        unmerged("link.exit.record.07", "33 spaces of an exit", {
            let spaces: Vec<String> = (0..33).map(|number| format!("{{3}}d{number:02}")).collect();
            rg3("*", "1").replacen("{1}*", &spaces.join(" "), 1)
        }),
        unmerged("link.exit.record.08", "65 exits", {
            let exits: Vec<String> = (0..65)
                .map(|number| exit(&format!("e{number:02}"), "*", "1", "rg3-a", ""))
                .collect();
            let exits: Vec<&str> = exits.iter().map(String::as_str).collect();
            with_exits(RG3, &exits)
        }),
    ]
}

fn unmerged(id: &str, what: &str, bad: String) -> Case {
    let clause = if what.contains("none") { "LS-212" } else { "LS-211" };
    let good = versioned(RG2, "1 {5}rg2-a 1 1 1 0");
    let play = opened(Play::over(triangle))
        .wait(SECOND)
        .talk("first", telling(&[&bad, &good]))
        .talk("rg2", asking())
        .look(Look::Never("not-merged", TABLE.with(" EXITS "), None))
        .look(Look::Some("the-old-one", TABLE.with("{3}RG3 1 {5}rg3-a 1 1 0 0")))
        .look(Look::Some("the-other-of-the-news", TABLE.with("1 {5}rg2-a 1 1 1 0")));
    let title = format!("A record with {what} is not merged; what stands beside it is");
    link(id, &title, &[clause], play).twin("link.exit.record.02")
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::{CANONICAL, RECORD_DIGEST};
    use crate::event::hex;

    #[test]
    fn the_digest_is_that_of_the_canonical_encoding() {
        assert_eq!(hex(&Sha256::digest(CANONICAL)), RECORD_DIGEST);
    }
}
