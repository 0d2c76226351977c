//! Organizations around one node whose links are in question; everybody else is played.

use serde_json::{Value, json};

use super::{Blueprint, group, organization};

const ACCOUNTS: [(&str, &str); 4] =
    [("ann", "rg1-a"), ("carl", "rg1-c"), ("bob", "rg2-a"), ("cat", "rg3-a")];

/// Three groups with these edges, and who of them is master of RG1.
fn three(edges: &[(usize, usize, u32)], master: &str) -> Blueprint {
    let groups = [
        group(1, &["rg1-a", "rg1-c"], master),
        group(2, &["rg2-a"], "rg2-a"),
        group(3, &["rg3-a"], "rg3-a"),
    ];
    Blueprint {
        organization: organization(&groups, edges, &ACCOUNTS),
        policy: Value::Null,
        members: ["rg1-a", "rg1-c", "rg2-a", "rg3-a"].map(String::from).to_vec(),
        played: ["rg1-c", "rg2-a", "rg3-a"].map(String::from).to_vec(),
        consulted: false,
    }
}

/// Changes a connector of an organization.
fn with(mut blueprint: Blueprint, name: &str, field: &str, value: Value) -> Blueprint {
    for connector in blueprint.organization["connector"].as_array_mut().into_iter().flatten() {
        if connector["name"] == name {
            connector[field] = value.clone();
        }
    }
    blueprint
}

/// A node that is master and bridgehead, and two groups that are connected with it and with each other:
/// every connector has an alternative.
pub(crate) fn triangle() -> Blueprint {
    three(&[(1, 2, 10), (1, 3, 20), (2, 3, 10)], "rg1-a")
}

/// The same, where the way to RG2 by RG3 costs less than the straight one.
pub(crate) fn all_by_rg3() -> Blueprint {
    three(&[(1, 2, 50), (1, 3, 10), (2, 3, 10)], "rg1-a")
}

/// The same, where either way to RG2 costs as much.
pub(crate) fn even() -> Blueprint {
    three(&[(1, 2, 20), (1, 3, 10), (2, 3, 10)], "rg1-a")
}

/// The triangle, whose straight way to RG2 is for small messages only.
pub(crate) fn narrow() -> Blueprint {
    with(triangle(), "RG1-RG2", "size_limit_octets", json!(2_000))
}

/// The triangle, where RG2 has a second bridgehead that is tried behind the first one.
pub(crate) fn targets() -> Blueprint {
    let mut blueprint = triangle();
    blueprint.organization["group"][1]["members"] = json!(["rg2-a", "rg2-b"]);
    blueprint.members.push("rg2-b".into());
    blueprint.played.push("rg2-b".into());
    with(blueprint, "RG1-RG2", "targets", json!(["rg2-a", "rg2-b"]))
}

/// The triangle, where the fellow is the master, and answers on its group port.
pub(crate) fn led() -> Blueprint {
    let blueprint = three(&[(1, 2, 10), (1, 3, 20), (2, 3, 10)], "rg1-c");
    Blueprint { consulted: true, ..blueprint }
}

/// The triangle, where the fellow carries the connector to RG2, too.
pub(crate) fn shared() -> Blueprint {
    with(triangle(), "RG1-RG2", "sources", json!(["rg1-a", "rg1-c"]))
}

/// The same, where the fellow is the master.
pub(crate) fn led_shared() -> Blueprint {
    with(led(), "RG1-RG2", "sources", json!(["rg1-a", "rg1-c"]))
}

/// The triangle, where the connector to RG3 has two sources, and the node is the first one.
pub(crate) fn first_source() -> Blueprint {
    with(triangle(), "RG1-RG3", "sources", json!(["rg1-a", "rg1-c"]))
}

/// The same, where the node is the second one.
pub(crate) fn second_source() -> Blueprint {
    with(triangle(), "RG1-RG3", "sources", json!(["rg1-c", "rg1-a"]))
}

/// The triangle, where the node is the third source of the connector to RG3.
pub(crate) fn third_source() -> Blueprint {
    let blueprint = with(fellow_carries(), "RG1-RG2", "sources", json!(["rg1-a"]));
    with(blueprint, "RG1-RG3", "sources", json!(["rg1-c", "rg1-b", "rg1-a"]))
}

/// The triangle, where the connector to RG3 carries mail from six to seven each day.
pub(crate) fn scheduled() -> Blueprint {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let hours = json!([{"days": days, "from": "06:00", "to": "07:00"}]);
    with(triangle(), "RG1-RG3", "schedule", hours)
}

/// The same in the nights that begin on a Thursday, as virtual time does, or on a Saturday.
pub(crate) fn nightly() -> Blueprint {
    let hours = json!([{"days": ["thu", "sat"], "from": "22:00", "to": "06:00"}]);
    with(triangle(), "RG1-RG3", "schedule", hours)
}

