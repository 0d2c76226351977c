//! Questions of the machine to the world, answered on threads that may block.

use std::sync::Arc;

use super::ToHost;
use crate::kernel::{Ticket, Time};
use crate::protocol::member::{Answer, Notice, Query};
use crate::protocol::server::Server;
use crate::server::bodies::{DamagedBody, IntakeError, take};
use crate::server::maildir::{Maildirs, trace_header};
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
            Ok(Answered { answer, damaged }) => {
                if let Some(DamagedBody { body, damage }) = damaged {
                    let token = token.also(Kind::Input);
                    network.tell(ToHost::Checked { key: body.key, damage: Some(damage), token });
                }
                ToHost::Answered { ticket, answer, token: token.into_kind(Kind::Input) }
            }
            Err(reason) => ToHost::Fatal { reason },
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

/// An answer, and what is to be told before it.
struct Answered {
    answer: Answer,
    /// A body that was read for it is not the one that was accepted.
    damaged: Option<DamagedBody>,
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Self { answer, damaged: None }
    }
}

impl World<'_> {
    /// The answer to `query`; `Err` when the store has failed and the member must stop.
    fn answer(&self, query: Query) -> Result<Answered, String> {
        match query {
            Query::Compose(notice) => self.compose(&notice),
            Query::Deposit { account, name, sender, hops, suspect, body } => {
                let mut reader = match self.spool.read(&body) {
                    Ok(reader) => reader,
                    Err(error) => return Ok(unreadable(&error)),
                };
                let header = trace_header(sender.as_ref(), &hops, suspect);
                let deposited = self.maildirs.deposit(&account, &name, &header, &mut reader);
                Ok(match deposited {
                    Ok(()) => Answer::Done.into(),
                    Err(error) => failed(&error, DamagedBody::of(&error.source), error.refusal()),
                })
            }
            Query::Publish { account, name } => Ok(match self.maildirs.publish(&account, &name) {
                Ok(()) => Answer::Done.into(),
                Err(error) => failed(&error, None, error.refusal()),
            }),
            Query::Discard(key) => {
                // The spool is closed only when the host loop stops, which then needs no answer.
                let _ = self.spool.submit(Operation::Discard(key));
                Ok(Answer::Done.into())
            }
        }
    }

    fn compose(&self, notice: &Notice) -> Result<Answered, String> {
        let original = notice.body.as_ref().map(|body| self.spool.read(body)).transpose();
        let mut original = match original {
            Ok(original) => original,
            Err(error) => return Ok(unreadable(&error)),
        };
        let octets = match compose(notice, original.as_mut(), self.now) {
            Ok(octets) => octets,
            Err(error) => return Ok(failed(&error, DamagedBody::of(&error), not_read())),
        };
        let taken = match take(self.spool.files(), self.spool.next_key(), &octets) {
            Ok(taken) => taken,
            Err(IntakeError::Store(error)) if !error.is_no_space() => {
                return Err(error.to_string());
            }
            Err(_) => {
                let refusal = Refusal::new(452, "4.3.1", "no space for a notice");
                return Ok(Answer::Failed(refusal).into());
            }
        };
        if let Some(octets) = taken.row {
            let _ = self.spool.submit(Operation::Body { key: taken.body.key, octets });
        }
        Ok(Answer::Composed(taken.body).into())
    }
}

fn not_read() -> Refusal {
    Refusal::new(451, "4.3.0", "the message cannot be read")
}

fn unreadable(error: &SpoolError) -> Answered {
    let damaged = if let SpoolError::Damaged(damaged) = error { Some(damaged) } else { None };
    failed(error, damaged, not_read())
}

fn failed(
    error: &dyn core::error::Error,
    damaged: Option<&DamagedBody>,
    refusal: Refusal,
) -> Answered {
    tracing::error!(%error, "a question has no good answer");
    Answered { answer: Answer::Failed(refusal), damaged: damaged.cloned() }
}
