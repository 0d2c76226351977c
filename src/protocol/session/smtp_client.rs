//! Our session on the SMTP port of another member: news first, then hand-over.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::caller::{Caller, Ended, MEMBER_WAIT};
use super::calling::{Calling, Dialogue, Next};
use super::talk::Talk;
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::{LinkChange, Span};
use crate::protocol::linkstate::LinkPdu;
use crate::protocol::member::{Pdu, Security};
use crate::protocol::server::{Coding, Wire};
use crate::wire::ids::{MemberName, TransferId};
use crate::wire::link2state::{self, Chunk, message_of_reply};
use crate::wire::message::{Body, Refusal};
use crate::wire::smtp::{Command, Extensions, Reply};
use crate::wire::submit::{self, Answer};
use crate::wire::{envelope, orginfo};

/// What is said to one member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct SmtpClient {
    target: MemberName,
    secured: bool,
    /// The far end can go on with a body that broke off.
    resumes: bool,
}

/// Which reply is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) enum Step {
    /// To EHLO.
    Ehlo,
    /// To STARTTLS.
    StartTls,
    /// The host: TLS.
    Securing,
    /// To HELLO.
    Hello,
    /// To a chunk, with those that follow it.
    Chunk(VecDeque<Chunk>),
    /// To the last chunk: the answer to the news.
    News,
    /// To OFFER: 354, or an answer at once.
    Offer { transfer: TransferId, offer: u32, envelope: Vec<u8>, body: Body },
    /// To the octets of the offer.
    Transfer { transfer: TransferId, offer: u32 },
    /// To COMMIT, RESOLVE or STATUS.
    Asked(Box<Pdu>),
    /// To RELEASE.
    Released,
}

impl SmtpClient {
    /// A session with `target`, before its connection is open.
    pub(in crate::protocol) const fn calling(target: MemberName) -> Calling<Self> {
        let dialogue = Self { target, secured: false, resumes: false };
        Calling::new(dialogue, Tag::Submit, link2state::REPLY_LINES_LIMIT)
    }

    fn ehlo(talk: &mut Talk<'_>) -> Step {
        talk.line(Command::Ehlo(String::from(talk.config.member.as_str())).encode());
        talk.wait(MEMBER_WAIT);
        Step::Ehlo
    }

    fn offered(
        &mut self,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        if reply.code() != 250 {
            return Err(caller.declined("EHLO", reply, talk));
        }
        let extensions = Extensions::of(reply);
        if talk.config.security == Security::Tls && !self.secured {
            if extensions.starttls {
                talk.line(Command::StartTls.encode());
                return Ok(Next::Step(Step::StartTls));
            }
            clause!(SM_043);
            if !talk.config.faults.is_on("goes-on-without-starttls") {
                let reason = String::from("a member that does not offer STARTTLS");
                return Err(caller.refused(reason, talk));
            }
        }
        if !extensions.submit || !extensions.link2state {
            clause!(SM_044);
            let reason = String::from("a member that does not offer X-SUBMIT and X-LINK2STATE");
            return Err(caller.refused(reason, talk));
        }
        self.resumes = extensions.resume;
        let hello =
            submit::Command::Hello { member: talk.config.member.clone(), store: talk.store };
        Self::say_submit(hello, talk);
        Ok(Next::Step(Step::Hello))
    }

    fn say_submit(command: submit::Command, talk: &mut Talk<'_>) {
        talk.line(Command::Submit(command).encode());
    }

    fn may_secure(
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        if reply.code() != 220 {
            return Err(caller.declined("STARTTLS", reply, talk));
        }
        talk.say(Wire::StartTls);
        Ok(Next::Step(Step::Securing))
    }

    fn hello(
        &self,
        reply: &Reply,
        caller: &mut Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        match Answer::of_reply(reply) {
            Ok(Answer::Hello { member, store, load }) if member == self.target => {
                caller.up(talk);
                talk.log(Tag::Submit, SessionEvent::Proved(member.clone()));
                talk.tell(Pdu::Hello { member, store, load });
                Ok(Next::Idle)
            }
            _ => Err(caller.declined("X-SUBMIT HELLO", reply, talk)),
        }
    }

    fn begin_news(link: &LinkPdu, talk: &mut Talk<'_>) -> Next<Step> {
        let Ok(message) = orginfo::encode_message(core::slice::from_ref(link)) else {
            // Custody waits for an answer that cannot come: the connection is of no use.
            talk.log(Tag::Submit, SessionEvent::Unspoken);
            talk.end(LinkChange::Lost);
            return Next::Over;
        };
        Self::next_chunk(link2state::split(&message).into(), talk)
    }

    fn next_chunk(mut chunks: VecDeque<Chunk>, talk: &mut Talk<'_>) -> Next<Step> {
        if let Some(chunk) = chunks.pop_front() {
            talk.line(Command::LinkState(chunk).encode());
        }
        if chunks.is_empty() { Next::Step(Step::News) } else { Next::Step(Step::Chunk(chunks)) }
    }

