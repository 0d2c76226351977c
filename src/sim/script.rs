//! Scenarios: a script and the trace that it must give, in one text file.
//!
//! A file is a sequence of blocks, parted by blank lines: one command, a line `----`, and the rows that
//! the command gives. Lines that begin with `#` are for people. Delays are fixed and nothing is drawn
//! but by the members, so a scenario has one trace.
//!
//! With `quiet` behind a command its rows are counted, not shown.
//!
//! | command | what it does |
//! |---|---|
//! | `delays NETWORK DISK` | how long things take; first in the file if at all |
//! | `relay` | clients may send to addresses outside; before any member runs |
//! | `fault NAME` | turns a planted bug on; before any member runs |
//! | `boot MEMBER…` or `boot all` | starts processes |
//! | `crash MEMBER` | kills a process; writes under way are lost |
//! | `lose-disk MEMBER` | a member that is down has an empty disk |
//! | `image MEMBER`, `roll-back MEMBER` | makes a backup; a member that is down has its backup again |
//! | `fill MEMBER`, `empty MEMBER` | its disk takes no mail, takes mail |
//! | `forget MEMBER PEER` | the operator of MEMBER says that PEER will not come back |
//! | `drain MEMBER`, `undrain MEMBER` | its operator lets it queue nothing more for others, or do so again |
//! | `bury MEMBER GROUP` | the operator of MEMBER buries a group, although the configuration has it |
//! | `move ADDRESS MEMBER` | MEMBER gets the account, with its files and its part of the journal |
//! | `own MEMBER ADDRESS HOST EPOCH` | the file of MEMBER says that HOST has the account under EPOCH |
//! | `add MEMBER ADDRESS HOST` | MEMBER reads its file again: HOST has one account more, the revision is the next |
//! | `master MEMBER MASTER REVISION` | the file of MEMBER has this revision, and MASTER for the master of its group |
//! | `speak MEMBER WORD OTHER…`, `speak MEMBER plainly` | its lines and frames have OTHER for WORD (in which `_` is a space), as a neighbouring version may |
//! | `expect-group MEMBER VERSION FEATURE…` | its list says that the group speaks that |
//! | `expect-listed MEMBER OTHER STATE VERSION` | its list says that of the other one |
//! | `way MEMBER SPAN` | its way to the house that members share, and the way back, take so long from now on |
//! | `stall FROM TO SPAN` | the open connections that FROM opened to TO stand still so long; new ones do not |
//! | `rot MEMBER NAME`, `mend MEMBER` | an octet of the stored content turns over, and is put right |
//! | `send NAME MEMBER SENDER RECIPIENT…` | a client brings a message; `-` is the null sender |
//! | `cut FROM TO`, `silence FROM TO`, `heal FROM TO` | what FROM opens to TO is refused, stands still, works |
//! | `break FROM TO` | breaks the open connections that FROM opened to TO, with all that is under way |
//! | `orphan FROM TO` | the same for FROM only: what it has sent arrives |
//! | `snap FROM TO OCTETS` | they carry so many octets more of what FROM says, and break |
//! | `advance SPAN` | lets time pass |
//! | `until MEMBER TEXT` | lets things happen until a row of MEMBER contains TEXT |
//! | `expect-stored ADDRESS NAME GROUP…` | the copy lies there, and went by these groups |
//! | `expect-files ADDRESS COUNT` | so many files lie there |
//! | `expect-queue MEMBER COUNT` | so many messages are durably in its queue |
//! | `expect-doubt MEMBER COUNT`, `expect-suspects MEMBER COUNT` | so many recipients in its queue are so |
//! | `expect-state MEMBER CONNECTOR up|down` | so says the table of MEMBER |
//! | `expect-available MEMBER CONNECTOR SOURCE…` | these sources of it are available, by the table of MEMBER |
//! | `expect-owner MEMBER ADDRESS OWNER` | so MEMBER knows who has an account that is leased; `-` is nobody |
//! | `expect-buried MEMBER COUNT` | so many tombstones are in the table of MEMBER |
//! | `expect-settled` | every promised recipient has ended |

mod blocks;
mod members;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use blocks::{blocks, span};

