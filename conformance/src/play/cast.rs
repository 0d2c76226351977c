//! The members that the suite plays when the node calls them: a bridgehead of another group and a host
//! of accounts. Both are as the specification wants them, but for the cues of the case.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::news::{Digest, Heard, merged_in_chunks, with_nodes};
use crate::cluster::Cluster;
use crate::event::Stop;
use crate::net::{Port, Wire};
use crate::organization::{RG2_RECORD, RG3_RECORD};
use crate::script::frame;
use crate::smtp::{parameter, starts_with};

/// The disk that played members say they have.
pub(crate) const PLAYED_STORE: &str = "00000000c0ffee01";
/// What a played member does instead of the ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It says this line, in which `{id}`, `{offer}`, `{queue}` and `{index}` are replaced.
    Say(&'static str),
    /// It takes the command as ever, and its reply is lost with the connection.
    Lose,
    /// It takes nothing, and closes the connection.
    Close,
    /// It says nothing, and keeps the connection.
    Hang,
    /// It does as ever, and says its reply when the case has it do so.
    Later,
    /// It takes the news, and knows of links what this says: under the digest of no table, or under the
    /// one that it was told.
    Merged(Digest, &'static [&'static str]),
    /// It takes the news, and says that the record in it has another content under the same version.
    Contest,
    /// It takes the news, and answers it under the digest of no table with these nodes.
    Nodes(&'static str),
    /// It takes the news, and says that its table differs everywhere: in each child of each inner node that
    /// it is told, and of the root when it is asked.
    Differs,
}

/// How often a cue is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Whenever the command is heard.
    Always,
    /// When it is heard for this time, the first being 1.
    Time(u32),
}

/// A departure from the ordinary: at a command that begins with a text. `RESULT [n]` stands for the
/// moment at which the result of the recipient with that index is due, `OCTETS` for the end of an offer,
/// `GREETING` for the first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cue {
    /// How the command begins.
    pub(crate) at: &'static str,
    /// How often.
    pub(crate) when: When,
    /// What is done.
    pub(crate) does: Answer,
}

/// A played member behind one door.
#[derive(Default)]
struct Actor {
    cues: Vec<Cue>,
    heard: BTreeMap<&'static str, u32>,
    /// The transfers that it has in its custody.
    accepted: BTreeSet<String>,
    /// The recipients that it has delivered: origin and index.
    delivered: BTreeSet<(String, String)>,
    /// The accounts that it has leased so far, as a master.
    grants: u64,
}

/// What a guest is expected to say.
enum Expected {
    Line,
    /// The octets of an offer: how many, transfer and offer.
    Octets(usize, String, String),
    /// Content behind DATA, up to the dot.
    Content,
}

/// A connection on which the node is the client.
struct Guest {
    door: (String, Port),
    wire: Wire,
    expected: Expected,
    origin: String,
    /// The recipients that were accepted behind the last MAIL.
    indexes: VecDeque<String>,
    /// The news under way.
    news: Heard,
    /// The reply that it has not said yet.
    kept: String,
    closed: bool,
}

/// All played members.
pub(super) struct Troupe {
    actors: BTreeMap<(String, Port), Actor>,
    guests: Vec<Guest>,
}

impl Troupe {
    /// An ordinary member behind each door.
    pub(super) fn at_all_doors(cluster: &Cluster) -> Self {
        let actors = cluster.doors().into_iter().map(|door| (door, Actor::default())).collect();
        Self { actors, guests: Vec::new() }
    }

    /// From now on these are the cues behind a door.
    pub(super) fn cast(&mut self, link: &str, port: Port, cues: &[Cue]) {
        let actor = self.actors.entry((link.to_owned(), port)).or_default();
        actor.cues = cues.to_vec();
        actor.heard.clear();
    }

    /// The node died: its connections are over.
    pub(super) fn forget_guests(&mut self) {
        self.guests.clear();
    }

