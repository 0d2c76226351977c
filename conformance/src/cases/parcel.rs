//! A message that the suite hands over: its octets, the arguments that name them, and the dialogue.

use sha2::{Digest as _, Sha256};

use crate::event::hex;
use crate::script::Script;
use crate::smtp::Want;

/// The reply that says that all is well.
pub(super) fn ok() -> Want {
    Want::code(250).status("2.0.0")
}

/// A message to hand over.
#[derive(Clone)]
pub(super) struct Parcel {
    id: String,
    envelope: String,
    body: &'static str,
}

impl Parcel {
    /// From rg2-a to ann. The `number` keeps the ids of the cases apart.
    pub(super) fn new(number: u32) -> Self {
        Self::minted(&format!("rg2-a/00000000c0ffee{number:02x}/1"))
    }

    /// The same under a chosen id, which is the origin id as well.
    pub(super) fn minted(id: &str) -> Self {
        let envelope = concat!(
            r#"{"origin":"{id}","sender":"bob@example.test","recipients":[{"index":0,"#,
            r#""address":"ann@example.test","notify":{"success":false,"failure":true,"delay":true},"#,
            r#""original":null}],"arrived":0,"expires":172800000000,"ret":null,"envid":null,"#,
            r#""smtputf8":false,"hops":[{"from":"client.example.net","by":"rg2-a","group":"RG2","#,
            r#""with":"ESMTP","id":"00000000000000b1","at":0}],"routed_by":{}}"#,
        );
        let body = "From: bob\r\nSubject: handed over\r\n\r\n.\r\n..\r\nno stuffing here\r\n";
        Self { envelope: envelope.replace("{id}", id), id: id.to_owned(), body }
    }

    /// With another envelope: `from` must stand in it.
    pub(super) fn edit(mut self, from: &str, to: &str) -> Self {
        assert!(self.envelope.contains(from), "`{from}` stands in the envelope");
        self.envelope = self.envelope.replacen(from, to, 1);
        self
    }

    /// With an end far away and no word about delays: it may wait in a queue.
    pub(super) fn patient(self) -> Self {
        self.edit("172800000000", "4102444800000000").edit(r#""delay":true"#, r#""delay":false"#)
    }

    /// With another transfer id, under the same origin id.
    pub(super) fn under(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// With another body.
    pub(super) const fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.envelope.as_bytes());
        hasher.update(Sha256::digest(self.body.as_bytes()));
        hex(&hasher.finalize())
    }

    /// What WI-083 does not want.
    pub(super) fn digest_in_a_row(&self) -> String {
        hex(&Sha256::digest(self.octets()))
    }

    /// OFFER with any digest.
    pub(super) fn offer(&self, offer: u32, digest: &str) -> String {
        let (envelope, body) = (self.envelope.len(), self.body.len());
        self.offer_of(offer, (envelope, body), digest)
    }

    /// OFFER with any lengths, of envelope and body, and any digest.
    pub(super) fn offer_of(&self, offer: u32, lengths: (usize, usize), digest: &str) -> String {
        let (id, (envelope, body)) = (&self.id, lengths);
        format!(
            "X-SUBMIT OFFER ID={id} OFFER={offer} ENVELOPE={envelope} BODY={body} DIGEST={digest}"
        )
    }

    /// OFFER as it must be.
    pub(super) fn offered(&self, offer: u32) -> String {
        self.offer(offer, &self.digest())
    }

    /// OFFER of a body that may go on where it broke off.
    pub(super) fn resumable(&self, offer: u32) -> String {
        format!("{} RESUME={}", self.offered(offer), hex(&Sha256::digest(self.body.as_bytes())))
    }

    pub(super) const fn body_octets(&self) -> usize {
        self.body.len()
    }

    /// The whole envelope, and a part of the body.
    pub(super) fn octets_between(&self, from: usize, to: usize) -> Vec<u8> {
        [self.envelope.as_bytes(), &self.body.as_bytes()[from..to]].concat()
    }

    pub(super) fn octets(&self) -> Vec<u8> {
        [self.envelope.as_bytes(), self.body.as_bytes()].concat()
    }

    pub(super) fn commit(&self, offer: u32) -> String {
        format!("X-SUBMIT COMMIT ID={} OFFER={offer}", self.id)
    }

    pub(super) fn resolve(&self, offer: u32) -> String {
        format!("X-SUBMIT RESOLVE ID={} OFFER={offer}", self.id)
    }

    pub(super) fn status(&self) -> String {
        format!("X-SUBMIT STATUS ID={}", self.id)
    }

    /// OFFER with this number, 354, the octets, TRANSFERRED.
    pub(super) fn transfer_as(&self, script: Script, offer: u32) -> Script {
        script
            .ask(&self.offered(offer), "offer", Want::code(354))
            .send(&self.octets())
            .reply("transferred", ok().last("TRANSFERRED ID="))
    }

    /// The same with the number 1.
    pub(super) fn transfer(&self, script: Script) -> Script {
        self.transfer_as(script, 1)
    }

    /// The whole hand-over.
    pub(super) fn hand_over(&self, script: Script) -> Script {
        self.transfer(script).ask(&self.commit(1), "accepted", accepted())
    }
}

/// The answer that custody has moved, with the queue id.
pub(super) fn accepted() -> Want {
    ok().last("ACCEPTED ID=").queue_id()
}
