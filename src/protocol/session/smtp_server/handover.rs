//! `X-SUBMIT`: the receiving side of hand-over.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::{SmtpServer, State};
use crate::clause;
use crate::protocol::member::{Parcel, Pdu};
use crate::protocol::server::{BodyProblem, PartialName, Wire};
use crate::protocol::session::{SessionEvent, Tag, Talk};
use crate::wire::ids::{MemberName, StoreId, TransferId};
use crate::wire::link2state::Reassembly;
use crate::wire::message::{Body, Digest};
use crate::wire::smtp::{Reply, Status};
use crate::wire::submit::{Answer, Command, Load, go_ahead};
use crate::wire::{Mode, envelope};

/// The most offers that are transferred on one connection and not committed.
pub const TRANSFERRED_LIMIT: usize = 64;

const OTHER_DIGEST: &str = "The digest differs from the announced one";

/// What is known of a member that has said hello.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct MemberSide {
    pub(super) name: MemberName,
    /// News has been merged on this connection: mail may follow.
    pub(super) merged: bool,
    pub(super) reassembly: Reassembly,
    /// Offers that are here and may be committed.
    transferred: BTreeSet<(TransferId, u32)>,
}

/// An offer whose octets are on their way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Offering {
    transfer: TransferId,
    offer: u32,
    envelope_octets: usize,
    body_octets: u64,
    digest: Digest,
    /// Of the body alone: its sender can go on where it broke off.
    resume: Option<Digest>,
    /// So much of the body is here from an earlier connection.
    kept_octets: u64,
    envelope: Vec<u8>,
}

impl SmtpServer {
    /// A command of hand-over, from a client whose name is proved.
    pub(super) fn submit(&mut self, command: Command, talk: &mut Talk<'_>) {
        let Some(proved) = self.proved(talk.config.security).cloned() else {
            return self.not_a_member(talk);
        };
        match (command, self.peer.is_some()) {
            (Command::Hello { member, store }, false) => {
                self.begin_hello(&proved, member, store, talk);
            }
            (Command::Hello { .. }, true) => self.out_of_order(talk, "HELLO was said already"),
            (_, false) => self.out_of_order(talk, "X-SUBMIT HELLO first"),
            (
                Command::Offer { transfer, offer, envelope_octets, body_octets, digest, resume },
                true,
            ) => {
                let offering = Offering {
                    transfer,
                    offer,
                    envelope_octets: envelope_octets as usize,
                    body_octets,
                    digest,
                    resume,
                    kept_octets: 0,
                    envelope: Vec::new(),
                };
                self.offer(offering, talk);
            }
            (Command::Commit { transfer, offer }, true) => self.commit(transfer, offer, talk),
            (Command::Resolve { transfer, offer }, true) => {
                self.settle(Pdu::Resolve { transfer, offer }, talk);
            }
            (Command::Status { transfer }, true) => self.settle(Pdu::Status(transfer), talk),
            (Command::Release(release), true) => self.settle(Pdu::Release(release), talk),
        }
    }

    /// Whoever is no proved member learns nothing of the verbs of members.
    pub(super) fn not_a_member(&mut self, talk: &mut Talk<'_>) {
        clause!(SM_020);
        talk.misbehaved(self.tag(), "a member whose name is proved", self.remote.as_bytes());
        let text = "Only members of the organization may say this";
        self.blame(talk, &Reply::new(530, Status::new(5, 7, 0), text));
    }

    fn begin_hello(
        &mut self,
        proved: &MemberName,
        member: MemberName,
        store: StoreId,
        talk: &mut Talk<'_>,
    ) {
        let is_lax = talk.config.faults.is_on("hello-name-not-checked");
        if member != *proved && !is_lax {
            clause!(SM_022);
            talk.misbehaved(Tag::Submit, proved.as_str(), member.as_str().as_bytes());
            let text = "The name is not the one that is proved";
            return self.blame(talk, &Reply::new(550, Status::new(5, 7, 1), text));
        }
        self.transaction = None;
        self.peer = Some(MemberSide {
            name: member.clone(),
            merged: false,
            reassembly: Reassembly::default(),
            transferred: BTreeSet::new(),
        });
        talk.rest();
        talk.inbound(member.clone());
        talk.tell(Pdu::Hello { member, store, load: None });
        self.state = State::Hello;
    }