    /// Says a frame on every connection behind a door, unasked.
    pub(super) fn tell(&self, link: &str, port: Port, content: &str) {
        let here = |guest: &&Guest| guest.door.0 == link && guest.door.1 == port;
        for guest in self.guests.iter().filter(here) {
            guest.wire.send(frame(&format!("{content}\r\n")).as_bytes());
        }
    }

    /// Says on every connection behind a door what was to be said later.
    pub(super) fn say_now(&mut self, link: &str, port: Port) {
        for guest in self.guests.iter_mut().filter(|g| g.door.0 == link && g.door.1 == port) {
            guest.wire.send(core::mem::take(&mut guest.kept).as_bytes());
        }
    }

    /// Lets everybody answer what has been heard by now; whether anything was.
    pub(super) fn turn(&mut self, cluster: &Cluster) -> Result<bool, Stop> {
        let mut moved = false;
        for ((link, port), actor) in &mut self.actors {
            while let Some((_, wire)) = cluster.visitor_now(link, *port)? {
                let mut guest = Guest::new((link.clone(), *port), wire);
                guest.greet(actor);
                self.guests.push(guest);
                moved = true;
            }
        }
        for guest in &mut self.guests {
            let Some(actor) = self.actors.get_mut(&guest.door) else { continue };
            while !guest.closed && guest.hear(actor) {
                moved = true;
            }
        }
        let before = self.guests.len();
        self.guests.retain(|guest| !guest.closed && !guest.wire.is_over());
        Ok(moved || before != self.guests.len())
    }
}

impl Actor {
    /// What the cues say about a command.
    fn cue(&mut self, line: &str) -> Option<Answer> {
        let mut found = None;
        let mut counted: Vec<&str> = Vec::new();
        for cue in self.cues.iter().filter(|cue| starts_with(line, cue.at)) {
            let times = self.heard.entry(cue.at).or_insert(0);
            if !counted.contains(&cue.at) {
                counted.push(cue.at);
                *times += 1;
            }
            let is_due = match cue.when {
                When::Always => true,
                When::Time(time) => time == *times,
            };
            found = found.or_else(|| is_due.then_some(cue.does));
        }
        found
    }
}

/// What a master answers to CLAIM and RENEW that grants everything: each account that is claimed under a
/// number of its own, and what somebody has as it is.
fn leased(verb: &str, words: &[&str], actor: &mut Actor) -> Option<String> {
    const TERM: core::ops::Range<usize> = 3..6;
    const LIST: usize = 7;
    let (term, list) = (words.get(TERM)?.join(" "), words.get(LIST..)?);
    if verb == "RENEW" {
        return Some(format!(" LEASED {{id}} {} ()", list.join(" ")));
    }
    let accounts = list.get(1..list.len().checked_sub(1)?)?;
    let granted = accounts.iter().map(|account| {
        actor.grants += 1;
        format!("{account} {term} {:x}", actor.grants)
    });
    let granted: Vec<String> = granted.collect();
    Some(format!(" LEASED {{id}} ( {} ) ()", granted.join(" ")))
}

/// What must follow a 354 to an offer, from this octet of the body on.
fn octets_of(line: &str, from: Option<&str>) -> Expected {
    let number = |text: Option<&str>| text.and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
    let [envelope, body] = ["ENVELOPE", "BODY"].map(|name| number(parameter(line, name)));
    let [id, offer] = ["ID", "OFFER"].map(|name| parameter(line, name).unwrap_or_default());
    let octets = envelope + body.saturating_sub(number(from));
    Expected::Octets(octets, id.to_owned(), offer.to_owned())
}

fn line_of(octets: &[u8]) -> Option<(String, usize)> {
    let end = octets.windows(2).position(|pair| pair == b"\r\n")?;
    Some((String::from_utf8_lossy(&octets[..end]).into_owned(), end + 2))
}

fn content_of(octets: &[u8]) -> Option<((), usize)> {
    if octets.starts_with(b".\r\n") {
        return Some(((), 3));
    }
    let end = octets.windows(5).position(|window| window == b"\r\n.\r\n")?;
    Some(((), end + 5))
}

