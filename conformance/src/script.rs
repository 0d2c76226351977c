//! A conversation on one connection, as data: the same steps drive it and judge its record.

use std::collections::BTreeMap;

use crate::case::Findings;
use crate::event::{How, Stop, Way};
use crate::net::{Got, Port, Wire};
use crate::smtp::{Parsed, Reply, Want, parse_reply, queue_id};
use crate::stage::Stage;
use crate::transcript::{Stream, Transcript};

/// Who the suite is on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    /// Anyone.
    Outside,
    /// A member of another group.
    Member,
    /// A member of the node's own group.
    Fellow,
}

/// What a counted frame must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FrameWant {
    /// What its content must begin with.
    pub(crate) begins: String,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send octets; `{recipient}` and the like are replaced.
    Send(Vec<u8>),
    /// One reply must come, and be this.
    Reply(String, Want),
    /// So many times: send octets, and this reply must come.
    Repeat(String, Vec<u8>, usize, Want),
    /// One counted frame must come, and be this.
    Frame(String, FrameWant),
    /// The node must end the connection: in order, or also by breaking it off.
    Closed(String, bool),
    /// The offer that was made must be refused: at once, or, behind a 354, once these octets are there.
    Refused(String, Vec<u8>, Want),
    /// The replies of two checks must name the same queue id.
    Same(String, String, String),
}

/// The whole conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// Who the suite is.
    pub(crate) seat: Seat,
    /// To which port.
    pub(crate) port: Port,
    /// What happens.
    pub(crate) steps: Vec<Step>,
}

/// The check that every script declares besides its own.
const QUIET: &str = "nothing-unsolicited";
/// The longest counted frame that the suite reads.
const FRAME_LIMIT: usize = 4 * 1024 * 1024;
/// The one connection of a script.
const LINK: &str = "client#1";

impl Script {
    /// On a port, without steps.
    pub(crate) const fn new(seat: Seat, port: Port) -> Self {
        Self { seat, port, steps: Vec::new() }
    }

    /// An SMTP conversation: greeting and EHLO first, then the steps that follow, then
    /// [`Self::fence`].
    pub(crate) fn smtp(seat: Seat) -> Self {
        Self::new(seat, Port::Smtp)
            .reply("greeting", Want::code(220))
            .line("EHLO {ehlo}")
            .reply("hello", Want::code(250).keyword("SIZE").keyword("ENHANCEDSTATUSCODES"))
    }

    /// Sends a line.
    pub(crate) fn line(self, line: &str) -> Self {
        self.send(format!("{line}\r\n").as_bytes())
    }

    /// Sends octets.
    pub(crate) fn send(mut self, octets: &[u8]) -> Self {
        self.steps.push(Step::Send(octets.to_vec()));
        self
    }

    /// Expects a reply.
    pub(crate) fn reply(mut self, check: &str, want: Want) -> Self {
        self.steps.push(Step::Reply(check.to_owned(), want));
        self
    }

    /// Sends a line and expects a reply.
    pub(crate) fn ask(self, line: &str, check: &str, want: Want) -> Self {
        self.line(line).reply(check, want)
    }

    /// Sends the same octets again and again and expects the same reply each time.
    pub(crate) fn repeat(mut self, octets: &[u8], times: usize, check: &str, want: Want) -> Self {
        self.steps.push(Step::Repeat(check.to_owned(), octets.to_vec(), times, want));
        self
    }

    /// Expects a frame.
    pub(crate) fn frame(mut self, check: &str, begins: &str) -> Self {
        self.steps.push(Step::Frame(check.to_owned(), FrameWant { begins: begins.to_owned() }));
        self
    }

    /// Expects the node to end the connection in order.
    pub(crate) fn closed(mut self, check: &str) -> Self {
        self.steps.push(Step::Closed(check.to_owned(), false));
        self
    }

    /// Expects the node to end the connection, in order or not.
    pub(crate) fn gone(mut self, check: &str) -> Self {
        self.steps.push(Step::Closed(check.to_owned(), true));
        self
    }

    /// Expects an offer to be refused, before or behind its octets.
    pub(crate) fn offer_refused(mut self, check: &str, octets: &[u8], want: Want) -> Self {
        self.steps.push(Step::Refused(check.to_owned(), octets.to_vec(), want));
        self
    }

