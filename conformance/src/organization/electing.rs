//! Organizations with a group that elects its master, around one node; everybody else is played.

use serde_json::{Value, json};

use super::{Blueprint, DOMAIN, aging, group, organization};

/// How long a voter promises in these organizations, in seconds: a tenth and a third of it are whole.
const LEASE_S: u32 = 30;

/// How long a master keeps an account for who has it in these organizations, in seconds: another span than
/// that of elections, and of what a member counts of it, by the drift, the third has whole microseconds.
const ACCOUNT_LEASE_S: u32 = 21;

/// A group that elects; `others` are its members that have no vote.
fn electing_group(number: usize, voters: &[&str], others: &[&str], witness: Option<&str>) -> Value {
    let mut election = json!({"voters": voters, "lease_s": LEASE_S});
    if let Some(witness) = witness {
        election["witness"] = json!(witness);
    }
    let members = [voters, others].concat();
    json!({
        "name": format!("RG{number}"),
        "uuid": format!("{number:032x}"),
        "members": members,
        "election": election,
    })
}

fn around(groups: &[Value], members: &[&str]) -> Blueprint {
    let accounts = [("ann", "rg1-a"), ("bob", "rg2-a")];
    Blueprint {
        organization: organization(groups, &[(1, 2, 10)], &accounts),
        policy: Value::Null,
        members: members.iter().map(|member| (*member).to_owned()).collect(),
        played: members.iter().skip(1).map(|member| (*member).to_owned()).collect(),
        consulted: true,
    }
}

/// The group of the node elects: these voters, in order, and these members besides.
fn voting(voters: &[&str], others: &[&str]) -> Blueprint {
    let groups = [electing_group(1, voters, others, None), group(2, &["rg2-a"], "rg2-a")];
    let mut members = vec!["rg1-a"];
    members.extend(voters.iter().chain(others).filter(|member| **member != "rg1-a"));
    members.push("rg2-a");
    around(&groups, &members)
}

/// Three voters; the node stands first.
pub(crate) fn electing() -> Blueprint {
    voting(&["rg1-a", "rg1-b", "rg1-c"], &[])
}

/// The node stands second.
pub(crate) fn electing_second() -> Blueprint {
    voting(&["rg1-b", "rg1-a", "rg1-c"], &[])
}

/// The node stands last.
pub(crate) fn electing_last() -> Blueprint {
    voting(&["rg1-b", "rg1-c", "rg1-a"], &[])
}

/// Five voters; the node stands first.
pub(crate) fn electing_of_five() -> Blueprint {
    voting(&["rg1-a", "rg1-b", "rg1-c", "rg1-d", "rg1-e"], &[])
}

/// Three voters, the node the first of them, and a member without a vote.
pub(crate) fn electing_with_another() -> Blueprint {
    voting(&["rg1-a", "rg1-b", "rg1-c"], &["rg1-d"])
}

/// The node has no vote.
pub(crate) fn electing_without_us() -> Blueprint {
    voting(&["rg1-b", "rg1-c", "rg1-d"], &["rg1-a"])
}

/// Three voters, the node the first of them, and records that are refreshed every 20 s.
pub(crate) fn electing_refreshed() -> Blueprint {
    aging(electing(), json!({"lifetime_s": 600, "refresh_s": 20}))
}

/// Two voters, the node the first of them, and a witness in RG2.
pub(crate) fn electing_with_witness() -> Blueprint {
    let groups =
        [electing_group(1, &["rg1-a", "rg1-b"], &[], Some("rg2-a")), group(2, &["rg2-a"], "rg2-a")];
    around(&groups, &["rg1-a", "rg1-b", "rg2-a"])
}

/// The node is the witness of RG2, whose voters are two; its own group and RG3 have masters by name.
pub(crate) fn witnessing() -> Blueprint {
    let groups = [
        group(1, &["rg1-a", "rg1-c"], "rg1-a"),
        electing_group(2, &["rg2-a", "rg2-b"], &[], Some("rg1-a")),
        group(3, &["rg3-a"], "rg3-a"),
    ];
    around(&groups, &["rg1-a", "rg1-c", "rg2-a", "rg2-b", "rg3-a"])
}

/// [`electing`] with other settings of its election in place of its own.
pub(crate) fn electing_by(election: Value) -> Blueprint {
    let members: Vec<String> = ('a'..='h').map(|letter| format!("rg1-{letter}")).collect();
    let mut blueprint = electing();
    blueprint.organization["group"][0]["members"] = json!(members);
    blueprint.organization["group"][0]["election"] = election;
    blueprint.members.splice(1..3, members[1..].iter().cloned());
    blueprint.played.splice(0..2, members[1..].iter().cloned());
    blueprint
}

/// The group of the node leases accounts: dora and dan. That of bob has no table for it.
fn leasing_of(mut blueprint: Blueprint) -> Blueprint {
    let organization = &mut blueprint.organization;
    organization["group"][0]["accounts"] = json!({"account_lease_s": ACCOUNT_LEASE_S});
    if let Some(accounts) = organization["account"].as_array_mut() {
        let leased = ["dora", "dan"].map(|name| format!("{name}@{DOMAIN}"));
        accounts.extend(leased.map(|address| json!({"address": address, "group": "RG1"})));
    }
    blueprint
}

/// [`electing`], and the master leases accounts.
pub(crate) fn leasing() -> Blueprint {
    leasing_of(electing())
}

/// [`electing_without_us`], and the master leases accounts.
pub(crate) fn leasing_without_us() -> Blueprint {
    leasing_of(electing_without_us())
}

/// [`leasing`] with other fields in the group, and in the account of dora; `null` takes a field out.
pub(crate) fn leasing_by(fields: &Value) -> Blueprint {
    let mut blueprint = leasing();
    for (place, key) in [("/group/0", "group"), ("/account/2", "account")] {
        let table = blueprint.organization.pointer_mut(place).and_then(Value::as_object_mut);
        let Some(table) = table else { continue };
        for (field, value) in fields[key].as_object().into_iter().flatten() {
            table.remove(field);
            if !value.is_null() {
                table.insert(field.clone(), value.clone());
            }
        }
    }
    blueprint
}