use super::client::{Client, Draft, Letter};
use super::draw::Delays;
use super::faults::Swarm;
use super::limits::CLIENTS;
use super::log::Log;
use super::network::{Cut, End, HostIndex, OPENER, PipeId, TAKER};
use super::run::Plan;
use super::token::Token;
use super::workload::content;
use super::world::World;
use crate::kernel::{Seeded, Span};
use crate::protocol::faults::Faults;
use crate::protocol::linkstate::{ConnectorRecord, ConnectorState};
use crate::protocol::operator::{Burial, Order};
use crate::protocol::organization::Organization;
use crate::wire::deliver::Ownership;
use crate::wire::ids::Epoch;
use crate::wire::message::Address;

/// The most rows of one command.
const ROWS_LIMIT: usize = 1_000_000;
/// How long `until` waits in virtual time.
const UNTIL_LIMIT: Span = Span::hours(1);

/// A running scenario.
struct Stage<'c> {
    world: World<'c>,
    names: BTreeMap<String, Token>,
}

/// Runs a scenario and returns the file as it should be.
///
/// # Errors
/// A command that is wrong, an expectation that is not met, a property that is violated: with the command.
pub fn run(text: &str, organization: Organization) -> Result<String, String> {
    play(text, organization, false).map(|(file, _)| file)
}

/// Runs a scenario and returns its trace, NDJSON.
///
/// # Errors
/// As [`run`] has them.
pub fn trace(text: &str, organization: Organization) -> Result<String, String> {
    play(text, organization, true).map(|(_, trace)| trace)
}

fn play(text: &str, organization: Organization, trace: bool) -> Result<(String, String), String> {
    let blocks = blocks(text);
    let mut plan = Plan::new(Arc::new(organization), Span::ZERO);
    let mut delays = Delays::fixed(Span::milliseconds(1), Span::milliseconds(1));
    let mut faults = Vec::new();
    for block in &blocks {
        let words: Vec<&str> = block.command.split_whitespace().collect();
        match words[..] {
            ["delays", network, disk] => delays = Delays::fixed(span(network)?, span(disk)?),
            ["fault", name] => faults.push(name),
            ["relay"] => {
                plan.policy.relay_networks = Vec::from([CLIENTS.parse().expect("it is a network")]);
            }
            _ => {}
        }
    }
    plan.faults = Faults::named(faults).map_err(|name| format!("no planted bug `{name}`"))?;
    let mut choose = Seeded::new(0);
    let log = Log::new(ROWS_LIMIT, trace);
    let world = World::new(plan.configs(), delays, Swarm::calm(), log, &mut choose);
    let mut stage = Stage { world, names: BTreeMap::new() };
    let mut out = String::new();
    for block in &blocks {
        let rows = stage.command(block.command).map_err(|e| format!("`{}`: {e}", block.command))?;
        for comment in &block.comments {
            out.push_str(&format!("{comment}\n"));
        }
        out.push_str(&format!("{}\n----\n", block.command));
        rows.iter().for_each(|row| out.push_str(&format!("{row}\n")));
        out.push('\n');
    }
    let trace = String::from(stage.world.log.trace());
    Ok((out, trace))
}

