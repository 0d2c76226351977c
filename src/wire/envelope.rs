//! The envelope of a hand-over: one canonical form of JSON, so that its digest is the same at both ends.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::header::is_field_name;
use super::smtp::decode_address;
use super::{DecodeError, TooLong, is_name};
use crate::clause;
use crate::wire::message::{Address, Digest, Envelope};

/// The most octets of an envelope: room for the versions of the greatest table, with names of 64 octets.
pub const ENVELOPE_LIMIT: usize = 8 * 1024 * 1024;

/// The canonical octets: JSON without white space, fields in the order of the type, maps by key.
///
/// # Errors
/// The envelope is longer than [`ENVELOPE_LIMIT`].
pub fn encode(envelope: &Envelope) -> Result<Vec<u8>, TooLong> {
    clause!(WI_080);
    let octets = json(envelope);
    if octets.len() > ENVELOPE_LIMIT { Err(TooLong) } else { Ok(octets) }
}

/// Reads canonical octets.
///
/// # Errors
/// Where they are no JSON, no envelope, or not canonical; or hold what no envelope may hold.
pub fn decode(octets: &[u8]) -> Result<Envelope, DecodeError> {
    if octets.len() > ENVELOPE_LIMIT {
        clause!(WI_081);
        let expected = "an envelope of at most 8,388,608 octets";
        return Err(DecodeError { offset: ENVELOPE_LIMIT, expected });
    }
    let envelope: Envelope = serde_json::from_slice(octets).map_err(|error| DecodeError {
        offset: offset_of(octets, error.line(), error.column()),
        expected: "JSON of an envelope",
    })?;
    let canonical = json(&envelope);
    if canonical != octets {
        clause!(WI_082);
        let offset = octets.iter().zip(&canonical).take_while(|(a, b)| a == b).count();
        return Err(DecodeError { offset, expected: "the canonical form of the envelope" });
    }
    check(&envelope, octets)?;
    Ok(envelope)
}

/// What OFFER states: SHA-256 over the octets of the envelope followed by the 32 octets of the body's
/// own SHA-256. So neither end has to hold or to read the body twice.
#[must_use]
pub fn transfer_digest(envelope_octets: &[u8], body: &Digest) -> Digest {
    clause!(WI_083);
    let mut hasher = Sha256::new();
    hasher.update(envelope_octets);
    hasher.update(body.0);
    Digest(hasher.finalize().into())
}

/// SHA-256 of `octets`.
#[must_use]
pub fn sha256(octets: &[u8]) -> Digest {
    Digest(Sha256::digest(octets).into())
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("an envelope has only text keys, so it always is JSON")
}

/// serde counts lines and columns; we count octets.
fn offset_of(octets: &[u8], line: usize, column: usize) -> usize {
    let before: usize = octets
        .split_inclusive(|octet| *octet == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    (before + column.saturating_sub(1)).min(octets.len())
}

/// What the types cannot say. Text of an envelope ends up in command lines and header fields: a
/// control character in it could end the line and begin another.
fn check(envelope: &Envelope, octets: &[u8]) -> Result<(), DecodeError> {
    clause!(WI_084);
    let refuse = |offset, expected| Err(DecodeError { offset, expected });
    for address in envelope.sender.iter().chain(envelope.recipients.iter().map(|r| &r.address)) {
        if !is_address(address) {
            return refuse(place_of(octets, address), "an address of RFC 5321");
        }
    }
    let mut indexes = BTreeSet::new();
    if envelope.recipients.is_empty() {
        return refuse(0, "at least one recipient");
    }
    for recipient in &envelope.recipients {
        if !indexes.insert(recipient.index) {
            return refuse(place_of(octets, recipient), "each index once");
        }
    }
    if !is_name(envelope.origin.member.as_str()) {
        return refuse(place_of(octets, &envelope.origin), "a member's name in the origin id");
    }
    if let Some(field) = envelope.fields.iter().find(|field| !is_field_name(&field.name)) {
        return refuse(place_of(octets, field), "the name of a header field");
    }
    let values = envelope.fields.iter().map(|field| &field.value);
    if let Some(key) = envelope.routed_by.keys().find(|key| key.parts().is_none()) {
        return refuse(place_of(octets, key), "a group's name, `/` and its UUID");
    }
    let groups = envelope.hops.iter().map(|hop| &hop.group.0);
    let groups = groups.chain(envelope.routed_by.keys().map(|key| &key.0));
    let optional = envelope.recipients.iter().filter_map(|recipient| recipient.original.as_ref());
    let hops = envelope.hops.iter().flat_map(|hop| [&hop.from, &hop.by, &hop.with, &hop.id]);
    let optional = optional.chain(&envelope.submitter);
    for text in optional.chain(&envelope.envid).chain(hops).chain(groups).chain(values) {
        if text.chars().any(char::is_control) {
            return refuse(place_of(octets, text), "no control character");
        }
    }
    Ok(())
}

fn is_address(address: &Address) -> bool {
    let is_canonical = decode_address(&address.0).is_ok_and(|decoded| decoded == *address);
    is_canonical || address.0.eq_ignore_ascii_case("postmaster")
}

/// Where the canonical form has `value` first.
fn place_of<T: Serialize>(octets: &[u8], value: &T) -> usize {
    let needle = json(value);
    octets.windows(needle.len()).position(|window| window == needle).unwrap_or(0)
}
