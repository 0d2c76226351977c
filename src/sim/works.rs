//! The questions of a member to its machine room: DSNs, Maildirs, bodies.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::host::Work;
use super::maildir::{File, Renamed, path};
use super::network::HostIndex;
use super::world::{Happening, World};
use crate::kernel::{Input, Span};
use crate::protocol::member::{Answer, Filtered, Notice, Query};
use crate::protocol::queue::Ending;
use crate::protocol::session::lines_of_file;
use crate::wire::message::{Address, BodyKey, Field, Refusal};

/// How long a slow filter takes.
const SLOW_FILTER: core::ops::RangeInclusive<Span> = Span::seconds(1)..=Span::minutes(4);

impl World<'_> {
    /// Starts a file operation; it is done, and answered, after a delay.
    pub(super) fn ask(&mut self, host: HostIndex, work: Work) {
        let name = self.next_sequence();
        let mut delay = self.files_delay();
        if matches!(work.query, Query::Filter { .. }) && self.dice().strikes("filter.slow", 5) {
            delay = self.dice().span("filter.span", &SLOW_FILTER);
        }
        let at = &mut self.hosts[host];
        at.works.insert(name, work);
        let life = at.life;
        self.schedule(delay, Happening::Worked { host, life, work: name });
    }

    pub(super) fn work_done(&mut self, host: HostIndex, life: u32, work: u64) {
        if self.hosts[host].life != life {
            return;
        }
        let work = self.hosts[host].works.remove(&work).expect("a file operation ends once");
        let can_fail = !matches!(work.query, Query::Publish { .. } | Query::Discard(_));
        let full_one_in = self.swarm.full_one_in;
        let is_full = self.hosts[host].is_full;
        let answer = if can_fail && (is_full || self.dice().strikes("disk.full", full_one_in)) {
            Answer::Failed(Refusal::new(452, "4.3.1", "no space"))
        } else {
            self.do_work(host, &work.query)
        };
        self.feed(host, Input::Answer { ticket: work.ticket, answer });
        self.pump(host);
    }

    /// The effect of a file operation, durable when this returns (a DSN is not: it rides).
    pub(super) fn do_work(&mut self, host: HostIndex, query: &Query) -> Answer {
        match query {
            Query::Compose(notice) => self.compose(host, notice),
            Query::Reply(reply) => {
                let text = format!("From: {}\r\nTo: {}\r\n\r\n", reply.from, reply.to);
                Answer::Composed(self.hosts[host].disk.keep(text.into_bytes()))
            }
            Query::Header(body) => match self.look_into_body(host, body.key) {
                Ok(Some(octets)) => Answer::header_of(&octets),
                Ok(None) => Answer::Failed(Refusal::new(451, "4.3.0", "the body is lost")),
                Err(damage) => {
                    self.body_checked(host, body.key, Some(damage));
                    Answer::Failed(Refusal::new(451, "4.3.0", "damaged"))
                }
            },
            Query::Deposit { account, name, .. } => match self.file_of(host, query) {
                Ok(file) => {
                    self.hosts[host].maildirs.deposit(account, name, file);
                    Answer::Done
                }
                Err(answer) => answer,
            },
            Query::Publish { account, name, .. } => {
                let renamed = self.hosts[host].maildirs.publish(account, name);
                self.renamed(host, (account, name), renamed);
                let octets = self.hosts[host].maildirs.usage(account, &[], &[]);
                self.check_quota(host, account, octets);
                self.checkers.look(self.now, &self.hosts[host], host);
                Answer::Done
            }
            Query::Usage { account, without, unpublished, .. } => {
                let maildirs = &self.hosts[host].maildirs;
                Answer::Octets(maildirs.usage(account, without, unpublished))
            }
            Query::Filter { sender, recipients, body, .. } => {
                self.filter(host, (sender.as_ref(), recipients), body.key)
            }
            Query::Shared { .. } | Query::Store { .. } => {
                unreachable!("no store is one of the machine room")
            }
            Query::Discard(key) => {
                self.hosts[host].disk.discard(*key);
                self.checkers.look(self.now, &self.hosts[host], host);
                Answer::Done
            }
        }
    }

    /// The file that a question is to write; or the answer, where there is no content for it.
    pub(super) fn file_of(&mut self, host: HostIndex, query: &Query) -> Result<File, Answer> {
        let Query::Deposit { sender, hops, fields, suspect, body, .. } = query else {
            unreachable!("only a deposit writes a file")
        };
        let octets = match self.read_body(host, body.key) {
            Ok(Some(octets)) => octets,
            Ok(None) => return Err(Answer::Done),
            Err(damage) => {
                self.body_checked(host, body.key, Some(damage));
                return Err(Answer::Failed(Refusal::new(451, "4.3.0", "damaged")));
            }
        };
        let disk = &self.hosts[host].disk;
        let by = disk.passed_on_by(body.key, fields);
        let token = disk.token(body.key);
        let above = lines_of_file(sender.as_ref(), hops, fields, *suspect);
        let length = body.octets + above.len() as u64;
        Ok(File { token, by, path: path(&octets, hops), torn: false, octets: length })
    }

    /// A file was moved to its place, where the owner of the account sees it.
    pub(super) fn renamed(
        &mut self,
        host: HostIndex,
        (account, name): (&Address, &str),
        renamed: Renamed,
    ) {
        match renamed {
            Renamed::Before => {}
            Renamed::Published(File { torn: true, .. }) => {
                self.checkers.object("C1", &format!("{account}: {name} is torn"));
            }
            Renamed::Published(file) => {
                let now = self.now;
                let Self { hosts, log, .. } = self;
                log.row(now, hosts[host].name(), "stored", || {
                    let token = file.token.map_or_else(|| String::from("-"), |t| format!("{t}"));
                    format!("{token} for {account}, by {}", file.path.join(" "))
                });
                if let Some(token) = file.token {
                    self.checkers.published(token, file.by.as_ref().unwrap_or(account));
                }
            }
            Renamed::Over(_) => {
                self.checkers.object("C1", &format!("{account}: {name} was overwritten"));
            }
        }
    }

    /// A filter that does not know, refuses, or adds a field now and then. It refuses nothing of the null
    /// sender: what was submitted of it would vanish, and the checkers could not tell that from a loss.
    fn filter(
        &mut self,
        host: HostIndex,
        (sender, recipients): (Option<&Address>, &[Address]),
        key: BodyKey,
    ) -> Answer {
        match self.look_into_body(host, key) {
            Ok(Some(_)) => {}
            Ok(None) => return Answer::Failed(Refusal::new(451, "4.3.0", "the body is lost")),
            Err(damage) => {
                self.body_checked(host, key, Some(damage));
                return Answer::Failed(Refusal::new(451, "4.3.0", "damaged"));
            }
        }
        let field = Field { name: String::from("X-Filtered"), value: String::from("yes") };
        match self.dice().below("filter", 8) {
            0 => Answer::Failed(Refusal::new(451, "4.3.0", "the filter has died")),
            1 if sender.is_some() => {
                // Where the message is in custody already, its custodian may return it now.
                if let Some(token) = self.hosts[host].disk.token(key) {
                    recipients.iter().for_each(|to| self.checkers.refused(Some(token), to));
                }
                Answer::Filtered(Filtered::Reject { text: String::from("refused") })
            }
            2 => Answer::Filtered(Filtered::Pass { fields: Vec::from([field]) }),
            _ => Answer::Filtered(Filtered::Pass { fields: Vec::new() }),
        }
    }

    /// A file operation that a crash cuts short: of a file that is written some octets are there, under its
    /// name; the other operations are done or not.
    pub(super) fn tear(&mut self, host: HostIndex, query: &Query) {
        if let Query::Deposit { account, name, .. } = query {
            self.hosts[host].maildirs.deposit(account, name, File::torn());
        }
    }

    /// A DSN, in as few words as the checkers need.
    fn compose(&mut self, host: HostIndex, notice: &Notice) -> Answer {
        if let Some(body) = notice.body
            && let Err(damage) = self.look_into_body(host, body.key)
        {
            self.body_checked(host, body.key, Some(damage));
            return Answer::Failed(Refusal::new(451, "4.3.0", "damaged"));
        }
        let token = self.checkers.composed(self.now, &self.hosts[host], notice);
        let mut text = format!("From: postmaster@{}\r\nTo: {}\r\n", notice.reporter, notice.to);
        text.push_str(&token.line());
        text.push_str("Subject: delivery status\r\n\r\n");
        for (recipient, ending) in &notice.recipients {
            let word = match ending {
                Ending::Refused(refusal) => format!("{} {}", refusal.code, refusal.status),
                Ending::Delivered => String::from("delivered"),
                Ending::Relayed => String::from("relayed"),
            };
            text.push_str(&format!("{}: {word}\r\n", recipient.address));
        }
        Answer::Composed(self.hosts[host].disk.keep(text.into_bytes()))
    }
}