impl Stage<'_> {
    fn command(&mut self, command: &str) -> Result<Vec<String>, String> {
        let (command, is_quiet) = match command.strip_suffix(" quiet") {
            Some(command) => (command, true),
            None => (command, false),
        };
        let words: Vec<&str> = command.split_whitespace().collect();
        let rows = if let ["until", member, ..] = words[..] {
            let text = command.splitn(3, ' ').nth(2).ok_or("until what?")?;
            self.until(member, text)?
        } else {
            self.act(&words)?;
            self.world.log.take_rows()
        };
        self.judge(&rows)?;
        Ok(if is_quiet { count(&rows) } else { rows })
    }

    fn act(&mut self, words: &[&str]) -> Result<(), String> {
        match *words {
            ["delays", ..] | ["fault", _] | ["relay"] => {}
            ["boot", "all"] => (0..self.world.hosts.len()).for_each(|host| self.world.boot(host)),
            ["boot", member] => {
                let host = self.host(member)?;
                self.world.boot(host);
            }
            ["crash", member] => {
                let host = self.host(member)?;
                self.world.crash(host);
            }
            ["forget", member, peer] => {
                let (host, peer) = (self.host(member)?, self.host(peer)?);
                self.world.forget(host, peer);
            }
            ["drain" | "undrain", member] => {
                let host = self.host(member)?;
                self.world.order(host, Order::Drain { on: words[0] == "drain" });
            }
            ["bury", member, group] => {
                let (host, group) = (self.host(member)?, String::from(group));
                let burial = Burial { group, reason: None, force: true, unknown: false };
                self.world.order(host, Order::Bury(burial));
            }
            ["send", name, member, sender, ref recipients @ ..] => {
                self.send(name, member, sender, recipients)?;
            }
            ["advance", length] => {
                let until = self.world.now + span(length)?;
                self.world.advance(until);
            }
            [
                "cut" | "silence" | "heal" | "break" | "orphan" | "stall" | "snap",
                from,
                to,
                ref more @ ..,
            ] => {
                self.act_on_connections(words[0], (from, to), more)?;
            }
            ["lose-disk" | "image" | "roll-back" | "fill" | "empty" | "mend", member] => {
                self.act_on_disk(words[0], member)?;
            }
            ["move", address, member] => {
                let to = self.host(member)?;
                if !self.world.move_account(&Address::from(address), to) {
                    return Err(format!("{address} is there, or moves already, or is no account"));
                }
            }
            ["own", member, address, host, epoch] => {
                let (at, owner) = (self.host(member)?, self.host(host)?);
                let epoch = epoch.parse().map_err(|_| format!("`{epoch}` is no epoch"))?;
                let member = self.world.hosts[owner].config.member.clone();
                let owner = Ownership { member, epoch: Epoch(epoch) };
                self.world.tell_owner(at, &Address::from(address), &owner);
            }
            ["add", member, address, host] => {
                let (at, owner) = (self.host(member)?, self.host(host)?);
                self.world.add_account(at, &Address::from(address), owner);
            }
            ["master", member, master, revision] => self.name_master(member, master, revision)?,
            ["speak", member, "plainly"] => {
                let host = self.host(member)?;
                self.world.hosts[host].dialect = None;
            }
            ["speak", member, word, ref other @ ..] if !other.is_empty() => {
                let host = self.host(member)?;
                self.world.hosts[host].dialect = Some((word.replace('_', " "), other.join(" ")));
            }
            ["rot", member, name] => self.rot(member, name)?,
            ["way", member, length] => {
                let host = self.host(member)?;
                self.world.hosts[host].way_to_house = Some(span(length)?);
            }
            _ => self.expect(words)?,
        }
        Ok(())
    }

    fn act_on_connections(
        &mut self,
        what: &str,
        (from, to): (&str, &str),
        more: &[&str],
    ) -> Result<(), String> {
        match (what, more) {
            ("cut", []) => self.cut(from, to, Cut::Refuse),
            ("silence", []) => self.cut(from, to, Cut::Silence),
            ("heal", []) => {
                let (from, to) = (self.host(from)?, self.host(to)?);
                self.world.heal(from, to);
                Ok(())
            }
            ("break", []) => self.break_connections(from, to, &[OPENER, TAKER]),
            ("orphan", []) => self.break_connections(from, to, &[OPENER]),
            ("snap", [octets]) => {
                let octets = octets.parse().map_err(|_| format!("`{octets}` is no number"))?;
                let hit = self.connections(from, to)?;
                self.world.snaps.extend(hit.into_iter().map(|pipe| (pipe, octets)));
                Ok(())
            }
            ("stall", [length]) => {
                let until = self.world.now + span(length)?;
                for pipe in self.connections(from, to)? {
                    self.world.network.stall(pipe, until);
                }
                Ok(())
            }
            _ => Err(String::from("no such command")),
        }
    }

    fn act_on_disk(&mut self, what: &str, member: &str) -> Result<(), String> {
        let host = self.host(member)?;
        let runs = || Err(format!("{member} runs, so its disk stays"));
        match what {
            "lose-disk" | "roll-back" if self.world.hosts[host].is_up() => return runs(),
            "lose-disk" => self.world.lose_disk(host),
            "image" => self.world.take_image(host),
            "roll-back" if !self.world.roll_back(host) => {
                return Err(format!("{member} has no backup"));
            }
            "fill" | "empty" => self.world.hosts[host].is_full = what == "fill",
            "mend" => {
                self.world.hosts[host].disk.mend();
            }
            _ => {}
        }
        Ok(())
    }

    fn judge(&self, rows: &[String]) -> Result<(), String> {
        let Some(violation) = self.world.checkers.violation() else { return Ok(()) };
        let last = rows.len().saturating_sub(super::run::ROWS_SHOWN);
        Err(format!("{violation}\n{}", rows[last..].join("\n")))
    }

    fn host(&self, name: &str) -> Result<HostIndex, String> {
        self.world.host_named(name).ok_or_else(|| format!("no member `{name}`"))
    }

    fn send(
        &mut self,
        name: &str,
        member: &str,
        sender: &str,
        recipients: &[&str],
    ) -> Result<(), String> {
        let host = self.host(member)?;
        let token = self.world.checkers.name_message();
        if self.names.insert(String::from(name), token).is_some() {
            return Err(format!("`{name}` stands for another message"));
        }
        let sender = (sender != "-").then(|| Address::from(sender));
        let recipients = recipients.iter().map(|address| Address::from(*address)).collect();
        let letter = Letter::new(sender, recipients);
        let draft = Draft { token, letter, content: content(token, 1) };
        let client = Client::new(self.world.clients.len(), Vec::from([draft]), false);
        self.world.come(client, host);
        Ok(())
    }

    fn name_master(&mut self, member: &str, master: &str, revision: &str) -> Result<(), String> {
        let (at, master) = (self.host(member)?, self.host(master)?);
        let revision = revision.parse().map_err(|_| format!("`{revision}` is no revision"))?;
        let master = self.world.hosts[master].config.member.clone();
        self.world.tell_master(at, &master, revision);
        Ok(())
    }

    fn rot(&mut self, member: &str, name: &str) -> Result<(), String> {
        let host = self.host(member)?;
        let token = *self.names.get(name).ok_or_else(|| format!("no message `{name}`"))?;
        let disk = &mut self.world.hosts[host].disk;
        let bodies = disk.bodies_of(token);
        bodies.iter().for_each(|key| disk.rot(*key));
        if bodies.is_empty() { Err(format!("{member} has no content of {name}")) } else { Ok(()) }
    }

    fn cut(&mut self, from: &str, to: &str, cut: Cut) -> Result<(), String> {
        let (from, to) = (self.host(from)?, self.host(to)?);
        self.world.cut(from, to, cut);
        Ok(())
    }

    /// The open connections that `from` opened to `to`.
    fn connections(&self, from: &str, to: &str) -> Result<Vec<PipeId>, String> {
        let (from, to) = (self.host(from)?, self.host(to)?);
        let is_hit = |end, wanted| matches!(end, End::Member { host, .. } if host == wanted);
        let pipes = self.world.network.pipes();
        let hit =
            pipes.filter(|(_, pipe)| is_hit(pipe.end(OPENER), from) && is_hit(pipe.end(TAKER), to));
        Ok(hit.map(|(id, _)| id).collect())
    }

    fn break_connections(&mut self, from: &str, to: &str, at: &[usize]) -> Result<(), String> {
        for pipe in self.connections(from, to)? {
            at.iter().for_each(|side| self.world.lost(pipe, *side));
        }
        Ok(())
    }

    fn until(&mut self, member: &str, text: &str) -> Result<Vec<String>, String> {
        let limit = self.world.now + UNTIL_LIMIT;
        let mut rows = Vec::new();
        loop {
            if !self.world.turn(limit) {
                return Err(format!("no such row before {}", limit.0 / 1_000_000));
            }
            let new = self.world.log.take_rows();
            let is_found = new
                .iter()
                .any(|row| row.split_whitespace().nth(1) == Some(member) && row.contains(text));
            rows.extend(new);
            self.judge(&rows)?;
            if is_found {
                return Ok(rows);
            }
        }
    }

    fn expect(&self, words: &[&str]) -> Result<(), String> {
        match *words {
            ["expect-stored", address, name, ref groups @ ..] => {
                self.expect_stored(address, name, groups)
            }
            ["expect-files", address, number] => {
                let address = Address::from(address);
                same(
                    self.world.all_maildirs().map(|all| all.published(&address).count()).sum(),
                    number,
                )
            }
            ["expect-queue", member, number] => {
                let host = self.host(member)?;
                same(self.world.hosts[host].disk.durable().spool.queue.len(), number)
            }
            ["expect-doubt", member, number] => {
                let queue = &self.world.hosts[self.host(member)?].disk.durable().spool.queue;
                same(queue.values().map(|message| message.doubts().len()).sum(), number)
            }
            ["expect-suspects", member, number] => {
                let queue = &self.world.hosts[self.host(member)?].disk.durable().spool.queue;
                let recipients = queue.values().flat_map(|m| &m.envelope.recipients);
                same(recipients.filter(|recipient| recipient.suspect).count(), number)
            }
            ["expect-state", member, connector, state] => {
                let host = self.host(member)?;
                self.expect_state(host, connector, state)
            }
            ["expect-available", member, connector, ref sources @ ..] => {
                self.expect_available(self.host(member)?, connector, sources)
            }
            ["expect-buried", member, number] => {
                let durable = self.world.hosts[self.host(member)?].disk.durable();
                same(durable.link.records.buried(), number)
            }
            ["expect-group", member, ref spoken @ ..] => {
                self.expect_group(self.host(member)?, spoken)
            }
            ["expect-listed", member, other, ref wanted @ ..] => {
                self.expect_listed(self.host(member)?, other, wanted)
            }
            ["expect-owner", member, address, owner] => {
                self.expect_owner(self.host(member)?, address, owner)
            }
            ["expect-settled"] => {
                let open = self.world.checkers.open();
                if open.is_empty() { Ok(()) } else { Err(open.join("; ")) }
            }
            _ => Err(String::from("no such command")),
        }
    }

    fn expect_stored(&self, address: &str, name: &str, groups: &[&str]) -> Result<(), String> {
        let token = self.names.get(name).ok_or_else(|| format!("no message `{name}`"))?;
        let account = Address::from(address);
        let mut files = self.world.all_maildirs().flat_map(|all| all.published(&account));
        let (_, file) = files
            .find(|(_, file)| file.token == Some(*token))
            .ok_or_else(|| format!("{name} is not stored for {address}"))?;
        if file.path == groups {
            Ok(())
        } else {
            Err(format!("it went by {}", file.path.join(" ")))
        }
    }

    fn expect_state(&self, host: HostIndex, connector: &str, wanted: &str) -> Result<(), String> {
        let state = match self.published(host, connector).map(|found| found.state) {
            None => "unknown",
            Some(ConnectorState::Up) => "up",
            Some(ConnectorState::Down) => "down",
        };
        if state == wanted { Ok(()) } else { Err(format!("it is {state}")) }
    }

    fn expect_available(
        &self,
        host: HostIndex,
        connector: &str,
        wanted: &[&str],
    ) -> Result<(), String> {
        let found = self.published(host, connector).ok_or("it is unknown")?;
        let sources = found.sources.iter();
        let available = sources.filter(|source| found.state_at(source) == ConnectorState::Up);
        let names: Vec<_> = available.map(|source| source.as_str()).collect();
        if names == wanted { Ok(()) } else { Err(format!("available: {}", names.join(" "))) }
    }

    /// What the table of a member says of a connector.
    fn published(&self, host: HostIndex, connector: &str) -> Option<&ConnectorRecord> {
        let table = &self.world.hosts[host].disk.durable().link.records;
        let mut all = table.records().flat_map(|record| &record.connectors);
        all.find(|found| found.name.as_str() == connector)
    }
}

fn same(count: usize, number: &str) -> Result<(), String> {
    if number.parse() == Ok(count) { Ok(()) } else { Err(format!("there are {count}")) }
}

/// How often each member had each kind of row.
fn count(rows: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in rows {
        let mut words = row.split_whitespace().skip(1);
        let key = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        *counts.entry(key).or_default() += 1;
    }
    counts.iter().map(|((who, what), count)| format!("{who:<8} {what:<8} {count}")).collect()
}