fn frame_of(octets: &[u8]) -> Option<(String, usize)> {
    const COUNT: usize = 10;
    let count = core::str::from_utf8(octets.get(1..COUNT - 1)?).ok()?;
    let end = COUNT + usize::from_str_radix(count, 16).ok()?;
    let content = String::from_utf8_lossy(octets.get(COUNT..end)?);
    Some((content.trim_end().to_owned(), end))
}

impl Guest {
    fn new(door: (String, Port), wire: Wire) -> Self {
        Self {
            door,
            wire,
            expected: Expected::Line,
            origin: String::new(),
            indexes: VecDeque::new(),
            news: Heard::default(),
            kept: String::new(),
            closed: false,
        }
    }

    /// Who is played.
    fn name(&self) -> &str {
        let member = self.door.0.rsplit('>').next().and_then(|name| name.split('/').next());
        match self.door.0.as_str() {
            "RG1-RG3" => "rg3-a",
            link if link.contains('>') => member.unwrap_or_default(),
            _ => "rg2-a",
        }
    }

    fn greet(&mut self, actor: &mut Actor) {
        let ready = format!("Version: 1 Bridgehead {} ready", self.name());
        let ordinary = match self.door.1 {
            Port::Group => format!(" NODEINFO (6) {{{:x}}}{ready}", ready.len()),
            _ => "220 ready".to_owned(),
        };
        let text = match actor.cue("GREETING") {
            Some(Answer::Say(text)) => text,
            Some(Answer::Hang) => return,
            Some(Answer::Close | Answer::Lose) => return self.closed = true,
            Some(_) | None => &ordinary,
        };
        match self.door.1 {
            Port::Group => self.frame(text),
            _ => self.wire.line(text),
        }
    }

    /// Says a frame.
    fn frame(&self, content: &str) {
        self.wire.send(frame(&format!("{content}\r\n")).as_bytes());
    }

    /// On the group port: a master that has the table that it is told, and to whom every account is right; a
    /// voter that grants everything, and a member that obeys everybody; as the master it leases everything.
    fn content(&mut self, content: &str, actor: &mut Actor) {
        let words: Vec<&str> = content.split(' ').collect();
        let (verb, id) = (words.get(1).copied().unwrap_or_default(), words.get(2).copied());
        let news = |digest: Digest, records| {
            format!(" {}", digest.merged(id.unwrap_or_default(), records))
        };
        let cue = actor.cue(content);
        let answer = match (cue, verb) {
            (None | Some(Answer::Later), "VERIFY") => " VERIFIED {id}".to_owned(),
            (None | Some(Answer::Later), "POLL") => " WILLING {id}".to_owned(),
            (None | Some(Answer::Later), "VOTE") => " GRANTED {id}".to_owned(),
            (None | Some(Answer::Later), "LEAD") => " OBEYED {id}".to_owned(),
            (None | Some(Answer::Later), "CLAIM" | "RENEW") => {
                leased(verb, &words, actor).unwrap_or_default()
            }
            (None, "NEWS") => news(Digest::Same, &[]),
            (None, "REPORT") => format!(" REPORTED 1 {{{:x}}}{} 1", self.name().len(), self.name()),
            (Some(Answer::Merged(digest, records)), _) => news(digest, records),
            (Some(Answer::Say(text)), _) => text.to_owned(),
            (Some(Answer::Lose | Answer::Close), _) => return self.closed = true,
            (None | Some(_), _) => return,
        };
        let answer = answer.replace("{id}", id.unwrap_or_default());
        if cue == Some(Answer::Later) {
            self.kept = frame(&format!("{answer}\r\n"));
        } else {
            self.frame(&answer);
        }
    }

