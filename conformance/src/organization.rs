//! The organizations that the suite tests with, as its own data.

mod electing;
mod leaving;
mod linked;

pub(crate) use electing::{
    electing, electing_by, electing_last, electing_of_five, electing_refreshed, electing_second,
    electing_with_another, electing_with_witness, electing_without_us, leasing, leasing_by,
    leasing_without_us, witnessing,
};
pub(crate) use leaving::{
    fellow_leaves, leaves, leaves_elsewhere, leaves_hosted, leaves_or_smart_host, led_leaves,
};
pub(crate) use linked::{
    aging, all_by_rg3, counted, denied, diamond, even, fellow_carries, first_source, hasty, leads,
    leads_short_lived, led, led_shared, narrow, nightly, often_refreshed, penalized, scheduled,
    second_source, shared, short_lived, spread, stubs, stubs_shared, targets, third_source,
    triangle, truthful_stubs, two_sources,
};
use serde_json::{Value, json};

/// Stands in an organization for the address of a smart host that the suite plays.
pub(crate) const SMART_HOST: &str = "played";

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub(crate) struct Blueprint {
    /// `organization.toml`, as JSON.
    pub(crate) organization: Value,
    /// Policy of all nodes; `Null` leaves the defaults.
    pub(crate) policy: Value,
    /// The members, in order; the place gives the address.
    pub(crate) members: Vec<String>,
    /// The members that the suite plays itself.
    pub(crate) played: Vec<String>,
    /// Whether those answer on their group ports, too; otherwise nobody is there.
    pub(crate) consulted: bool,
}

impl Blueprint {
    /// The third octet of a member's address.
    pub(crate) fn place(&self, member: &str) -> Option<u8> {
        let place = self.members.iter().position(|name| name == member)?;
        u8::try_from(place + 1).ok()
    }

    /// Whether some account has a password, so that its members need ports on which to log in.
    pub(crate) fn has_logins(&self) -> bool {
        let accounts = self.organization["account"].as_array();
        accounts.into_iter().flatten().any(|account| !account["password"].is_null())
    }

    /// Whether two members are in one group.
    pub(crate) fn are_fellows(&self, one: &str, other: &str) -> bool {
        let groups = self.organization["group"].as_array().into_iter().flatten();
        let has = |group: &&Value, member: &str| {
            group["members"].as_array().is_some_and(|list| list.iter().any(|name| name == member))
        };
        groups.into_iter().any(|group| has(&group, one) && has(&group, other))
    }

    /// Whether one of two members is in a group that elects, and the other one is its witness.
    pub(crate) fn share_election(&self, one: &str, other: &str) -> bool {
        let groups = self.organization["group"].as_array().into_iter().flatten();
        let has = |group: &Value, witness: &str, member: &str| {
            let members = group["members"].as_array().into_iter().flatten();
            group["election"]["witness"] == witness && members.into_iter().any(|m| m == member)
        };
        groups.into_iter().any(|group| has(group, one, other) || has(group, other, one))
    }

    /// The connectors that a member carries: name and target, one by one.
    pub(crate) fn carried(&self, member: &str) -> Vec<(String, String)> {
        let connectors = self.organization["connector"].as_array().into_iter().flatten();
        let strings = |list: &Value| -> Vec<String> {
            list.as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(String::from)
                .collect()
        };
        let carried = connectors
            .filter(|connector| strings(&connector["sources"]).iter().any(|name| name == member));
        let ways = carried.flat_map(|connector| {
            let name = connector["name"].as_str().unwrap_or_default().to_owned();
            strings(&connector["targets"]).into_iter().map(move |target| (name.clone(), target))
        });
        ways.collect()
    }

    /// Adds a plain member to a group.
    pub(crate) fn with_member(mut self, group: usize, member: &str) -> Self {
        if let Some(list) = self.organization["group"][group - 1]["members"].as_array_mut() {
            list.push(json!(member));
        }
        self.members.push(member.to_owned());
        self
    }

    /// Sets one field of the policy.
    pub(crate) fn policy(mut self, key: &str, value: Value) -> Self {
        if self.policy.is_null() {
            self.policy = json!({});
        }
        self.policy[key] = value;
        self
    }
}

/// The domain of all accounts.
pub(crate) const DOMAIN: &str = "example.test";

fn group(number: usize, members: &[&str], master: &str) -> Value {
    json!({
        "name": format!("RG{number}"),
        "uuid": format!("{number:032x}"),
        "members": members,
        "master": master,
    })
}

