//! Organizations around one node that has ways out of the organization.

use serde_json::{Value, json};

use super::{Blueprint, SMART_HOST, fellow_carries, led, triangle};

/// An exit of this name, which is the name of the link to the server that the suite plays behind it.
fn exit(name: &str, space: &str, cost: u32, sources: &[&str]) -> Value {
    json!({
        "name": name,
        "spaces": [space],
        "cost": cost,
        "sources": sources,
        "smart_host": SMART_HOST,
    })
}

/// Gives a group an exit.
fn with(mut blueprint: Blueprint, group: usize, exit: Value) -> Blueprint {
    let group = &mut blueprint.organization["group"][group - 1];
    match group.get_mut("exit").and_then(Value::as_array_mut) {
        Some(exits) => exits.push(exit),
        None => group["exit"] = json!([exit]),
    }
    blueprint
}

/// The triangle, where the node carries an exit for all that is outside, which costs 20.
pub(crate) fn leaves() -> Blueprint {
    with(triangle(), 1, exit("world", "*", 20, &["rg1-a"]))
}

/// The same, and the organization has a smart host, while the exit is for small messages.
pub(crate) fn leaves_or_smart_host() -> Blueprint {
    let mut small = exit("world", "*", 20, &["rg1-a"]);
    small["size_limit_octets"] = json!(2_000);
    let mut blueprint = with(triangle(), 1, small);
    blueprint.organization["smart_host"] = json!(SMART_HOST);
    blueprint
}

/// The same, where RG3 has an exit for a partner.
pub(crate) fn leaves_elsewhere() -> Blueprint {
    with(leaves(), 3, exit("partner", "partner.example", 100, &["rg3-a"]))
}

/// The same, and an exit of the node that covers the domain that the organization hosts.
pub(crate) fn leaves_hosted() -> Blueprint {
    with(leaves(), 1, exit("hosted", "*.test", 1, &["rg1-a"]))
}

/// Both fellows of the node carry its group's exit.
pub(crate) fn fellow_leaves() -> Blueprint {
    with(fellow_carries(), 1, exit("world", "*", 20, &["rg1-c", "rg1-b"]))
}

/// The node carries an exit, and its fellow is the master.
pub(crate) fn led_leaves() -> Blueprint {
    with(led(), 1, exit("world", "*", 20, &["rg1-a"]))
}
