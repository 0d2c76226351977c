//! The house that the members of a group share: what its store has of the accounts that are leased, and their
//! Maildirs. Nothing of it is lost with a member.
//!
//! What a member asks is late now and then, on the way there or back, or is done without the member hearing of it.
//! What a process has asked that is dead by then arrives, or does not: there is nothing else that a member which
//! was stopped, and goes on behind the end of its leases, could do to the house.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::draw::Dice;
use super::host::Work;
use super::maildir::{File, Maildirs};
use super::network::HostIndex;
use super::world::{Happening, World};
use crate::kernel::{Input, Span};
use crate::protocol::deliver::shared::{SharedAccount, SharedAnswer, SharedQuery};
use crate::protocol::member::{Answer, Query};
use crate::protocol::organization::Organization;
use crate::wire::accounts::LeaseEpoch;
use crate::wire::message::{Address, Refusal};

/// How long a way to the house takes that is late: longer than a lease of an account, now and then.
const LATE: RangeInclusive<Span> = Span::seconds(1)..=Span::seconds(90);

/// What members share. One house is enough for all groups: no account is leased in two of them.
#[derive(Clone, Debug, Default)]
pub struct House {
    /// What the store has of each account.
    pub(super) accounts: BTreeMap<Address, SharedAccount>,
    /// The files.
    pub(super) maildirs: Maildirs,
    /// One in so many ways to it and back is late.
    late_one_in: u32,
}

impl House {
    /// An empty one. How often it is late is drawn, where any account is leased.
    pub(super) fn draw(dice: &mut Dice<'_>, organization: &Organization) -> Self {
        if organization.accounts.iter().all(|account| account.group.is_none()) {
            return Self::default();
        }
        let late_one_in = dice.pick("house.late", &[0, 50, 8]).copied().unwrap_or(0);
        Self { late_one_in, ..Self::default() }
    }

    /// Every way takes the time that it should.
    pub(super) const fn heal(&mut self) {
        self.late_one_in = 0;
    }
}

/// What is done in the house.
#[derive(Clone, Debug)]
enum Wish {
    /// A question to the store.
    Ask(SharedQuery),
    /// A file is written.
    Write(String, File),
    /// A file is moved to its place.
    Publish(String),
    /// The files are counted.
    Count { without: Vec<String>, unpublished: Vec<String> },
    /// Nothing: the member cannot even ask.
    Fail(Answer),
}

/// A request on its way to the house.
#[derive(Clone, Debug)]
pub struct Errand {
    host: HostIndex,
    life: u32,
    /// The work that it is.
    work: u64,
    account: Address,
    wish: Wish,
}

/// Whether a question is one to the house.
pub(super) const fn is_for_the_house(query: &Query) -> bool {
    matches!(
        query,
        Query::Shared { .. }
            | Query::Deposit { shared: true, .. }
            | Query::Publish { shared: true, .. }
            | Query::Usage { shared: true, .. }
    )
}