    /// Custody says its own hello.
    pub(super) fn hello(
        &mut self,
        member: &MemberName,
        store: StoreId,
        load: Option<Load>,
        talk: &mut Talk<'_>,
    ) {
        if let Some(peer) = &self.peer {
            talk.log(Tag::Submit, SessionEvent::Proved(peer.name.clone()));
        }
        self.answer(talk, &Answer::Hello { member: member.clone(), store, load }.reply());
    }

    fn offer(&mut self, offering: Offering, talk: &mut Talk<'_>) {
        let Some(peer) = &self.peer else { return };
        if !peer.merged {
            clause!(SM_023);
            return self.out_of_order(talk, "News by X-LINK2STATE first");
        }
        if peer.transferred.len() >= TRANSFERRED_LIMIT {
            let text = "Too many offers that are not committed";
            return self.refuse(talk, 452, Status::new(4, 5, 3), text);
        }
        let limit = talk.config.policy.message_limit_octets;
        let is_long = offering.envelope_octets > envelope::ENVELOPE_LIMIT;
        if offering.body_octets > limit || is_long {
            clause!(SM_024);
            let text = alloc::format!(
                "An envelope may have {} octets and a body {limit}",
                envelope::ENVELOPE_LIMIT
            );
            return self.refuse(talk, 552, Status::new(5, 3, 4), &text);
        }
        talk.tell(Pdu::Announce {
            transfer: offering.transfer.clone(),
            offer: offering.offer,
            octets: offering.body_octets,
            digest: offering.digest,
        });
        self.state = State::Announced(offering);
    }

    /// Custody wants the offer. Where its sender can go on with a body, the host looks for what it has.
    pub(super) fn wanted(&mut self, offering: Offering, talk: &mut Talk<'_>) {
        let (Some(digest), Some(peer)) = (offering.resume, &self.peer) else {
            return self.go_ahead(offering, talk);
        };
        clause!(SU_062);
        talk.say(Wire::Resume(PartialName {
            member: peer.name.clone(),
            transfer: offering.transfer.clone(),
            digest,
            octets: offering.body_octets,
        }));
        self.state = State::Keeping(offering);
    }

    /// The host has so much of the body.
    pub(super) fn kept(&mut self, offering: Offering, octets: u64, talk: &mut Talk<'_>) {
        assert!(octets <= offering.body_octets, "a part is no longer than the whole");
        if octets > 0 {
            talk.log(Tag::Submit, SessionEvent::Resumed { octets });
        }
        self.go_ahead(Offering { kept_octets: octets, ..offering }, talk);
    }

    /// The octets of an offer may come.
    fn go_ahead(&mut self, offering: Offering, talk: &mut Talk<'_>) {
        Self::reply(talk, &go_ahead(offering.kept_octets));
        let mode = Mode::Block(offering.envelope_octets);
        self.take_content(mode, State::Envelope(offering), talk);
    }

    /// The octets of the envelope are here. They are judged with the body: a refusal in between would
    /// leave the body in the stream.
    pub(super) fn envelope(&mut self, offering: Offering, octets: Vec<u8>, talk: &mut Talk<'_>) {
        talk.receive(Mode::Text(offering.body_octets - offering.kept_octets));
        talk.wait_for_content(self.content_until);
        self.state = State::Parcel(Offering { envelope: octets, ..offering });
    }

