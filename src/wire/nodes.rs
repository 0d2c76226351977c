//! Nodes of the tree over a table, on the wire.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while};
use nom::combinator::{cut, map, map_opt};
use nom::sequence::{delimited, preceded};

use super::fields::digest;
use super::node::{FANOUT, LEAF_LIMIT, Listed, NODES_LIMIT, Node, Prefix};
use super::orginfo::{encode_version, list, listed, token, uuid, version, word};
use super::parse::{Parsed, expect, refuse};
use crate::clause;
use crate::wire::message::Digest;

/// SP and the nodes of a message that has any.
pub(super) fn encode_nodes(nodes: &[Node]) -> String {
    format!(" {}", list(nodes.iter().map(encode_node)))
}

fn encode_node(node: &Node) -> String {
    let content = match node {
        Node::Inner { children, .. } => {
            let children: Vec<_> = children.iter().map(|child| format!(" {child}")).collect();
            format!("INNER{}", children.concat())
        }
        Node::Leaf { records, .. } => format!("LEAF {}", list(records.iter().map(encode_listed))),
    };
    format!("( {} {content} )", node.prefix())
}

fn encode_listed(listed: &Listed) -> String {
    format!("{} {} {}", listed.uuid, encode_version(&listed.version), listed.digest)
}

/// SP and nodes, or nothing.
pub(super) fn nodes(input: &str) -> Parsed<'_, Vec<Node>> {
    clause!(WI_102);
    if !input.starts_with(" (") {
        return Ok((input, Vec::new()));
    }
    let (rest, nodes) = listed(node).parse(input)?;
    match nodes.len() {
        1..=NODES_LIMIT => Ok((rest, nodes)),
        _ => refuse(input.len(), "1 to 512 nodes"),
    }
}

fn node(input: &str) -> Parsed<'_, Node> {
    let inner = preceded(word("INNER"), cut(children));
    let leaf = preceded(word("LEAF"), cut(records));
    let (rest, (prefix, content)) = delimited(
        expect("a node", tag(" (")),
        (token(prefix), expect("SP and INNER or LEAF", alt((map(inner, Ok), map(leaf, Err))))),
        expect("SP and `)`", tag(" )")),
    )
    .parse(input)?;
    let node = match content {
        Ok(children) => Node::Inner { prefix, children },
        Err(records) => Node::Leaf { prefix, records },
    };
    Ok((rest, node))
}

fn prefix(input: &str) -> Parsed<'_, Prefix> {
    let digits = take_while(|c| matches!(c, '-' | '0'..='9' | 'a'..='f'));
    expect("`-` or 1 to 16 digits", map_opt(digits, |text: &str| text.parse().ok())).parse(input)
}

fn children(input: &str) -> Parsed<'_, [Digest; FANOUT]> {
    let mut children = [Digest::default(); FANOUT];
    let mut rest = input;
    for child in &mut children {
        (rest, *child) = token(digest).parse(rest)?;
    }
    Ok((rest, children))
}

fn records(input: &str) -> Parsed<'_, Vec<Listed>> {
    let (rest, records) = listed(one).parse(input)?;
    if records.len() > LEAF_LIMIT {
        return refuse(input.len(), "at most 16 records in a leaf");
    }
    if records.windows(2).any(|pair| pair[0].uuid >= pair[1].uuid) {
        return refuse(input.len(), "records in order of their UUIDs");
    }
    Ok((rest, records))
}

fn one(input: &str) -> Parsed<'_, Listed> {
    map((token(uuid), version, token(digest)), |(uuid, version, digest)| Listed {
        uuid,
        version,
        digest,
    })
    .parse(input)
}