    /// Expects the replies of two checks to name the same queue id.
    pub(crate) fn same(mut self, check: &str, one: &str, other: &str) -> Self {
        self.steps.push(Step::Same(check.to_owned(), one.to_owned(), other.to_owned()));
        self
    }

    /// The end of every SMTP conversation: a refusal, an acceptance and an end, so that neither a peer
    /// that always says yes nor one that always says no can have passed what came before.
    pub(crate) fn fence(self) -> Self {
        self.ask("XFENCE", "fence-refused", Want::codes(&[500, 502]))
            .ask("NOOP", "fence-accepted", Want::code(250))
            .ask("QUIT", "fence-farewell", Want::code(221))
            .closed("fence-closed")
    }

    /// Whether only an adapter can seat the suite there.
    pub(crate) fn needs_adapter(&self) -> bool {
        self.seat != Seat::Outside || self.port != Port::Smtp
    }

    /// Whether something in it must be refused, besides what the fence always asks for.
    pub(crate) fn refuses(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Reply(check, want) => !check.starts_with("fence-") && want.refuses(),
            Step::Repeat(_, _, _, want) => want.refuses(),
            // A connection that must end in whatever way is one that is thrown out.
            Step::Refused(..) | Step::Closed(_, true) => true,
            _ => false,
        })
    }

    /// Whether any sending has this word.
    pub(crate) fn uses(&self, word: &str) -> bool {
        let has = |octets: &[u8]| octets.windows(word.len()).any(|w| w == word.as_bytes());
        self.steps.iter().any(
            |step| matches!(step, Step::Send(octets) | Step::Repeat(_, octets, ..) if has(octets)),
        )
    }

    /// The checks that the steps make.
    pub(crate) fn checks(&self) -> Vec<String> {
        let mut checks: Vec<String> = Vec::new();
        for step in &self.steps {
            if let Step::Reply(check, _)
            | Step::Repeat(check, ..)
            | Step::Frame(check, _)
            | Step::Closed(check, _)
            | Step::Refused(check, ..)
            | Step::Same(check, ..) = step
            {
                assert!(!checks.contains(check), "check `{check}` stands twice in a script");
                checks.push(check.clone());
            }
        }
        checks.push(QUIET.to_owned());
        checks
    }

    /// Holds the conversation until it ends or goes astray.
    pub(crate) fn drive(&self, stage: &mut Stage) -> Result<(), Stop> {
        let wire = stage.seat(LINK, self.seat, self.port)?;
        for step in &self.steps {
            let goes_on = match step {
                Step::Send(octets) => {
                    wire.send(&stage.expand(octets)?);
                    true
                }
                Step::Refused(_, octets, want) => {
                    let mut reply = wire.reply().this();
                    if reply.as_ref().is_some_and(|reply| reply.code == 354) {
                        wire.send(octets);
                        reply = wire.reply().this();
                    }
                    reply.is_some_and(|reply| want.problem(&reply).is_none())
                }
                // Nothing happens on the wire; only the judge compares.
                Step::Same(..) => true,
                Step::Reply(_, want) => {
                    wire.reply().this().is_some_and(|reply| want.problem(&reply).is_none())
                }
                Step::Repeat(_, octets, times, want) => {
                    let octets = stage.expand(octets)?;
                    (0..*times).all(|_| {
                        wire.send(&octets);
                        wire.reply().this().is_some_and(|reply| want.problem(&reply).is_none())
                    })
                }
                Step::Frame(_, want) => read_frame(&wire)
                    .this()
                    .is_some_and(|content| content.starts_with(want.begins.as_bytes())),
                Step::Closed(_, any) => match wire.closed() {
                    Got::Eof => true,
                    Got::Reset => *any,
                    _ => false,
                },
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Judges the record.
    pub(crate) fn judge(&self, transcript: &Transcript<'_>, findings: &mut Findings) {
        let mut cursor = Cursor {
            transcript,
            back: transcript.stream(LINK, Way::Back),
            sent: sent_records(transcript),
            place: 0,
            sends: 0,
            replies: BTreeMap::new(),
            last_send: transcript.attempts(LINK).first().map_or(u64::MAX, |open| open.n),
        };
        for step in &self.steps {
            let goes_on = match step {
                Step::Send(_) => cursor.next_send(),
                Step::Refused(check, _, want) => cursor.refused(check, want, findings),
                Step::Same(check, one, other) => cursor.same(check, one, other, findings),
                Step::Reply(check, want) => cursor.reply(check, want, findings),
                Step::Repeat(check, _, times, want) => {
                    (0..*times).all(|_| cursor.next_send() && cursor.reply(check, want, findings))
                }
                Step::Frame(check, want) => cursor.frame(check, want, findings),
                Step::Closed(check, any) => cursor.closed(check, *any, findings),
            };
            if !goes_on {
                return;
            }
        }
        cursor.quiet(findings);
    }
}

/// The record of each sending.
fn sent_records(transcript: &Transcript<'_>) -> Vec<u64> {
    let mut numbers = transcript.stream(LINK, Way::Forward).numbers;
    numbers.dedup();
    numbers
}

struct Cursor<'a> {
    transcript: &'a Transcript<'a>,
    back: Stream,
    sent: Vec<u64>,
    place: usize,
    sends: usize,
    last_send: u64,
    replies: BTreeMap<String, (Reply, u64)>,
}

impl Cursor<'_> {
    fn next_send(&mut self) -> bool {
        let Some(n) = self.sent.get(self.sends) else { return false };
        self.last_send = *n;
        self.sends += 1;
        true
    }

    fn reply(&mut self, check: &str, want: &Want, findings: &mut Findings) -> bool {
        match parse_reply(&self.back.octets[self.place..]) {
            Parsed::Reply(reply, used) => self.replied(check, want, &reply, used, findings),
            Parsed::More => self.nothing(check, findings),
            Parsed::Malformed(problem) => {
                findings.fails(check, problem, &self.evidence(1));
                false
            }
        }
    }

    fn refused(&mut self, check: &str, want: &Want, findings: &mut Findings) -> bool {
        if let Parsed::Reply(reply, used) = parse_reply(&self.back.octets[self.place..])
            && reply.code == 354
        {
            self.place += used;
            if !self.next_send() {
                return false;
            }
        }
        self.reply(check, want, findings)
    }

    fn replied(
        &mut self,
        check: &str,
        want: &Want,
        reply: &Reply,
        used: usize,
        findings: &mut Findings,
    ) -> bool {
        let evidence = self.evidence(used);
        let early = evidence.first().is_some_and(|n| *n < self.last_send);
        let problem = if early {
            Some(format!("`{}` came before it was asked for", reply.show()))
        } else {
            want.problem(reply)
        };
        self.place += used;
        let last = evidence.last().copied().unwrap_or_default();
        self.replies.insert(check.to_owned(), (reply.clone(), last));
        match &problem {
            Some(problem) => findings.fails(check, problem.clone(), &evidence),
            None => findings.holds(check, format!("`{}`", reply.show()), &evidence),
        }
        problem.is_none()
    }

    fn same(&self, check: &str, one: &str, other: &str, findings: &mut Findings) -> bool {
        let (Some((one, n)), Some((other, m))) = (self.replies.get(one), self.replies.get(other))
        else {
            return false;
        };
        let ids = (queue_id(one), queue_id(other));
        let holds = ids.0.is_some() && ids.0 == ids.1;
        findings.is(check, holds, &format!("queue ids {:?} and {:?}", ids.0, ids.1), &[*n, *m]);
        holds
    }

    fn frame(&mut self, check: &str, want: &FrameWant, findings: &mut Findings) -> bool {
        match parse_frame(&self.back.octets[self.place..]) {
            Ok(Some((content, used))) => {
                let evidence = self.evidence(used);
                self.place += used;
                let shown = String::from_utf8_lossy(&content).into_owned();
                let holds = content.starts_with(want.begins.as_bytes());
                findings.is(check, holds, &format!("frame `{}`", shown.trim_end()), &evidence);
                holds
            }
            Ok(None) => self.nothing(check, findings),
            Err(problem) => {
                findings.fails(check, problem, &self.evidence(1));
                false
            }
        }
    }

    fn closed(&self, check: &str, any: bool, findings: &mut Findings) -> bool {
        if self.place < self.back.octets.len() {
            let rest = String::from_utf8_lossy(&self.back.octets[self.place..]);
            findings.fails(check, format!("expected the end, got `{}`", rest.trim_end()), &[]);
            return false;
        }
        match self.transcript.end(LINK, Way::Back) {
            Some((n, _)) if n < self.last_send => {
                findings.fails(check, "ended before the last line was sent", &[n]);
                false
            }
            Some((n, how)) if how == How::Eof || any => {
                findings.holds(check, "ended", &[n]);
                true
            }
            Some((n, _)) => {
                findings.fails(check, "was reset, expected an end in order", &[n]);
                false
            }
            None => {
                findings.fails(check, "is still open", &[]);
                false
            }
        }
    }

    /// No whole answer came: says which kind of nothing it was.
    fn nothing(&self, check: &str, findings: &mut Findings) -> bool {
        let (problem, evidence) = match self.transcript.end(LINK, Way::Back) {
            Some((n, How::Eof)) => ("the connection ended instead of an answer", vec![n]),
            Some((n, How::Reset)) => ("the connection was reset instead of an answer", vec![n]),
            None if self.transcript.silent(LINK) => ("no answer in time", Vec::new()),
            None => ("no answer was waited for", Vec::new()),
        };
        findings.fails(check, problem, &evidence);
        false
    }

    fn quiet(&self, findings: &mut Findings) {
        if self.place < self.back.octets.len() {
            let rest = String::from_utf8_lossy(&self.back.octets[self.place..]);
            findings.fails(QUIET, format!("unsolicited: `{}`", rest.trim_end()), &[]);
        } else {
            // Whoever throws a stranger out says nothing but the end.
            let end = || self.transcript.end(LINK, Way::Back).map(|(n, _)| n);
            let last = self.back.numbers.last().copied().or_else(end);
            findings.shown(QUIET, last, "nothing came at all");
        }
    }

    fn evidence(&self, used: usize) -> Vec<u64> {
        let end = (self.place + used).min(self.back.numbers.len());
        let mut numbers = self.back.numbers[self.place..end].to_vec();
        numbers.dedup();
        numbers
    }
}

