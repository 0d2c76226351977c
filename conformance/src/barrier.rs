//! Whether the nodes and the suite agree that nothing is under way.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use serde_json::Value;

use crate::event::Stop;
use crate::net::Half;

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Quiet {
    /// All counts are equal and all nodes are idle.
    Agreed {
        /// When the first timer of any node is due.
        next_us: Option<u64>,
    },
    /// Something is under way: what.
    Not(String),
}

/// Compares what the nodes count with what the suite counts.
pub(crate) fn compare(
    names: &[&str],
    addresses: &[Ipv4Addr],
    answers: &[Value],
    halves: &[Half],
    now_us: u64,
) -> Result<Quiet, Stop> {
    let mut next_us: Option<u64> = None;
    for ((name, address), answer) in names.iter().zip(addresses).zip(answers) {
        let now = answer["now_us"].as_u64();
        if now != Some(now_us) {
            let problem = format!("the clock of {name} stands at {now:?}, expected {now_us} us");
            return Err(Stop::Died(problem));
        }
        if answer["idle"] != Value::Bool(true) {
            return Ok(Quiet::Not(format!("{name} is busy: {}", answer["busy"])));
        }
        if let Some(problem) = differs(name, *address, &answer["connections"], halves)? {
            return Ok(Quiet::Not(problem));
        }
        next_us = match (next_us, answer["next_us"].as_u64()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(Quiet::Agreed { next_us })
}

/// The first connection of a node about which the two do not agree.
fn differs(
    name: &str,
    address: Ipv4Addr,
    connections: &Value,
    halves: &[Half],
) -> Result<Option<String>, Stop> {
    let connections = connections
        .as_array()
        .ok_or_else(|| Stop::Died(format!("adapter of {name}: quiesce names no connections")))?;
    let end = |connection: &Value, key: &str| -> Result<SocketAddr, Stop> {
        let text = connection[key].as_str().unwrap_or_default();
        text.parse().map_err(|_| {
            Stop::Died(format!("adapter of {name}: `{text}` is no address of a connection"))
        })
    };
    let mut seen = Vec::new();
    for connection in connections {
        let ends = (end(connection, "local")?, end(connection, "remote")?);
        let is_over = ["eof", "reset", "closed"].iter().any(|key| connection[*key] == true);
        match halves.iter().find(|half| (half.theirs, half.ours) == ends) {
            Some(half) => {
                seen.push(ends);
                if let Some(problem) = half_differs(half, connection) {
                    return Ok(Some(format!("{name}: {problem}")));
                }
            }
            None if is_over => {}
            None => return Ok(Some(format!("{name}: the suite does not see {connection}"))),
        }
    }
    let missing = halves.iter().find(|half| {
        half.theirs.ip() == IpAddr::V4(address) && !seen.contains(&(half.theirs, half.ours))
    });
    Ok(missing.map(|half| format!("{name}: the node does not see {}", half.link)))
}

fn half_differs(half: &Half, connection: &Value) -> Option<String> {
    let (received, sent) = (connection["received"].as_u64(), connection["sent"].as_u64());
    let link = &half.link;
    if received != Some(half.to_node) {
        return Some(format!("{link}: received {received:?}, was sent {}", half.to_node));
    }
    if !half.unread && sent != Some(half.from_node) {
        return Some(format!("{link}: sent {sent:?}, the suite has {}", half.from_node));
    }
    let is_over = ["eof", "reset", "closed"].iter().any(|key| connection[*key] == true);
    if half.ended_by_suite && !is_over {
        return Some(format!("{link}: the node has not seen the end"));
    }
    None
}

/// Gives the nodes a moment: none at first, then more and more. This waits for progress that is
/// counted; it proves nothing by itself.
pub(crate) fn breathe(rounds: u32) {
    match rounds {
        0..=3 => std::thread::yield_now(),
        _ => std::thread::sleep(Duration::from_micros(u64::from(rounds.min(100)) * 50)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Quiet, compare};
    use crate::net::Half;
    use core::net::Ipv4Addr;
    use serde_json::{Value, json};

    const HERE: Ipv4Addr = Ipv4Addr::new(127, 77, 1, 1);

    fn half() -> Half {
        Half {
            link: "client#1".into(),
            ours: "127.77.250.1:9".parse().expect("an address"),
            theirs: "127.77.1.1:25".parse().expect("an address"),
            to_node: 10,
            from_node: 20,
            ended_by_node: false,
            ended_by_suite: false,
            gone: false,
            unread: false,
        }
    }

    fn answer(received: u64, sent: u64) -> Value {
        json!({"idle": true, "now_us": 5, "next_us": 60, "connections": [{
            "local": "127.77.1.1:25", "remote": "127.77.250.1:9",
            "received": received, "sent": sent, "eof": false, "reset": false,
        }]})
    }

    fn quiet(answer: &Value, halves: &[Half]) -> bool {
        let result = compare(&["a"], &[HERE], core::slice::from_ref(answer), halves, 5);
        matches!(result, Ok(Quiet::Agreed { next_us: Some(60) }))
    }

    #[test]
    fn equal_counts_agree_and_nothing_else_does() {
        assert!(quiet(&answer(10, 20), &[half()]));
        assert!(!quiet(&answer(9, 20), &[half()]), "octets are on their way to the node");
        assert!(!quiet(&answer(10, 21), &[half()]), "octets are on their way from the node");
        assert!(!quiet(&answer(10, 20), &[]), "a connection waits to be accepted");
        let mut two = half();
        two.ours.set_port(10);
        assert!(!quiet(&answer(10, 20), &[half(), two]), "the node has not accepted yet");
        let mut ended = half();
        ended.ended_by_suite = true;
        assert!(!quiet(&answer(10, 20), &[ended]), "the node has not seen the end");
        let mut busy = answer(10, 20);
        busy["idle"] = json!(false);
        assert!(!quiet(&busy, &[half()]));
    }

    #[test]
    fn a_clock_that_does_not_move_is_no_clock() {
        let result = compare(&["a"], &[HERE], &[answer(10, 20)], &[half()], 6);
        assert!(result.is_err());
    }
}
