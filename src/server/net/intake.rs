//! How a connection takes a body in.

use std::sync::Arc;

use super::connection::Connection;
use crate::clause;
use crate::protocol::server::{BodyProblem, PartialName, Wire};
use crate::server::bodies::{Intake, IntakeError, Taken};
use crate::server::runtime::ToHost;
use crate::server::spool::{Operation, ROW_LIMIT_OCTETS};
use crate::wire::framer::{EXPECTED_BODY_END, EXPECTED_CRLF};
use crate::wire::hops::EXPECTED_FEWER_HOPS;
use crate::wire::{DecodeError, Mode};

/// The body that a connection is in.
#[derive(Debug)]
pub(super) enum Taking {
    /// None.
    Nothing,
    /// This one.
    Body(Intake),
    /// One that is not kept, and whose rest is dropped.
    Spoiled(BodyProblem),
}

impl Taking {
    /// What the session is told when the framer found something wrong in `mode`.
    pub(super) fn end_badly(&mut self, mode: Mode, error: DecodeError, said: Vec<u8>) -> Wire {
        let taken = core::mem::replace(self, Self::Nothing);
        if !mode.is_content() || matches!(mode, Mode::Block(_)) {
            return Wire::Bad { error, said };
        }
        match error.expected {
            EXPECTED_CRLF if matches!(mode, Mode::Text(_)) => Wire::NoBody(match taken {
                Self::Spoiled(problem) => problem,
                Self::Body(intake) => {
                    BodyProblem::Unfit { offset: error.offset as u64, digest: intake.into_digest() }
                }
                Self::Nothing => unreachable!("an empty text has no line end"),
            }),
            EXPECTED_FEWER_HOPS => Wire::NoBody(BodyProblem::TooManyHops(error.offset as u64)),
            EXPECTED_BODY_END => Wire::NoBody(BodyProblem::TooLarge),
            EXPECTED_CRLF => Wire::NoBody(BodyProblem::BareLineEnd(error.offset as u64)),
            _ => Wire::Bad { error, said },
        }
    }
}

const fn limit_of(mode: Mode) -> u64 {
    match mode {
        Mode::Dots(limit) | Mode::Mail(limit) | Mode::Octets(limit) | Mode::Text(limit) => limit,
        Mode::Paused | Mode::Line(_) | Mode::Secret(_) | Mode::Block(_) | Mode::Frame(_) => 0,
    }
}

impl Connection {
    /// Goes on with what is kept of a body; how much that is.
    pub(super) fn take_partial(&mut self, name: PartialName) -> u64 {
        let now = self.network.clock.now();
        let mut partials = self.network.partials();
        if self.network.spool.is_full() {
            clause!(SU_061);
            partials.clear();
        }
        let kept = partials.take(&name, now);
        drop(partials);
        self.resumable = Some(name);
        let (octets, taking) = match kept {
            Some((octets, intake)) => (octets, Taking::Body(intake)),
            None => (0, Taking::Nothing),
        };
        self.taking = taking;
        octets
    }

    /// The connection ends: what came of a body that its sender can go on with is kept.
    pub(super) fn keep_partial(&mut self) {
        let taken = core::mem::replace(&mut self.taking, Taking::Nothing);
        let (Some(name), Taking::Body(intake)) = (self.resumable.take(), taken) else { return };
        // Before the first octet of the text the framer is at the envelope: the part is as it was.
        if matches!(self.mode, Mode::Text(_)) && !self.framer.is_fair_text() {
            return;
        }
        let (octets, now) = (intake.octets(), self.network.clock.now());
        self.network.partials().keep(name, octets, intake, now);
    }

    /// Takes the next piece of a body. `Err`: the store has failed, and the host knows.
    pub(super) async fn take_piece(&mut self, piece: Vec<u8>) -> Result<(), ()> {
        let mut intake = match core::mem::replace(&mut self.taking, Taking::Nothing) {
            Taking::Nothing => match self.new_intake().await {
                Ok(intake) => intake,
                Err(problem) => {
                    self.taking = Taking::Spoiled(problem);
                    return Ok(());
                }
            },
            Taking::Body(intake) => intake,
            spoiled @ Taking::Spoiled(_) => {
                self.taking = spoiled;
                return Ok(());
            }
        };
        let grown = intake.octets() + piece.len() as u64;
        let (intake, pushed) = if grown <= ROW_LIMIT_OCTETS as u64 {
            let pushed = intake.push(&piece);
            (intake, pushed)
        } else {
            blocking(move || {
                let pushed = intake.push(&piece);
                (intake, pushed)
            })
            .await
        };
        self.taking = match pushed {
            Ok(()) => Taking::Body(intake),
            Err(error) => Taking::Spoiled(self.problem(error)?),
        };
        Ok(())
    }

    /// Ends the body; says what the session is told.
    pub(super) async fn end_body(&mut self) -> Result<Wire, ()> {
        self.resumable = None;
        let intake = match core::mem::replace(&mut self.taking, Taking::Nothing) {
            Taking::Nothing => match self.new_intake().await {
                Ok(intake) => intake,
                Err(problem) => return Ok(Wire::NoBody(problem)),
            },
            Taking::Body(intake) => intake,
            Taking::Spoiled(problem) => return Ok(Wire::NoBody(problem)),
        };
        let finished = if intake.octets() <= ROW_LIMIT_OCTETS as u64 {
            intake.finish()
        } else {
            blocking(move || intake.finish()).await
        };
        let Taken { body, row } = match finished {
            Ok(taken) => taken,
            Err(error) => return Ok(Wire::NoBody(self.problem(error)?)),
        };
        if let Some(octets) = row {
            let row = Operation::Body { key: body.key, octets };
            // A spool that is closed has told the host why; what follows will never be spoken.
            self.network.spool.submit(row).map_err(|_| ())?;
        }
        Ok(Wire::Body(body))
    }

    /// The beginning of a body, unless the disk is too full for a new one.
    async fn new_intake(&self) -> Result<Intake, BodyProblem> {
        let spool = &self.network.spool;
        if spool.is_full() {
            clause!(SV_015);
            clause!(SU_061);
            self.network.partials().clear();
            let spool = Arc::clone(spool);
            if !blocking(move || spool.admits()).await {
                return Err(BodyProblem::NoSpace);
            }
        }
        Ok(Intake::new(spool.files().clone(), spool.next_key(), limit_of(self.mode)))
    }

    fn problem(&self, error: IntakeError) -> Result<BodyProblem, ()> {
        let problem = error.problem().map_err(|error| {
            self.network.tell(ToHost::Fatal { reason: error.to_string() });
        })?;
        if problem == BodyProblem::NoSpace {
            self.network.partials().clear();
        }
        Ok(problem)
    }
}

async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