impl World<'_> {
    /// Sends a member's request on its way to the house.
    pub(super) fn ask_house(&mut self, host: HostIndex, work: Work) {
        let (account, wish) = self.wish(host, &work.query);
        let name = self.next_sequence();
        let at = &mut self.hosts[host];
        at.works.insert(name, work);
        let life = at.life;
        let errand = Errand { host, life, work: name, account, wish };
        let delay = self.house_delay(host);
        self.schedule(delay, Happening::HouseActs(Box::new(errand)));
    }

    fn wish(&mut self, host: HostIndex, query: &Query) -> (Address, Wish) {
        match query.clone() {
            Query::Shared { account, query } => (account, Wish::Ask(query)),
            Query::Deposit { account, name, .. } => match self.file_of(host, query) {
                Ok(file) => (account, Wish::Write(name, file)),
                Err(answer) => (account, Wish::Fail(answer)),
            },
            Query::Publish { account, name, .. } => (account, Wish::Publish(name)),
            Query::Usage { account, without, unpublished, .. } => {
                (account, Wish::Count { without, unpublished })
            }
            other => unreachable!("{other:?} is none for the house"),
        }
    }

    /// How long a way takes; a scenario may say it for all ways of a member.
    fn house_delay(&mut self, host: HostIndex) -> Span {
        if let Some(span) = self.hosts[host].way_to_house {
            return span;
        }
        let late_one_in = self.house.late_one_in;
        if self.dice().strikes("house.is_late", late_one_in) {
            return self.dice().span("house.late.span", &LATE);
        }
        self.files_delay()
    }

    /// A request has arrived. It is done, and the answer goes back, if anybody is there to hear it.
    pub(super) fn house_acts(&mut self, errand: Errand) {
        let Errand { host, life, work, account, wish } = errand;
        let is_orphan = self.hosts[host].life != life;
        let wish = if is_orphan { self.orphaned(wish) } else { Some(wish) };
        let Some(wish) = wish else { return };
        let full_one_in = self.swarm.full_one_in;
        let mut answer = Answer::Failed(Refusal::new(452, "4.3.1", "the house does not answer"));
        let fails = self.dice().strikes("house.fails", full_one_in);
        if !fails || self.dice().below("house.is_done", 2) == 1 {
            let done = self.fulfil(host, &account, wish);
            // What is done all the same is not heard of.
            if !fails {
                answer = done;
            }
        }
        let delay = self.house_delay(host);
        if !is_orphan {
            let answers = Happening::HouseAnswers(host, life, work, Box::new(answer));
            self.schedule(delay, answers);
        }
    }

    /// What becomes of the wish of a process that is dead. Of a file that it was writing a part may be there.
    fn orphaned(&mut self, wish: Wish) -> Option<Wish> {
        let ways = if self.swarm.torn_writes { 3 } else { 2 };
        match (self.dice().below("house.orphan", ways), wish) {
            (0, _) => None,
            (2, Wish::Write(name, _)) => Some(Wish::Write(name, File::torn())),
            (_, wish) => Some(wish),
        }
    }

    /// The effect of a request: durable when this returns.
    fn fulfil(&mut self, host: HostIndex, account: &Address, wish: Wish) -> Answer {
        match wish {
            Wish::Fail(answer) => answer,
            Wish::Ask(query) => Answer::Shared(Box::new(self.commit(host, account, query))),
            Wish::Write(name, file) => {
                self.house.maildirs.deposit(account, &name, file);
                self.checkers.look_at_house(self.now, &self.house);
                Answer::Done
            }
            Wish::Publish(name) => {
                let renamed = self.house.maildirs.publish(account, &name);
                self.renamed(host, (account, &name), renamed);
                let octets = self.house.maildirs.usage(account, &[], &[]);
                self.check_quota(host, account, octets);
                self.checkers.look_at_house(self.now, &self.house);
                Answer::Done
            }
            Wish::Count { without, unpublished } => {
                Answer::Octets(self.house.maildirs.usage(account, &without, &unpublished))
            }
        }
    }

    /// One commit of the store, watched from outside.
    fn commit(&mut self, host: HostIndex, account: &Address, query: SharedQuery) -> SharedAnswer {
        let Self { hosts, house, checkers, log, now, .. } = self;
        let at = &hosts[host];
        let (epoch, asked) = words_of(&query);
        let line = match &query {
            SharedQuery::Record { origin, index, .. } => Some((origin.clone(), *index)),
            SharedQuery::Open { .. } => None,
        };
        let answer =
            house.accounts.entry(account.clone()).or_default().answer(query, &at.config.faults);
        log.row(*now, at.name(), "house", || {
            format!("{asked} {account} under {}: {}", epoch_in_words(&epoch), answered(&answer))
        });
        if !matches!(answer, SharedAnswer::Outbid(_)) {
            checkers.house_took(account, &epoch);
        }
        if let (SharedAnswer::Recorded(recorded), Some((origin, index))) = (&answer, &line) {
            checkers.recorded_in_house(origin, *index, recorded);
        }
        checkers.look_at_house(*now, house);
        answer
    }

    /// The member hears the answer.
    pub(super) fn house_answers(&mut self, host: HostIndex, life: u32, work: u64, answer: Answer) {
        if self.hosts[host].life != life {
            return;
        }
        let work = self.hosts[host].works.remove(&work).expect("a request is answered once");
        self.feed(host, Input::Answer { ticket: work.ticket, answer });
        self.pump(host);
    }
}

fn words_of(query: &SharedQuery) -> (LeaseEpoch, String) {
    match query {
        SharedQuery::Open { epoch, .. } => (epoch.clone(), String::from("opens")),
        SharedQuery::Record { epoch, origin, index, .. } => {
            (epoch.clone(), format!("records {origin} [{index}] for"))
        }
    }
}

/// A grant of a master's term, such as `2 of harbour-1's 3`.
fn epoch_in_words(LeaseEpoch { term, number }: &LeaseEpoch) -> String {
    format!("{number} of {}'s {}", term.member, term.counter)
}

fn answered(answer: &SharedAnswer) -> String {
    match answer {
        SharedAnswer::Opened { opening, journal } => {
            format!("opening {opening}, {} lines", journal.rows.len())
        }
        SharedAnswer::Recorded(_) => String::from("recorded"),
        SharedAnswer::Known(_) => String::from("known"),
        SharedAnswer::Outbid(seen) => format!("no, it has seen {}", epoch_in_words(seen)),
    }
}