    fn chunk(
        rest: VecDeque<Chunk>,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        if is_busy(reply) {
            return Err(caller.declined("X-LINK2STATE", reply, talk));
        }
        if reply.code() != 200 {
            return Err(caller.unexpected("200 NEXT", reply, talk));
        }
        Ok(Self::next_chunk(rest, talk))
    }

    fn news(reply: &Reply, caller: &Caller, talk: &mut Talk<'_>) -> Result<Next<Step>, Ended> {
        if is_busy(reply) {
            return Err(caller.declined("X-LINK2STATE", reply, talk));
        }
        let message = match message_of_reply(reply) {
            Ok(message) => message,
            Err(error) => return Err(caller.malformed_reply(error.place(), reply, talk)),
        };
        match orginfo::decode_message(&message).as_deref() {
            Ok([link @ LinkPdu::Merged { .. }]) => {
                talk.tell(Pdu::Link(link.clone()));
                Ok(Next::Idle)
            }
            Ok(_) => Err(caller.misbehaved("MERGED", message.as_bytes(), talk)),
            Err(error) => Err(caller.malformed(*error, message.as_bytes(), talk)),
        }
    }

    fn may_transfer(
        &self,
        transfer: TransferId,
        offer: u32,
        (prefix, body): (Vec<u8>, Body),
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        if reply.code() == 354 {
            clause!(SU_063);
            let mut from = match submit::go_ahead_from(reply) {
                Ok(from) => from,
                Err(error) => return Err(caller.malformed_reply(error, reply, talk)),
            };
            if from > body.octets || (from > 0 && !self.resumes) {
                return Err(caller.unexpected("an offset within the body", reply, talk));
            }
            if from > 0 && talk.config.faults.is_on("resumes-one-octet-early") {
                from -= 1;
            }
            talk.say(Wire::Content { prefix, body, coding: Coding::Octets, from });
            return Ok(Next::Step(Step::Transfer { transfer, offer }));
        }
        Self::concluded(&transfer, reply, caller, talk, |answer| {
            matches!(answer, Answer::Accepted { .. } | Answer::Done { .. })
        })
    }

    fn transferred(
        transfer: &TransferId,
        offer: u32,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        Self::concluded(transfer, reply, caller, talk, |answer| match answer {
            Answer::Transferred { offer: n, .. } => *n == offer,
            Answer::Accepted { .. } | Answer::Done { .. } => true,
            _ => false,
        })
    }

    fn answered(
        asked: &Pdu,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        match asked {
            Pdu::Resolve { transfer, offer } => {
                Self::concluded(transfer, reply, caller, talk, |answer| match answer {
                    Answer::Refused { offer: n, .. } => n >= offer,
                    Answer::Accepted { .. } | Answer::Done { .. } => true,
                    _ => false,
                })
            }
            Pdu::Status(transfer) => Self::concluded(transfer, reply, caller, talk, |answer| {
                !matches!(
                    answer,
                    Answer::Hello { .. } | Answer::Transferred { .. } | Answer::Released
                )
            }),
            Pdu::Commit { transfer, .. } => {
                Self::concluded(transfer, reply, caller, talk, |answer| {
                    matches!(answer, Answer::Accepted { .. } | Answer::Done { .. })
                })
            }
            _ => Ok(Next::Idle),
        }
    }

    /// Tells custody what the far end answers about `transfer`: a refusal, or one of the answers that
    /// fit the command. Anything else could make custody believe what nobody said.
    fn concluded(
        transfer: &TransferId,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
        fits: impl Fn(&Answer) -> bool,
    ) -> Result<Next<Step>, Ended> {
        clause!(SM_045);
        if let Some(refusal) = reply.refusal() {
            talk.tell(Pdu::Refused(refusal));
            return Ok(Next::Idle);
        }
        let answer = match Answer::of_reply(reply) {
            Ok(Answer::Unknown { transfer })
                if talk.config.faults.is_on("unknown-means-refused") =>
            {
                Answer::Refused { transfer, offer: 1_000 }
            }
            Ok(answer) if fits(&answer) => answer,
            _ => return Err(caller.unexpected("an answer to the command", reply, talk)),
        };
        let (about, pdu) = match answer {
            Answer::Transferred { transfer, offer } => {
                (transfer.clone(), Pdu::Transferred { transfer, offer })
            }
            Answer::Accepted { transfer, queue } => {
                (transfer.clone(), Pdu::HandedOver { transfer, queue })
            }
            Answer::Refused { transfer, offer } => {
                (transfer.clone(), Pdu::Fenced { transfer, offer })
            }
            Answer::Unknown { transfer } => (transfer.clone(), Pdu::Unknown(transfer)),
            Answer::Done { transfer } => (transfer.clone(), Pdu::Done(transfer)),
            Answer::Hello { .. } | Answer::Released => {
                return Err(caller.unexpected("an answer to the command", reply, talk));
            }
        };
        if about != *transfer {
            return Err(caller.unexpected("an answer about the same transfer", reply, talk));
        }
        talk.tell(pdu);
        Ok(Next::Idle)
    }