/// Reads a counted frame: `{8 hexadecimal digits}` and that many octets.
pub(crate) fn parse_frame(octets: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    const HEAD: usize = 10;
    let head = &octets[..octets.len().min(HEAD)];
    let right = |(place, octet): (usize, &u8)| match place {
        0 => *octet == b'{',
        9 => *octet == b'}',
        _ => octet.is_ascii_hexdigit(),
    };
    if !head.iter().enumerate().all(right) {
        let shown = String::from_utf8_lossy(head).into_owned();
        return Err(format!("expected `{{8 hexadecimal digits}}`, got `{shown}`"));
    }
    if head.len() < HEAD {
        return Ok(None);
    }
    let digits = String::from_utf8_lossy(&head[1..9]).into_owned();
    let count = usize::from_str_radix(&digits, 16).map_err(|error| error.to_string())?;
    if count > FRAME_LIMIT {
        return Err(format!("a frame of {count} octets"));
    }
    let content = octets.get(HEAD..HEAD + count);
    Ok(content.map(|content| (content.to_vec(), HEAD + count)))
}

/// Waits for a counted frame.
pub(crate) fn read_frame(wire: &Wire) -> Got<Vec<u8>> {
    wire.wait(parse_frame)
}

/// Writes a counted frame.
pub(crate) fn frame(content: &str) -> String {
    format!("{{{:08x}}}{content}", content.len())
}

/// A step as a person reads it.
pub(crate) fn show(step: &Step) -> String {
    match step {
        Step::Send(octets) => format!("send   {}", octets.escape_ascii()),
        Step::Reply(check, want) => format!("expect {want}   [{check}]"),
        Step::Repeat(check, octets, times, want) => {
            format!("{times} times: send {}, expect {want}   [{check}]", octets.escape_ascii())
        }
        Step::Frame(check, want) => format!("expect a frame `{}`   [{check}]", want.begins),
        Step::Closed(check, any) => {
            let how = if *any { "the end, in order or not" } else { "the end, in order" };
            format!("expect {how}   [{check}]")
        }
        Step::Refused(check, _, want) => format!("expect {want}, before or behind 354   [{check}]"),
        Step::Same(check, one, other) => {
            format!("expect one queue id in {one} and {other}   [{check}]")
        }
    }
}
