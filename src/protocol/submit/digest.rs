//! Digests by which the same id with another content is noticed.

use alloc::vec::Vec;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::clause;
use crate::protocol::member::Parcel;
use crate::wire::envelope::transfer_digest;
use crate::wire::message::{Body, Digest, Envelope, Recipient};

/// Of an envelope and its body: the digest that OFFER states, so that a repeat is known by it before
/// anything is transferred.
pub(crate) fn parcel_digest(parcel: &Parcel) -> Digest {
    let octets = serde_json::to_vec(&parcel.envelope).expect("an envelope always is JSON");
    transfer_digest(&octets, &parcel.body.digest)
}

/// Of what one recipient gets. It leaves out what may differ between two attempts of one custodian:
/// the trace, the other recipients, the times.
pub(crate) fn recipient_digest(envelope: &Envelope, recipient: &Recipient, body: &Body) -> Digest {
    let key = (&envelope.origin, recipient.index, &recipient.address);
    clause!(DE_032);
    digest(&(key, &envelope.sender, envelope.content.as_ref().unwrap_or(&body.digest)))
}

fn digest(value: &impl Serialize) -> Digest {
    let octets: Vec<u8> = serde_json::to_vec(value).expect("ids, names and numbers have a form");
    Digest(Sha256::digest(octets).into())
}
