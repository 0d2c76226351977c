//! Questions of the machine to the world, answered on threads that may block.

use std::io::{self, Read as _};
use std::sync::Arc;

use super::ToHost;
use crate::kernel::{Ticket, Time};
use crate::protocol::master::election::{StoreAnswer, StoreWord};
use crate::protocol::member::{Answer, Notice, Query};
use crate::protocol::server::Server;
use crate::protocol::session::lines_of_file;
use crate::server::bodies::{DamagedBody, IntakeError, take};
use crate::server::maildir::Maildirs;
use crate::server::net::Network;
use crate::server::notices::{compose, compose_reply};
use crate::server::shared::{Shared, SharedMaildirs};
use crate::server::spool::{Operation, Spool, SpoolError};
use crate::server::tokens::{Kind, Token};
use crate::wire::header::HEADER_LIMIT_OCTETS;
use crate::wire::message::{Body, Refusal};

/// Asks the world; the answer comes back to the host loop.
pub(super) fn ask(
    network: &Arc<Network>,
    (maildirs, shared): (&Maildirs, Option<&Shared>),
    ticket: Ticket,
    query: Query,
    token: &Token,
) {
    let (network, maildirs) = (Arc::clone(network), maildirs.clone());
    let shared = shared.map(|shared| shared.maildirs().clone());
    let token = token.also(Kind::Ask);
    let now = network.clock.now();
    // The thread is not waited for: its answer is an input like any other.
    drop(tokio::task::spawn_blocking(move || {
        let world =
            World { spool: &*network.spool, maildirs: &maildirs, shared: shared.as_ref(), now };
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
    /// Those that the members of the group share.
    shared: Option<&'a SharedMaildirs>,
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
            Query::Reply(reply) => match compose_reply(&reply, self.now) {
                Ok(octets) => self.keep(&octets),
                Err(error) => Ok(failed(&error, None, not_read())),
            },
            Query::Header(body) => Ok(self.read_header(&body)),
            Query::Deposit {
                account,
                shared,
                name,
                folder,
                sender,
                hops,
                fields,
                suspect,
                body,
            } => {
                let maildirs = match self.maildirs(shared) {
                    Ok(maildirs) => maildirs,
                    Err(refusal) => return Ok(Answer::Failed(refusal).into()),
                };
                let mut reader = match self.spool.read(&body) {
                    Ok(reader) => reader,
                    Err(error) => return Ok(unreadable(&error)),
                };
                let above = lines_of_file(sender.as_ref(), &hops, &fields, suspect);
                let to = (&account, folder.as_deref());
                let deposited = maildirs.deposit(to, &name, &above, &mut reader);
                Ok(match deposited {
                    Ok(()) => match self.shared.filter(|_| shared).map(|s| s.confirm(to, &name)) {
                        Some(Err(refusal)) => Answer::Failed(refusal).into(),
                        _ => Answer::Done.into(),
                    },
                    Err(error) => failed(&error, DamagedBody::of(&error.source), error.refusal()),
                })
            }
            Query::Publish { account, shared, name, folder } => {
                let maildirs = match self.maildirs(shared) {
                    Ok(maildirs) => maildirs,
                    Err(refusal) => return Ok(Answer::Failed(refusal).into()),
                };
                let to = (&account, folder.as_deref());
                let published = if shared {
                    maildirs.publish_what_is_there(to, &name)
                } else {
                    maildirs.publish(to, &name)
                };
                Ok(match published {
                    Ok(()) => Answer::Done.into(),
                    Err(error) => failed(&error, None, error.refusal()),
                })
            }
            Query::Usage { account, shared, without, unpublished } => {
                let maildirs = match self.maildirs(shared) {
                    Ok(maildirs) => maildirs,
                    Err(refusal) => return Ok(Answer::Failed(refusal).into()),
                };
                Ok(match maildirs.usage(&account, &without, &unpublished) {
                    Ok(octets) => Answer::Octets(octets).into(),
                    Err(error) => failed(&error, None, error.refusal()),
                })
            }
            // Where the machine asks for a filter there is one, and it is asked in another way.
            Query::Filter { .. } => Ok(failed(&NoFilter, None, not_read())),
            // So is the shared store, where the member has one.
            Query::Shared { .. } => Ok(Answer::Failed(no_store()).into()),
            // Where a store decides it is asked in another way, and no member runs without it.
            Query::Store { query, .. } => {
                let word = StoreWord::Silent;
                Ok(Answer::Store(StoreAnswer { round: query.round, word }).into())
            }
            Query::Discard(key) => {
                // The spool is closed only when the host loop stops, which then needs no answer.
                let _ = self.spool.submit(Operation::Discard(key));
                Ok(Answer::Done.into())
            }
        }
    }

    /// Where the accounts are that are meant: here, or in the store that members share, if it is there.
    fn maildirs(&self, is_shared: bool) -> Result<&Maildirs, Refusal> {
        if !is_shared {
            return Ok(self.maildirs);
        }
        let shared = self.shared.ok_or_else(no_store)?;
        // The log has it once, however much mail there is.
        shared.reach()
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
        self.keep(&octets)
    }

    /// The header of a body. All of the body is read, since only then it is known to be the accepted one.
    fn read_header(&self, body: &Body) -> Answered {
        let mut reader = match self.spool.read(body) {
            Ok(reader) => reader,
            Err(error) => return unreadable(&error),
        };
        let mut octets = Vec::new();
        let header = reader.by_ref().take(HEADER_LIMIT_OCTETS as u64).read_to_end(&mut octets);
        match header.and_then(|_| io::copy(&mut reader, &mut io::sink())) {
            Ok(_) => Answer::header_of(&octets).into(),
            Err(error) => failed(&error, DamagedBody::of(&error), not_read()),
        }
    }

    /// Keeps what was composed, as a body.
    fn keep(&self, octets: &[u8]) -> Result<Answered, String> {
        let taken = match take(self.spool.files(), self.spool.next_key(), octets) {
            Ok(taken) => taken,
            Err(IntakeError::Store(error)) if !error.is_no_space() && !error.is_no_file() => {
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

/// The machine asks for a filter that the host was not given.
#[derive(Debug)]
struct NoFilter;

impl core::fmt::Display for NoFilter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("there is no filter")
    }
}

impl core::error::Error for NoFilter {}

/// An account is leased, and the member was not told where the store is. No configuration that was checked lets that be.
fn no_store() -> Refusal {
    tracing::error!("there is no store of leased accounts");
    Refusal::new(451, "4.3.5", "the store of the account is not configured")
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