    /// Hears one thing and answers it; `false` when nothing whole is there.
    fn hear(&mut self, actor: &mut Actor) -> bool {
        match &self.expected {
            Expected::Line if self.door.1 == Port::Group => {
                let Some(content) = self.wire.now(frame_of) else { return false };
                self.content(&content, actor);
            }
            Expected::Line => {
                let Some(line) = self.wire.now(line_of) else { return false };
                self.line(&line, actor);
            }
            Expected::Octets(count, id, offer) => {
                let (count, id, offer) = (*count, id.clone(), offer.clone());
                let all = |octets: &[u8]| (octets.len() >= count).then_some(((), count));
                if self.wire.now(all).is_none() {
                    return false;
                }
                self.expected = Expected::Line;
                match actor.cue("OCTETS") {
                    None => self.wire.line(&format!("250 2.0.0 TRANSFERRED ID={id} OFFER={offer}")),
                    Some(Answer::Say(text)) => self.wire.line(text),
                    Some(Answer::Lose | Answer::Close) => self.closed = true,
                    Some(_) => {}
                }
            }
            Expected::Content => {
                if self.wire.now(content_of).is_none() {
                    return false;
                }
                self.expected = Expected::Line;
                self.results(actor);
            }
        }
        true
    }

    fn line(&mut self, line: &str, actor: &mut Actor) {
        self.news.hear(line);
        match actor.cue(line) {
            Some(Answer::Say(text)) => self.say_instead(line, text),
            Some(Answer::Lose) => {
                let _ = self.ordinary(line, actor);
                self.closed = true;
            }
            Some(Answer::Merged(digest, records)) => {
                let told = self.news.digest().unwrap_or_default();
                self.merged(&digest.merged(&told, records));
            }
            Some(Answer::Contest) => {
                let other = self.news.other_content();
                self.merged(&Digest::None.merged("", &[&other]));
            }
            Some(Answer::Nodes(nodes)) => self.merged(&with_nodes(nodes)),
            Some(Answer::Differs) => self.merged(&with_nodes(&self.news.all_different())),
            Some(Answer::Close) => self.closed = true,
            Some(Answer::Hang) => {}
            Some(Answer::Later) => self.kept = self.ordinary(line, actor).unwrap_or_default(),
            None => {
                if let Some(reply) = self.ordinary(line, actor) {
                    self.wire.send(reply.as_bytes());
                    self.closed |= starts_with(line, "QUIT");
                }
            }
        }
    }

    /// Answers news.
    fn merged(&self, element: &str) {
        self.wire.send(merged_in_chunks(element).as_bytes());
    }

    /// Says something else than the ordinary, and keeps the dialogue in step with it.
    fn say_instead(&mut self, line: &str, text: &str) {
        let id = parameter(line, "ID").unwrap_or_default();
        let offer = parameter(line, "OFFER").unwrap_or_default();
        let index = parameter(line, "XINDEX").unwrap_or_default();
        let text = text
            .replace("{id}", id)
            .replace("{offer}", offer)
            .replace("{index}", index)
            .replace("{queue}", QUEUE);
        if starts_with(line, "RCPT ") && text.starts_with("250") {
            self.indexes.push_back(index.to_owned());
        }
        if starts_with(line, "X-SUBMIT OFFER ") && text.starts_with("354") {
            self.expected = octets_of(line, parameter(&text, "RESUME"));
        }
        self.wire.line(&text);
    }

    /// The reply of a member that does what the specification wants.
    fn ordinary(&mut self, line: &str, actor: &mut Actor) -> Option<String> {
        if self.door.1 == Port::Deliver {
            return Some(self.host(line, actor));
        }
        let upper = line.to_ascii_uppercase();
        if upper.starts_with("EHLO ") && self.wire.can_secure() {
            return Some("250-ready\r\n250 STARTTLS\r\n".into());
        }
        if upper == "STARTTLS" {
            self.wire.secure(b"220 2.0.0 ready\r\n");
            return None;
        }
        Some(self.bridgehead(line, &upper, actor))
    }