    /// The body is here, and kept.
    pub(super) fn parcel(&mut self, offering: Offering, body: Body, talk: &mut Talk<'_>) {
        clause!(SU_064);
        match judge(&offering, body) {
            Ok(parcel) => {
                let Offering { transfer, offer, .. } = offering;
                self.settle(Pdu::Offer { transfer, offer, parcel }, talk);
            }
            Err(text) => {
                clause!(SM_025);
                talk.say(Wire::Forget(body.key));
                talk.misbehaved(Tag::Submit, &text, b"");
                self.blame(talk, &Reply::new(554, Status::new(5, 6, 0), &text));
            }
        }
    }

    /// The body was read to its end, and nothing of it is kept.
    pub(super) fn no_parcel(
        &mut self,
        offering: &Offering,
        problem: BodyProblem,
        talk: &mut Talk<'_>,
    ) {
        let BodyProblem::Unfit { offset, digest } = problem else {
            return self.no_content(problem, talk);
        };
        // Octets that changed on the way prove nothing about those that the far end has.
        if envelope::transfer_digest(&offering.envelope, &digest) != offering.digest {
            clause!(SM_025);
            return self.blame(talk, &Reply::new(554, Status::new(5, 6, 0), OTHER_DIGEST));
        }
        clause!(SM_029);
        let offset = offering.kept_octets + offset;
        let text = alloc::format!("octet {offset}: a bare CR or LF, which no later hop can carry");
        talk.bare_line_end(Tag::Submit, offset);
        self.blame(talk, &Reply::new(554, Status::new(5, 6, 1), &text));
    }

    fn commit(&mut self, transfer: TransferId, offer: u32, talk: &mut Talk<'_>) {
        let key = (transfer, offer);
        let is_here = self.peer.as_ref().is_some_and(|peer| peer.transferred.contains(&key));
        if !is_here {
            clause!(SM_026);
            return self.out_of_order(talk, "This offer was not transferred on this connection");
        }
        let (transfer, offer) = key;
        self.settle(Pdu::Commit { transfer, offer }, talk);
    }

    fn settle(&mut self, pdu: Pdu, talk: &mut Talk<'_>) {
        talk.tell(pdu);
        self.state = State::Settling;
    }

    /// What custody says to a command of hand-over.
    pub(super) fn settled(&mut self, pdu: Pdu, talk: &mut Talk<'_>) {
        let Some(peer) = &mut self.peer else { return };
        let answer = match pdu {
            Pdu::Transferred { transfer, offer } => {
                peer.transferred.insert((transfer.clone(), offer));
                Answer::Transferred { transfer, offer }
            }
            Pdu::HandedOver { transfer, queue } => {
                clause!(SM_027);
                peer.transferred.retain(|(other, _)| *other != transfer);
                Answer::Accepted { transfer, queue }
            }
            Pdu::Fenced { transfer, offer } => {
                peer.transferred.retain(|(other, n)| *other != transfer || *n > offer);
                Answer::Refused { transfer, offer }
            }
            Pdu::Unknown(transfer) => Answer::Unknown { transfer },
            Pdu::Done(transfer) => {
                peer.transferred.retain(|(other, _)| *other != transfer);
                Answer::Done { transfer }
            }
            Pdu::Released => Answer::Released,
            _ => {
                self.state = State::Settling;
                return talk.log(Tag::Submit, SessionEvent::Unspoken);
            }
        };
        self.answer(talk, &answer.reply());
    }
}

/// The parcel, if envelope and body are what the offer announced.
fn judge(offering: &Offering, body: Body) -> Result<Parcel, String> {
    let digest = envelope::transfer_digest(&offering.envelope, &body.digest);
    if body.octets != offering.body_octets || digest != offering.digest {
        return Err(String::from(OTHER_DIGEST));
    }
    match envelope::decode(&offering.envelope) {
        Ok(envelope) => Ok(Parcel { envelope, body, epochs: Default::default() }),
        Err(error) => Err(alloc::format!("envelope, {error}")),
    }
}
