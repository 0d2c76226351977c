//! Questions of the machine to the world, answered on threads that may block.

use std::sync::Arc;

use super::ToHost;
use crate::kernel::{Ticket, Time};
use crate::protocol::member::{Answer, Notice, Query};
use crate::protocol::server::Server;
use crate::server::bodies::{IntakeError, take};
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
        let told = match answer(&*network.spool, &maildirs, query, now) {
            Ok(answer) => {
                let token = token.into_kind(Kind::Input);
                ToHost::Answered { ticket, answer, token }
            }
            Err(reason) => ToHost::Fatal { reason },
        };
        network.tell(told);
    }));
}

/// The answer to `query`; `Err` when the store has failed and the member must stop.
fn answer(
    spool: &dyn Spool<Server>,
    maildirs: &Maildirs,
    query: Query,
    now: Time,
) -> Result<Answer, String> {
    match query {
        Query::Compose(notice) => compose_notice(spool, &notice, now),
        Query::Deposit { account, name, sender, hops, suspect, body } => {
            let mut reader = match spool.read(body.key) {
                Ok(reader) => reader,
                Err(error) => return Ok(lost(&error)),
            };
            let header = trace_header(sender.as_ref(), &hops, suspect);
            let deposited = maildirs.deposit(&account, &name, &header, &mut reader);
            Ok(deposited.map_or_else(|error| failed(&error, error.refusal()), |()| Answer::Done))
        }
        Query::Publish { account, name } => {
            let published = maildirs.publish(&account, &name);
            Ok(published.map_or_else(|error| failed(&error, error.refusal()), |()| Answer::Done))
        }
        Query::Discard(key) => {
            // The spool is closed only when the host loop stops, which then needs no answer.
            let _ = spool.submit(Operation::Discard(key));
            Ok(Answer::Done)
        }
    }
}

fn compose_notice(spool: &dyn Spool<Server>, notice: &Notice, now: Time) -> Result<Answer, String> {
    let mut original = match spool.read(notice.body.key) {
        Ok(reader) => reader,
        Err(error) => return Ok(lost(&error)),
    };
    let octets = match compose(notice, &mut original, now) {
        Ok(octets) => octets,
        Err(error) => {
            let refusal = Refusal::new(451, "4.3.0", "the message cannot be read");
            return Ok(failed(&error, refusal));
        }
    };
    let taken = match take(spool.files(), spool.next_key(), &octets) {
        Ok(taken) => taken,
        Err(IntakeError::Store(error)) if !error.is_no_space() => return Err(error.to_string()),
        Err(_) => {
            return Ok(Answer::Failed(Refusal::new(452, "4.3.1", "no space for a notice")));
        }
    };
    if let Some(octets) = taken.row {
        let _ = spool.submit(Operation::Body { key: taken.body.key, octets });
    }
    Ok(Answer::Composed(taken.body))
}

fn lost(error: &SpoolError) -> Answer {
    failed(error, Refusal::new(451, "4.3.0", "the message cannot be read"))
}

fn failed(error: &dyn core::error::Error, refusal: Refusal) -> Answer {
    tracing::error!(%error, "a question has no good answer");
    Answer::Failed(refusal)
}