    fn bridgehead(&mut self, line: &str, upper: &str, actor: &mut Actor) -> String {
        let id = parameter(line, "ID").unwrap_or_default();
        let offer = parameter(line, "OFFER").unwrap_or_default();
        let verb = upper.strip_prefix("X-SUBMIT ").unwrap_or(upper);
        match verb.split(' ').next().unwrap_or_default() {
            "EHLO" => concat!(
                "250-ready\r\n250-SIZE 1000000\r\n250-PIPELINING\r\n250-8BITMIME\r\n",
                "250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n",
                "250-X-SUBMIT RESUME\r\n250 X-LINK2STATE\r\n"
            )
            .into(),
            "HELLO" => format!("250 2.0.0 MEMBER={} STORE={PLAYED_STORE}\r\n", self.name()),
            "X-LINK2STATE" if upper.starts_with("X-LINK2STATE LAST ") => {
                let record = if self.door.0 == "RG1-RG3" { RG3_RECORD } else { RG2_RECORD };
                merged_in_chunks(&Digest::None.merged("", &[record]))
            }
            "X-LINK2STATE" => "200 NEXT\r\n".into(),
            "OFFER" if actor.accepted.contains(id) => accepted(id),
            "OFFER" => {
                self.expected = octets_of(line, None);
                "354 2.0.0 Go ahead\r\n".into()
            }
            "COMMIT" => {
                actor.accepted.insert(id.to_owned());
                accepted(id)
            }
            "RESOLVE" | "STATUS" if actor.accepted.contains(id) => accepted(id),
            "RESOLVE" => format!("250 2.0.0 REFUSED ID={id} OFFER={offer}\r\n"),
            "STATUS" => format!("250 2.0.0 UNKNOWN ID={id}\r\n"),
            "RELEASE" => "250 2.0.0 RELEASED\r\n".into(),
            "DATA" => {
                self.expected = Expected::Content;
                "354 go ahead\r\n".into()
            }
            "QUIT" => "221 2.0.0 bye\r\n".into(),
            _ => "250 2.0.0 ok\r\n".into(),
        }
    }

    fn host(&mut self, line: &str, actor: &Actor) -> String {
        let upper = line.to_ascii_uppercase();
        let index = parameter(line, "XINDEX").unwrap_or_default();
        match upper.split(' ').next().unwrap_or_default() {
            "LHLO" => concat!(
                "250-ready\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n",
                "250-ENHANCEDSTATUSCODES\r\n250-SIZE 1000000\r\n250 X-DELIVER\r\n"
            )
            .into(),
            "MAIL" => {
                self.origin = parameter(line, "XORIGIN").unwrap_or_default().to_owned();
                self.indexes.clear();
                "250 2.1.0 ok\r\n".into()
            }
            "RCPT" => {
                self.indexes.push_back(index.to_owned());
                format!("250 2.1.5 [{index}] ok\r\n")
            }
            "DATA" => {
                self.expected = Expected::Content;
                "354 go ahead\r\n".into()
            }
            "X-DELIVER" => {
                let origin = parameter(line, "XORIGIN").unwrap_or_default().to_owned();
                let is_there = actor.delivered.contains(&(origin, index.to_owned()));
                let word = if is_there { "DELIVERED" } else { "UNKNOWN" };
                format!("250 2.0.0 [{index}] {word}\r\n")
            }
            "QUIT" => "221 2.0.0 bye\r\n".into(),
            _ => "250 2.0.0 ok\r\n".into(),
        }
    }

    /// One result for each recipient that was accepted, in their order; an outside server has one for
    /// all.
    fn results(&mut self, actor: &mut Actor) {
        if self.door.1 == Port::Smtp {
            return self.wire.line("250 2.0.0 taken");
        }
        while let Some(index) = self.indexes.pop_front() {
            let cue = actor.cue(&format!("RESULT [{index}]"));
            if !matches!(cue, Some(Answer::Close | Answer::Hang | Answer::Say(_))) {
                actor.delivered.insert((self.origin.clone(), index.clone()));
            }
            match cue {
                None => self.wire.line(&format!("250 2.0.0 [{index}] DELIVERED")),
                Some(Answer::Say(text)) => self.wire.line(&text.replace("{index}", &index)),
                Some(Answer::Close | Answer::Lose) => {
                    self.closed = true;
                    return;
                }
                Some(_) => return,
            }
        }
    }
}

/// The queue id that a played bridgehead gives.
const QUEUE: &str = "00000000000000b1";

fn accepted(id: &str) -> String {
    format!("250 2.0.0 ACCEPTED ID={id} QUEUE={QUEUE}\r\n")
}