    fn released(reply: &Reply, caller: &Caller, talk: &mut Talk<'_>) -> Result<Next<Step>, Ended> {
        let answer = match (reply.refusal(), Answer::of_reply(reply)) {
            (Some(refusal), _) => Pdu::Refused(refusal),
            (None, Ok(Answer::Released)) => Pdu::Released,
            _ => return Err(caller.unexpected("RELEASED", reply, talk)),
        };
        talk.tell(answer);
        Ok(Next::Idle)
    }
}

/// Whether the far end cannot take news now: that is its right, and no breach.
fn is_busy(reply: &Reply) -> bool {
    clause!(LS_100);
    (400..500).contains(&reply.code())
}

impl Dialogue for SmtpClient {
    type Step = Step;

    const FAR_END: &'static str = "the member";
    const BANNER_WAIT: Span = MEMBER_WAIT;

    fn greet(&mut self, talk: &mut Talk<'_>) -> Step {
        Self::ehlo(talk)
    }

    fn is_handshake(step: &Step) -> bool {
        matches!(step, Step::Ehlo | Step::StartTls | Step::Securing | Step::Hello)
    }

    fn awaits_host(step: &Step) -> bool {
        matches!(step, Step::Securing)
    }

    fn farewell(reply: &Reply) -> String {
        String::from(reply.text())
    }

    fn reply(
        &mut self,
        step: Step,
        reply: &Reply,
        caller: &mut Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        match step {
            Step::Ehlo => self.offered(reply, caller, talk),
            Step::StartTls => Self::may_secure(reply, caller, talk),
            Step::Hello => self.hello(reply, caller, talk),
            Step::Chunk(rest) => Self::chunk(rest, reply, caller, talk),
            Step::News => Self::news(reply, caller, talk),
            Step::Offer { transfer, offer, envelope, body } => {
                self.may_transfer(transfer, offer, (envelope, body), reply, caller, talk)
            }
            Step::Transfer { transfer, offer } => {
                Self::transferred(&transfer, offer, reply, caller, talk)
            }
            Step::Asked(pdu) => Self::answered(&pdu, reply, caller, talk),
            Step::Released => Self::released(reply, caller, talk),
            Step::Securing => unreachable!("the host has the next word"),
        }
    }

    fn secured(
        &mut self,
        member: Option<&MemberName>,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        if member != Some(&self.target) {
            clause!(SM_043);
            let reason = format!("the certificate is not that of {}", self.target);
            return Err(caller.refused(reason, talk));
        }
        self.secured = true;
        Ok(Next::Step(Self::ehlo(talk)))
    }

    fn begin(&mut self, pdu: Pdu, _: &Caller, talk: &mut Talk<'_>) -> Next<Step> {
        match pdu {
            Pdu::Link(link @ LinkPdu::News { .. }) => Self::begin_news(&link, talk),
            Pdu::Offer { transfer, offer, parcel } => {
                let Ok(envelope) = envelope::encode(&parcel.envelope) else {
                    clause!(SM_024);
                    let text = "The envelope is longer than a hand-over may carry";
                    talk.tell(Pdu::Refused(Refusal::new(552, "5.3.4", text)));
                    return Next::Idle;
                };
                let body = parcel.body;
                let command = submit::Command::Offer {
                    transfer: transfer.clone(),
                    offer,
                    envelope_octets: u32::try_from(envelope.len()).unwrap_or(u32::MAX),
                    body_octets: body.octets,
                    digest: envelope::transfer_digest(&envelope, &body.digest),
                    resume: self.resumes.then_some(body.digest),
                };
                clause!(SU_060);
                Self::say_submit(command, talk);
                Next::Step(Step::Offer { transfer, offer, envelope, body })
            }
            Pdu::Commit { transfer, offer } => {
                let command = submit::Command::Commit { transfer: transfer.clone(), offer };
                Self::say_submit(command, talk);
                Next::Step(Step::Asked(Box::new(Pdu::Commit { transfer, offer })))
            }
            Pdu::Resolve { transfer, offer } => {
                let command = submit::Command::Resolve { transfer: transfer.clone(), offer };
                Self::say_submit(command, talk);
                Next::Step(Step::Asked(Box::new(Pdu::Resolve { transfer, offer })))
            }
            Pdu::Status(transfer) => {
                Self::say_submit(submit::Command::Status { transfer: transfer.clone() }, talk);
                Next::Step(Step::Asked(Box::new(Pdu::Status(transfer))))
            }
            Pdu::Release(release) => {
                Self::say_submit(submit::Command::Release(release), talk);
                Next::Step(Step::Released)
            }
            // The session has said hello already, as the first thing on the connection.
            Pdu::Hello { .. } => Next::Idle,
            _ => {
                talk.log(Tag::Submit, SessionEvent::Unspoken);
                Next::Idle
            }
        }
    }
}
