//! Questions of the machine to the world, answered on threads that may block.

use std::io::{self, Read as _};
use std::sync::Arc;

use super::ToHost;
use crate::kernel::{Ticket, Time};
use crate::protocol::member::{Answer, Notice, Query};
use crate::protocol::server::Server;
use crate::server::bodies::{IntakeError, take};
use crate::server::maildir::Maildirs;
use crate::server::net::Network;
use crate::server::notices::{compose, compose_reply};
use crate::server::spool::{Operation, Spool, SpoolError};
use crate::server::tokens::{Kind, Token};
use crate::wire::header::{HEADER_LIMIT_OCTETS, fields};
use crate::wire::message::{BodyKey, Refusal};

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
        Query::Reply(reply) => {
            let octets = compose_reply(&reply, now);
            keep(spool, octets.map_err(|error| lost_original(&error)))
        }
        Query::Header(body) => Ok(read_header(spool, body.key)),
        Query::Deposit { account, name, folder, sender, hops, fields, body } => {
            let mut reader = match spool.read(body.key) {
                Ok(reader) => reader,
                Err(error) => return Ok(lost(&error)),
            };
            let (to, above) = ((&account, folder.as_deref()), (hops.as_slice(), fields.as_slice()));
            let deposited = maildirs.deposit(to, &name, sender.as_ref(), above, &mut reader);
            Ok(deposited.map_or_else(|error| failed(&error, error.refusal()), |()| Answer::Done))
        }
        Query::Publish { account, name, folder } => {
            let published = maildirs.publish((&account, folder.as_deref()), &name);
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
    let octets = compose(notice, &mut original, now);
    keep(spool, octets.map_err(|error| lost_original(&error)))
}

fn read_header(spool: &dyn Spool<Server>, key: BodyKey) -> Answer {
    let reader = match spool.read(key) {
        Ok(reader) => reader,
        Err(error) => return lost(&error),
    };
    let mut octets = Vec::new();
    match reader.take(HEADER_LIMIT_OCTETS as u64).read_to_end(&mut octets) {
        Ok(_) => Answer::Header(fields(&octets)),
        Err(error) => lost_original(&error),
    }
}

/// Keeps what was composed, as a body.
fn keep(spool: &dyn Spool<Server>, octets: Result<Vec<u8>, Answer>) -> Result<Answer, String> {
    let octets = match octets {
        Ok(octets) => octets,
        Err(answer) => return Ok(answer),
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

fn lost_original(error: &io::Error) -> Answer {
    failed(error, Refusal::new(451, "4.3.0", "the message cannot be read"))
}

fn lost(error: &SpoolError) -> Answer {
    failed(error, Refusal::new(451, "4.3.0", "the message cannot be read"))
}

fn failed(error: &dyn core::error::Error, refusal: Refusal) -> Answer {
    tracing::error!(%error, "a question has no good answer");
    Answer::Failed(refusal)
}
