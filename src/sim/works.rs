//! The questions of a member to its machine room: DSNs, Maildirs, bodies.

use alloc::format;
use alloc::string::String;

use super::host::Work;
use super::maildir::{File, Renamed, path};
use super::network::HostIndex;
use super::world::{Happening, World};
use crate::kernel::Input;
use crate::protocol::member::{Answer, Notice, Query};
use crate::wire::message::Refusal;

impl World<'_> {
    /// Starts a file operation; it is done, and answered, after a delay.
    pub(super) fn ask(&mut self, host: HostIndex, work: Work) {
        let name = self.next_sequence();
        let delay = self.files_delay();
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
        let can_fail = matches!(work.query, Query::Compose(_) | Query::Deposit { .. });
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
            Query::Deposit { account, name, hops, body, .. } => {
                let at = &mut self.hosts[host];
                let Some(octets) = at.disk.body(body.key) else {
                    let text = format!("{} deposits a body that it has lost", at.name());
                    self.checkers.object("C1", &text);
                    return Answer::Done;
                };
                let file = File { token: at.disk.token(body.key), path: path(&octets, hops) };
                at.maildirs.deposit(account, name, file);
                Answer::Done
            }
            Query::Publish { account, name } => {
                match self.hosts[host].maildirs.publish(account, name) {
                    Renamed::Before => {}
                    Renamed::Published(file) => {
                        let now = self.now;
                        let Self { hosts, log, .. } = self;
                        log.row(now, hosts[host].name(), "stored", || {
                            let token =
                                file.token.map_or_else(|| String::from("-"), |t| format!("{t}"));
                            format!("{token} for {account}, by {}", file.path.join(" "))
                        });
                        if let Some(token) = file.token {
                            self.checkers.published(token, account);
                        }
                    }
                    Renamed::Over(_) => {
                        self.checkers.object("C1", &format!("{account}: {name} was overwritten"));
                    }
                }
                self.checkers.look(self.now, &self.hosts[host], host);
                Answer::Done
            }
            Query::Discard(key) => {
                self.hosts[host].disk.discard(*key);
                self.checkers.look(self.now, &self.hosts[host], host);
                Answer::Done
            }
        }
    }

    /// A DSN, in as few words as the checkers need.
    fn compose(&mut self, host: HostIndex, notice: &Notice) -> Answer {
        let about = self.hosts[host].disk.token(notice.body.key);
        let indexes = notice.recipients.iter().map(|(recipient, _)| recipient.index).collect();
        let token = self.checkers.composed(about, notice.kind, indexes, &notice.to);
        let mut text = format!("From: postmaster@{}\r\nTo: {}\r\n", notice.reporter, notice.to);
        text.push_str(&token.line());
        text.push_str("Subject: delivery status\r\n\r\n");
        for (recipient, refusal) in &notice.recipients {
            text.push_str(&format!(
                "{}: {} {}\r\n",
                recipient.address, refusal.code, refusal.status
            ));
        }
        Answer::Composed(self.hosts[host].disk.keep(text.into_bytes()))
    }
}