/// Three groups in a triangle, with nobody played, where two members carry the connector from RG1 to RG2, and
/// two that from RG2 to RG3.
pub(crate) fn two_sources() -> Blueprint {
    let groups = [
        group(1, &["rg1-a", "rg1-b"], "rg1-b"),
        group(2, &["rg2-a", "rg2-b"], "rg2-b"),
        group(3, &["rg3-a"], "rg3-a"),
    ];
    let accounts = [("ann", "rg1-a"), ("cat", "rg3-a")];
    let blueprint = Blueprint {
        organization: organization(&groups, &[(1, 2, 10), (1, 3, 10), (2, 3, 10)], &accounts),
        policy: Value::Null,
        members: ["rg1-a", "rg1-b", "rg2-a", "rg2-b", "rg3-a"].map(String::from).to_vec(),
        played: Vec::new(),
        consulted: false,
    };
    let blueprint = with(blueprint, "RG1-RG2", "sources", json!(["rg1-a", "rg1-b"]));
    with(blueprint, "RG2-RG3", "sources", json!(["rg2-a", "rg2-b"]))
}

/// A member whose connectors are the only way to two groups, in a group of which the fellow is master.
pub(crate) fn stubs() -> Blueprint {
    Blueprint { consulted: true, ..three(&[(1, 2, 10), (1, 3, 20)], "rg1-c") }
}

/// The same, where the fellow carries the connector to RG2, too.
pub(crate) fn stubs_shared() -> Blueprint {
    with(stubs(), "RG1-RG2", "sources", json!(["rg1-a", "rg1-c"]))
}

/// The triangle, where records live for ten minutes.
pub(crate) fn short_lived() -> Blueprint {
    aging(triangle(), json!({"lifetime_s": 600}))
}

/// The same, refreshed every hundred seconds.
pub(crate) fn often_refreshed() -> Blueprint {
    aging(triangle(), json!({"lifetime_s": 600, "refresh_s": 100}))
}

/// The node is the master of a group whose record lives for ten minutes, and its fellow carries both
/// connectors.
pub(crate) fn leads_short_lived() -> Blueprint {
    aging(leads(), json!({"lifetime_s": 600}))
}

/// The triangle, with two glitch retries 30 s apart.
pub(crate) fn hasty() -> Blueprint {
    aging(triangle(), json!({"glitch_retry_s": 30, "glitch_retries": 2}))
}

/// [`stubs`], where what is broken is told as it is.
pub(crate) fn truthful_stubs() -> Blueprint {
    aging(stubs(), json!({"policy": "truth"}))
}

/// The triangle, where the first DOWN of a connector makes it suppressed.
pub(crate) fn penalized() -> Blueprint {
    aging(triangle(), json!({"damping": "rfc7196", "suppress_penalty": 1_000}))
}

/// The same, where the penalty is counted only.
pub(crate) fn counted() -> Blueprint {
    aging(triangle(), json!({"damping": "calculate-only", "suppress_penalty": 1_000}))
}

/// The triangle, where the straight way to RG2 is not for mail of carl's.
pub(crate) fn denied() -> Blueprint {
    with(triangle(), "RG1-RG2", "senders_denied", json!(["carl@example.test"]))
}

/// The diamond, where mail is spread over equal routes.
pub(crate) fn spread() -> Blueprint {
    aging(diamond(), json!({"spread": true}))
}

/// An organization that says this of its links.
pub(crate) fn aging(mut blueprint: Blueprint, link_state: Value) -> Blueprint {
    blueprint.organization["link_state"] = link_state;
    blueprint
}

/// The node is master, and only its fellows carry the connector to RG2: first one, then another.
pub(crate) fn fellow_carries() -> Blueprint {
    let mut blueprint = triangle();
    blueprint.organization["group"][0]["members"] = json!(["rg1-a", "rg1-b", "rg1-c"]);
    blueprint.members.push("rg1-b".into());
    blueprint.played.push("rg1-b".into());
    with(blueprint, "RG1-RG2", "sources", json!(["rg1-c", "rg1-b"]))
}

/// The node is the master, and its fellow carries both connectors.
pub(crate) fn leads() -> Blueprint {
    let blueprint = with(triangle(), "RG1-RG2", "sources", json!(["rg1-c"]));
    with(blueprint, "RG1-RG3", "sources", json!(["rg1-c"]))
}

/// Two ways of the same cost and length to a fourth group, whose mail is dan's.
pub(crate) fn diamond() -> Blueprint {
    let mut blueprint = three(&[(1, 2, 10), (1, 3, 10), (2, 4, 10), (3, 4, 10)], "rg1-a");
    if let Some(groups) = blueprint.organization["group"].as_array_mut() {
        groups.push(group(4, &["rg4-a"], "rg4-a"));
    }
    if let Some(accounts) = blueprint.organization["account"].as_array_mut() {
        accounts.push(json!({"address": "dan@example.test", "host": "rg4-a"}));
    }
    blueprint.members.push("rg4-a".into());
    blueprint.played.push("rg4-a".into());
    blueprint
}