/// One direction of a connection between groups; bridgeheads are the members `rgN-a`.
fn connector(from: usize, to: usize, cost: u32) -> Value {
    json!({
        "name": format!("RG{from}-RG{to}"),
        "from": format!("RG{from}"),
        "to": format!("RG{to}"),
        "cost": cost,
        "sources": [format!("rg{from}-a")],
        "targets": [format!("rg{to}-a")],
    })
}

fn organization(
    groups: &[Value],
    edges: &[(usize, usize, u32)],
    accounts: &[(&str, &str)],
) -> Value {
    let both = edges
        .iter()
        .flat_map(|(from, to, cost)| [connector(*from, *to, *cost), connector(*to, *from, *cost)]);
    let accounts = accounts
        .iter()
        .map(|(name, host)| json!({"address": format!("{name}@{DOMAIN}"), "host": host}));
    json!({
        "format": 1,
        "revision": 1,
        "name": "conformance",
        "domains": [DOMAIN],
        "group": groups,
        "connector": both.collect::<Vec<_>>(),
        "account": accounts.collect::<Vec<_>>(),
    })
}

fn pairs(count: usize) -> (Vec<Value>, Vec<String>) {
    let name = |number: usize, letter: char| format!("rg{number}-{letter}");
    let groups = (1..=count).map(|n| group(n, &[&name(n, 'a'), &name(n, 'b')], &name(n, 'b')));
    let members = (1..=count).flat_map(|n| [name(n, 'a'), name(n, 'b')]);
    (groups.collect(), members.collect())
}

/// Figure 3.14 of the seed: five groups; in each, `a` is the bridgehead and `b` the master, so that the
/// group port is really used. Ann sits in RG1, Eve in RG5; both have the master as their host, so that
/// the last step is a delivery to another member.
pub(crate) fn five_groups() -> Blueprint {
    let (groups, members) = pairs(5);
    let edges = [(1, 2, 10), (2, 4, 10), (1, 3, 20), (3, 4, 20), (4, 5, 10)];
    let accounts = [("ann", "rg1-b"), ("bob", "rg2-b"), ("dan", "rg4-b"), ("eve", "rg5-b")];
    Blueprint {
        organization: organization(&groups, &edges, &accounts),
        policy: Value::Null,
        members,
        played: Vec::new(),
        consulted: false,
    }
}

/// The same five groups with one member each, which is bridgehead and master: for the cases that take
/// days of virtual time.
pub(crate) fn five_bridgeheads() -> Blueprint {
    let name = |number: usize| format!("rg{number}-a");
    let groups: Vec<Value> = (1..=5).map(|n| group(n, &[&name(n)], &name(n))).collect();
    let edges = [(1, 2, 10), (2, 4, 10), (1, 3, 20), (3, 4, 20), (4, 5, 10)];
    let accounts = [("ann", "rg1-a"), ("eve", "rg5-a")];
    Blueprint {
        organization: organization(&groups, &edges, &accounts),
        policy: Value::Null,
        members: (1..=5).map(name).collect(),
        played: Vec::new(),
        consulted: false,
    }
}

/// Two groups of two members and one connection between them: the smallest organization with a link
/// that has no alternative.
pub(crate) fn two_groups() -> Blueprint {
    let (groups, members) = pairs(2);
    let accounts = [("ann", "rg1-b"), ("bob", "rg2-b")];
    Blueprint {
        organization: organization(&groups, &[(1, 2, 10)], &accounts),
        policy: Value::Null,
        members,
        played: Vec::new(),
        consulted: false,
    }
}

/// Four groups of one member in a ring: each connection has an alternative.
pub(crate) fn ring() -> Blueprint {
    let name = |number: usize| format!("rg{number}-a");
    let groups: Vec<Value> = (1..=4).map(|n| group(n, &[&name(n)], &name(n))).collect();
    let edges = [(1, 2, 10), (2, 3, 10), (3, 4, 10), (4, 1, 10)];
    let accounts = [("ann", "rg1-a"), ("bob", "rg2-a"), ("col", "rg3-a")];
    Blueprint {
        organization: organization(&groups, &edges, &accounts),
        policy: Value::Null,
        members: (1..=4).map(name).collect(),
        played: Vec::new(),
        consulted: false,
    }
}

