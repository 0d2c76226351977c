//! Questions of the machine to the world, answered on threads that may block.

use std::sync::Arc;

use super::ToHost;
use crate::kernel::{Ticket, Time};
use crate::protocol::member::{Answer, Notice, Query};
use crate::protocol::server::Server;
use crate::server::bodies::{DamagedBody, IntakeError, take};
use crate::server::maildir::Maildirs;
use crate::server::net::Network;
use crate::server::notices::compose;
use crate::server::spool::{Operation, Spool, SpoolError};
use crate::server::tokens::{Kind, Token};
use crate::wire::message::Refusal;

/// Asks the world; the answer comes back to the host loop.
pub(super) fn ask(
    network: &Arc<Network>,
    maildirs: &Maildirs,
    ticket: Ticket,
    query: Query,
    token: &Token,
) {
    let (network, maildirs) = (Arc::clone(network), maildirs.clone());
    let token = token.also(Kind::Ask);
    let now = network.clock.now();
    // The thread is not waited for: its answer is an input like any other.
    drop(tokio::task::spawn_blocking(move || {
        let world = World { spool: &*network.spool, maildirs: &maildirs, now };
        let told = match world.answer(query) {
            Ok(answer) => ToHost::Answered { ticket, answer, token: token.into_kind(Kind::Input) },
            Err(Trouble::Body(damaged, answer)) => {
                let DamagedBody { body, damage } = damaged;
                let first = token.also(Kind::Input);
                network.tell(ToHost::Checked { key: body.key, damage: Some(damage), token: first });
                ToHost::Answered { ticket, answer, token: token.into_kind(Kind::Input) }
            }
            Err(Trouble::Store(reason)) => ToHost::Fatal { reason },
        };
        network.tell(told);
    }));
}

/// What a member's questions are about.
struct World<'a> {
    spool: &'a dyn Spool<Server>,
    maildirs: &'a Maildirs,
    now: Time,
}

/// What more than an answer is to be told.
enum Trouble {
    /// A stored body is damaged; the question is answered all the same.
    Body(DamagedBody, Answer),
    /// The store has failed, and the member must stop.
    Store(String),
}

impl World<'_> {
    fn answer(&self, query: Query) -> Result<Answer, Trouble> {
        match query {
            Query::Compose(notice) => self.compose(&notice),
            Query::Deposit { account, name, sender, hops, body } => {
                let mut reader = match self.spool.read(&body) {
                    Ok(reader) => reader,
                    Err(error) => return unreadable(error),
                };
                let deposited =
                    self.maildirs.deposit(&account, &name, sender.as_ref(), &hops, &mut reader);
                match deposited {
                    Ok(()) => Ok(Answer::Done),
                    Err(error) => failed(&error, DamagedBody::of(&error.source), error.refusal()),
                }
            }
            Query::Publish { account, name } => {
                let published = self.maildirs.publish(&account, &name);
                published.map_or_else(
                    |error| failed(&error, None, error.refusal()),
                    |()| Ok(Answer::Done),
                )
            }
            Query::Discard(key) => {
                // The spool is closed only when the host loop stops, which then needs no answer.
                let _ = self.spool.submit(Operation::Discard(key));
                Ok(Answer::Done)
            }
        }
    }

    fn compose(&self, notice: &Notice) -> Result<Answer, Trouble> {
        let original = notice.body.as_ref().map(|body| self.spool.read(body)).transpose();
        let mut original = match original {
            Ok(original) => original,
            Err(error) => return unreadable(error),
        };
        let octets = match compose(notice, original.as_mut(), self.now) {
            Ok(octets) => octets,
            Err(error) => return failed(&error, DamagedBody::of(&error), not_read()),
        };
        let taken = match take(self.spool.files(), self.spool.next_key(), &octets) {
            Ok(taken) => taken,
            Err(IntakeError::Store(error)) if !error.is_no_space() => {
                return Err(Trouble::Store(error.to_string()));
            }
            Err(_) => {
                return Ok(Answer::Failed(Refusal::new(452, "4.3.1", "no space for a notice")));
            }
        };
        if let Some(octets) = taken.row {
            let _ = self.spool.submit(Operation::Body { key: taken.body.key, octets });
        }
        Ok(Answer::Composed(taken.body))
    }
}

fn not_read() -> Refusal {
    Refusal::new(451, "4.3.0", "the message cannot be read")
}

fn unreadable(error: SpoolError) -> Result<Answer, Trouble> {
    let damaged = if let SpoolError::Damaged(damaged) = &error { Some(damaged) } else { None };
    failed(&error, damaged, not_read())
}

fn failed(
    error: &dyn core::error::Error,
    damaged: Option<&DamagedBody>,
    refusal: Refusal,
) -> Result<Answer, Trouble> {
    tracing::error!(%error, "a question has no good answer");
    let answer = Answer::Failed(refusal);
    match damaged {
        Some(damaged) => Err(Trouble::Body(damaged.clone(), answer)),
        None => Ok(answer),
    }
}
