//! Inputs and acts in the words of a row.

use alloc::format;
use alloc::string::String;

use serde::Serialize;

use crate::kernel::{Act, Input};
use crate::protocol::server::{Server, Wire};

/// An input: what it is, and the rest. That content goes on coming starts a timer anew, and makes no row;
/// nor does it that nothing is kept of a body.
#[must_use]
pub fn input(input: &Input<Server>) -> Option<(&'static str, String)> {
    Some(match input {
        Input::Pdu { pdu: Wire::Progress | Wire::Kept(0), .. } => return None,
        Input::Pdu { from, pdu } => ("<", format!("{} {}", from.0, octets(pdu))),
        Input::Link { peer, change } => ("link", format!("{} {change:?}", peer.0)),
        Input::Timer(timer) => ("timer", json(timer)),
        Input::Answer { ticket, answer } => ("answer", format!("{} {}", ticket.0, json(answer))),
        Input::StoreFailed { reason } => ("failed", reason.clone()),
        Input::Command(command) => ("command", json(command)),
        Input::Configuration => ("config", String::new()),
    })
}

/// An act: what it is, and the rest. How to read on, and how long a timer runs, is the host's business
/// and makes no row.
#[must_use]
pub fn act(act: &Act<Server>) -> Option<(&'static str, String)> {
    Some(match act {
        Act::Open { peer, endpoint } => ("open", format!("{} {}", peer.0, json(endpoint))),
        Act::Close { peer } => ("close", format!("{}", peer.0)),
        Act::Send { pdu: Wire::Receive(_) | Wire::Resume(_), .. }
        | Act::Arm { .. }
        | Act::Disarm(_) => return None,
        Act::Send { to, pdu } => (">", format!("{} {}", to.0, octets(pdu))),
        Act::Ask { ticket, query } => ("ask", format!("{} {}", ticket.0, json(query))),
        Act::Write(change) => ("write", json(change)),
        Act::Event(event) => ("event", json(event)),
    })
}

/// Lines and frames as text, the rest as JSON.
fn octets(pdu: &Wire) -> String {
    match pdu {
        Wire::Line(octets) | Wire::Frame(octets) | Wire::Block(octets) => {
            format!("{}", octets.escape_ascii())
        }
        Wire::Content { prefix, body, coding, from } => {
            let from = if *from == 0 { String::new() } else { format!(" from {from}") };
            format!("{}{} {coding:?}{from}", prefix.escape_ascii(), json(body))
        }
        other => json(other),
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