/// One node under test, among members that the suite plays: a fellow of its group and a bridgehead of
/// another group.
pub(crate) fn solo() -> Blueprint {
    let groups = [group(1, &["rg1-a", "rg1-c"], "rg1-a"), group(2, &["rg2-a"], "rg2-a")];
    let accounts = [
        ("ann", "rg1-a"),
        ("amy", "rg1-a"),
        ("postmaster", "rg1-a"),
        ("carl", "rg1-c"),
        ("bob", "rg2-a"),
    ];
    let blueprint = Blueprint {
        organization: organization(&groups, &[(1, 2, 10)], &accounts),
        policy: Value::Null,
        members: vec!["rg1-a".into(), "rg1-c".into(), "rg2-a".into()],
        played: vec!["rg1-c".into(), "rg2-a".into()],
        consulted: false,
    };
    blueprint.policy("message_limit_octets", json!(100_000))
}

/// What RG2 says of itself in [`solo`]; without it nobody routes mail to it.
pub(crate) const RG2_RECORD: &str = concat!(
    "( 00000000000000000000000000000002 {3}RG2 1 {5}rg2-a 1 1 0 0 ( {5}rg2-a YES ) ",
    "( {7}RG2-RG1 ( CONFIG {3}RG1 a BH ( {5}rg2-a ) STATE UP ) ) )",
);

/// The node of [`solo`] with a third group behind it, whose bridgehead the suite plays, too: what comes
/// from RG2 for cat goes on to RG3.
pub(crate) fn between() -> Blueprint {
    let groups = [
        group(1, &["rg1-a", "rg1-c"], "rg1-a"),
        group(2, &["rg2-a"], "rg2-a"),
        group(3, &["rg3-a"], "rg3-a"),
    ];
    let accounts = [("ann", "rg1-a"), ("carl", "rg1-c"), ("bob", "rg2-a"), ("cat", "rg3-a")];
    Blueprint {
        organization: organization(&groups, &[(1, 2, 10), (1, 3, 10)], &accounts),
        policy: Value::Null,
        members: ["rg1-a", "rg1-c", "rg2-a", "rg3-a"].map(String::from).to_vec(),
        played: ["rg1-c", "rg2-a", "rg3-a"].map(String::from).to_vec(),
        consulted: false,
    }
}

/// [`solo`] with a second account at the fellow.
pub(crate) fn two_accounts() -> Blueprint {
    let mut blueprint = solo();
    if let Some(accounts) = blueprint.organization["account"].as_array_mut() {
        accounts.push(json!({"address": format!("cora@{DOMAIN}"), "host": "rg1-c"}));
    }
    blueprint
}

/// [`solo`] with a smart host that the suite plays.
pub(crate) fn with_smart_host() -> Blueprint {
    let mut blueprint = solo();
    blueprint.organization["smart_host"] = json!(SMART_HOST);
    blueprint
}

/// [`solo`] where the node and its fellow have these roles.
fn with_roles(node: &str, fellow: &str) -> Blueprint {
    let mut blueprint = solo();
    blueprint.organization["group"][0]["member"] =
        json!([{"name": "rg1-a", "role": node}, {"name": "rg1-c", "role": fellow}]);
    blueprint
}

/// [`solo`] where the node is a backend and its fellow a frontend.
pub(crate) fn backend() -> Blueprint {
    with_roles("backend", "frontend")
}

/// [`solo`] where the node is a frontend and its fellow a backend.
pub(crate) fn frontend() -> Blueprint {
    with_roles("frontend", "backend")
}

/// How many accounts each host of [`crowd`] has.
pub(crate) const CROWD: usize = 300;

/// [`solo`] with several hundred accounts at the node (`a0` and so on) and as many at its fellow (`c0`
/// and so on).
pub(crate) fn crowd() -> Blueprint {
    let mut blueprint = solo();
    if let Some(accounts) = blueprint.organization["account"].as_array_mut() {
        for (letter, host) in [("a", "rg1-a"), ("c", "rg1-c")] {
            accounts.extend((0..CROWD).map(
                |number| json!({"address": format!("{letter}{number}@{DOMAIN}"), "host": host}),
            ));
        }
    }
    blueprint
}

/// [`solo`] with account rules at the node: each account is named for what its rule does.
pub(crate) fn ruled() -> Blueprint {
    let mut blueprint = solo();
    let rules = [
        ("redirects", json!([{"action": "redirect", "to": ["carl@example.test"]}])),
        ("copies", json!([{"action": "copy", "to": ["carl@example.test"]}])),
        ("rejects", json!([{"action": "reject", "text": "not here"}])),
        ("discards", json!([{"action": "discard"}])),
    ];
    if let Some(accounts) = blueprint.organization["account"].as_array_mut() {
        accounts.extend(rules.into_iter().map(|(name, then)| {
            let rule = json!([{"name": name, "when": [], "then": then}]);
            json!({"address": format!("{name}@{DOMAIN}"), "host": "rg1-a", "rule": rule})
        }));
    }
    blueprint
}

/// [`solo`] with accounts at the node, each named for what its rules do.
pub(crate) fn ruled_widely() -> Blueprint {
    let mut blueprint = solo();
    let to =
        |action: &str, name: &str| json!({"action": action, "to": [format!("{name}@{DOMAIN}")]});
    let always = |then: Value| json!({"name": "always", "when": [], "then": then});
    let discard = || json!([{"action": "discard"}]);
    let secret = json!([{"data": "subject", "operation": "is", "value": "*secret*"}]);
    let no_list =
        json!([{"data": "header", "field": "List-Id", "operation": "is-not", "value": "*ours*"}]);
    let reply = json!([{"action": "vacation", "days": 7, "text": "I am away"}]);
    let rules = [
        ("afar", json!([always(json!([to("redirect", "bob")]))])),
        ("mirror", json!([always(json!([to("copy", "bob")]))])),
        ("ping", json!([always(json!([to("redirect", "pong")]))])),
        ("pong", json!([always(json!([to("redirect", "ping")]))])),
        ("ordered", json!([always(json!([{"action": "stop"}])), always(discard())])),
        ("unordered", json!([always(json!([to("copy", "carl")])), always(discard())])),
        ("picky", json!([{"name": "secret", "when": secret, "then": discard()}])),
        ("listless", json!([{"name": "none", "when": no_list, "then": discard()}])),
        ("away", json!([always(reply)])),
    ];
    if let Some(accounts) = blueprint.organization["account"].as_array_mut() {
        accounts.extend(rules.into_iter().map(|(name, rules)| {
            json!({"address": format!("{name}@{DOMAIN}"), "host": "rg1-a", "rule": rules})
        }));
    }
    blueprint
}

/// [`solo`] with accounts at the node that take no mail now, or have an end to what they may hold: each
/// is named for how it stands to a message of some dozen octets.
pub(crate) fn limited() -> Blueprint {
    let mut blueprint = solo();
    let settings = [
        ("roomy", json!({"quota_octets": 100_000})),
        ("closed", json!({"status": "suspended"})),
        ("full", json!({"quota_octets": 10})),
        ("strict", json!({"quota_octets": 10, "over_quota": "permanent"})),
        ("brief", json!({"send_limit_octets": 100, "send_limit_recipients": 2})),
    ];
    if let Some(accounts) = blueprint.organization["account"].as_array_mut() {
        accounts.extend(settings.into_iter().map(|(name, mut account)| {
            account["address"] = json!(format!("{name}@{DOMAIN}"));
            account["host"] = json!("rg1-a");
            account
        }));
    }
    blueprint
}

/// The password of [`LOGIN`] in [`with_logins`].
pub(crate) const PASSWORD: &str = "correct horse";
/// The account that logs in there.
pub(crate) const LOGIN: &str = "amy@example.test";
/// What is kept of [`PASSWORD`], at the least cost.
const KEPT: &str = concat!(
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$",
    "t5QLzMlfSPLMezb1X/hRw1bKTTpryM1JhqBpLyqseOw",
);

/// [`solo`] with a password for one account, and a way out for its mail.
pub(crate) fn with_logins() -> Blueprint {
    let mut blueprint = with_smart_host();
    for account in blueprint.organization["account"].as_array_mut().into_iter().flatten() {
        if account["address"] == LOGIN {
            account["password"] = json!(KEPT);
        }
    }
    blueprint
}

/// [`solo`], whose fellow is there to be asked about its accounts.
pub(crate) fn consulted() -> Blueprint {
    Blueprint { consulted: true, ..solo() }
}

/// What RG3 says of itself in [`between`].
pub(crate) const RG3_RECORD: &str = concat!(
    "( 00000000000000000000000000000003 {3}RG3 1 {5}rg3-a 1 1 0 0 ( {5}rg3-a YES ) ",
    "( {7}RG3-RG1 ( CONFIG {3}RG1 a BH ( {5}rg3-a ) STATE UP ) ) )",
);
