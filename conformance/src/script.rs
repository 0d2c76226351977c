//! A conversation on one connection, as data: the same steps drive it and judge its record.

mod frames;
mod judge;
mod leads;
mod said;
mod terms;

pub(crate) use judge::{Cursor, Replies};
pub(crate) use leads::THEIR_TERM;
pub(crate) use said::{Words, departure};
pub(crate) use terms::{Terms, not_offered};

use frames::with_digest;
pub(crate) use frames::{THEIRS, frame, parse_frame, read_frame};

use crate::event::Stop;
use crate::net::{Got, Port, Wire};
use crate::play::digest;
pub(crate) use crate::seat::{Place, Seat};
use crate::security::{Security, Shown};
use crate::smtp::Want;
use crate::stage::Stage;

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
    /// Where certificates are the proof, both sides prove their names: EHLO, STARTTLS with these octets
    /// behind it in clear, and the handshake. What is refused on the way fails the check.
    Secure(String, Vec<u8>),
    /// Each line must be answered like this, as long as the connection lives.
    Barred(String, Vec<(String, Want)>),
    /// Each of these lines must be answered like this; an empty line is not sent.
    Series(String, Vec<(String, Want)>),
    /// The replies of two checks must be like each other in this way.
    Same(String, (String, String), Likeness),
}

/// How two replies compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// They name the same id.
    Id,
    /// They name different ids.
    OtherId,
    /// They are the same, word for word.
    Words,
}

impl Likeness {
    /// As `explain` says it.
    const fn name(self) -> &'static str {
        match self {
            Self::Id => "the same id",
            Self::OtherId => "different ids",
            Self::Words => "the same words",
        }
    }
}

/// The whole conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// Who the suite is, and to which port it talks.
    pub(crate) place: Place,
    /// What happens.
    pub(crate) steps: Vec<Step>,
    /// Whether what it sends leaves one octet at a time.
    pub(crate) slowly: bool,
}

/// The check that every script declares besides its own.
pub(crate) const QUIET: &str = "nothing-unsolicited";
/// The one connection of a script.
const LINK: &str = "client#1";

impl Script {
    /// On a port, without steps.
    pub(crate) const fn new(seat: Seat, port: Port) -> Self {
        let place = Place { seat, port, shown: Shown::Own };
        Self { place, steps: Vec::new(), slowly: false }
    }

    /// Shows another certificate than the right one.
    pub(crate) const fn showing(mut self, shown: Shown) -> Self {
        self.place.shown = shown;
        self
    }

    /// An SMTP conversation: greeting and EHLO first, then the steps that follow, then
    /// [`Self::fence`].
    pub(crate) fn smtp(seat: Seat) -> Self {
        Self::new(seat, Port::Smtp)
            .reply("greeting", Want::code(220))
            .line("EHLO {ehlo}")
            .reply("hello", Want::code(250))
    }

    /// Sends a line.
    pub(crate) fn line(self, line: &str) -> Self {
        self.send(format!("{line}\r\n").as_bytes())
    }

    /// Has both sides prove their names on the SMTP port, in the way that the run says. Where it goes
    /// wrong it is the check behind it that fails.
    pub(crate) fn secure(mut self, check: &str) -> Self {
        self.steps.push(Step::Secure(check.to_owned(), Vec::new()));
        self
    }

    /// The same, with octets behind STARTTLS, in clear.
    pub(crate) fn secure_injecting(mut self, check: &str, octets: &[u8]) -> Self {
        self.steps.push(Step::Secure(check.to_owned(), octets.to_vec()));
        self
    }

    /// Expects every one of some lines to be refused in the way given, up to the end of the connection,
    /// which may come at any time. An empty line is not sent.
    pub(crate) fn barred(mut self, check: &str, tries: &[(&str, Want)]) -> Self {
        let tries = tries.iter().map(|(line, want)| ((*line).to_owned(), want.clone()));
        self.steps.push(Step::Barred(check.to_owned(), tries.collect()));
        self
    }

    /// Whatever it sends leaves one octet at a time.
    pub(crate) const fn octet_by_octet(mut self) -> Self {
        self.slowly = true;
        self
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

    /// Sends many lines, and expects a reply to each; an empty line is not sent.
    pub(crate) fn series(mut self, check: &str, lines: Vec<(String, Want)>) -> Self {
        self.steps.push(Step::Series(check.to_owned(), lines));
        self
    }

    /// Expects the replies of two checks to name the same queue id.
    pub(crate) fn same(self, check: &str, one: &str, other: &str) -> Self {
        self.alike(check, (one, other), Likeness::Id)
    }

    /// Expects the replies of two checks to be the same, word for word.
    pub(crate) fn same_words(self, check: &str, one: &str, other: &str) -> Self {
        self.alike(check, (one, other), Likeness::Words)
    }

    fn alike(mut self, check: &str, (one, other): (&str, &str), how: Likeness) -> Self {
        self.steps.push(Step::Same(check.to_owned(), (one.to_owned(), other.to_owned()), how));
        self
    }

    /// Expects the replies of two checks to name different ids.
    pub(crate) fn differs(self, check: &str, one: &str, other: &str) -> Self {
        self.alike(check, (one, other), Likeness::OtherId)
    }

    /// The same steps, with a word before the name of each check but those of the fence.
    pub(crate) fn named(mut self, word: &str) -> Self {
        let own = self.own_checks();
        let named = |check: &mut String| {
            if !check.starts_with("fence-") {
                *check = format!("{word}-{check}");
            }
        };
        for step in &mut self.steps {
            match step {
                Step::Send(_) => {}
                Step::Same(check, (one, other), _) => {
                    named(check);
                    [one, other].into_iter().filter(|end| own.contains(end)).for_each(named);
                }
                Step::Reply(check, _)
                | Step::Repeat(check, ..)
                | Step::Frame(check, _)
                | Step::Closed(check, _)
                | Step::Secure(check, _)
                | Step::Barred(check, _)
                | Step::Series(check, _)
                | Step::Refused(check, ..) => named(check),
            }
        }
        self
    }

    /// The end of every SMTP conversation: a refusal, an acceptance and an end, so that neither a peer
    /// that always says yes nor one that always says no can have passed what came before.
    pub(crate) fn fence(self) -> Self {
        let refused = Want::codes(&[500, 502]).or_of_others(&[503, 530]);
        self.ask("XFENCE", "fence-refused", refused)
            .ask("NOOP", "fence-accepted", Want::code(250))
            .ask("QUIT", "fence-farewell", Want::code(221))
            .closed("fence-closed")
    }

    /// Whether only an adapter can seat the suite there.
    pub(crate) fn needs_adapter(&self) -> bool {
        let is_open = self.place.port == Port::Smtp || self.place.port.wants_login();
        self.place.seat != Seat::Outside || !is_open
    }

    /// Whether it stands where only members are heard, as nobody.
    pub(crate) fn is_stray(&self) -> bool {
        self.place.seat == Seat::Outside && self.needs_adapter()
    }

    /// Whether something in it must be refused, besides what the fence always asks for.
    pub(crate) fn refuses(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Reply(check, want) => !check.starts_with("fence-") && want.refuses(),
            Step::Repeat(_, _, _, want) => want.refuses(),
            Step::Series(_, lines) => lines.iter().any(|(_, want)| want.refuses()),
            // A connection that must end in whatever way is one that is thrown out.
            Step::Refused(..) | Step::Barred(..) | Step::Closed(_, true) => true,
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

    /// The checks that a script declares.
    pub(crate) fn checks(&self) -> Vec<String> {
        let mut checks = self.own_checks();
        checks.push(QUIET.to_owned());
        checks
    }

    /// The checks that the steps make.
    pub(crate) fn own_checks(&self) -> Vec<String> {
        let mut checks: Vec<String> = Vec::new();
        for step in &self.steps {
            if let Step::Reply(check, _)
            | Step::Repeat(check, ..)
            | Step::Frame(check, _)
            | Step::Closed(check, _)
            | Step::Refused(check, ..)
            | Step::Barred(check, _)
            | Step::Series(check, _)
            | Step::Same(check, ..) = step
            {
                assert!(!checks.contains(check), "check `{check}` stands twice in a script");
                checks.push(check.clone());
            }
        }
        checks
    }

    /// Holds the conversation until it ends or goes astray.
    pub(crate) fn drive(&self, stage: &mut Stage) -> Result<(), Stop> {
        let wire = stage.seat(LINK, self.place)?;
        self.drive_on(&wire, stage).map(|_| ())
    }

    /// Holds it on a connection that is open; `false` when it went astray.
    pub(crate) fn drive_on(&self, wire: &Wire, stage: &Stage) -> Result<bool, Stop> {
        let mut terms = Terms::new(stage.is_bare());
        let mut named: Option<String> = None;
        for step in &self.steps {
            let goes_on = match step {
                Step::Send(octets) => {
                    let octets = with_digest(stage.expand(octets)?, named.as_deref());
                    let octets = leads::with_term_framed(octets, stage);
                    let said = stage.reveal(&octets)?;
                    let goes_on = said == octets || wire.is_private();
                    if goes_on {
                        terms.ask(&octets);
                        wire.send_as(&octets, &said, if self.slowly { 1 } else { said.len() });
                    }
                    goes_on
                }
                Step::Refused(_, octets, want) => {
                    let mut reply = wire.reply().this();
                    if reply.as_ref().is_some_and(|reply| reply.code == 354) {
                        wire.send(octets);
                        reply = wire.reply().this();
                    }
                    reply.is_some_and(|reply| want.problem(&reply).is_none())
                }
                Step::Secure(_, injected) => {
                    let goes_on = secure(wire, stage, injected, &mut terms)?;
                    if let Some(missing) = terms.missing(self) {
                        return Err(Stop::NotApplicable(not_offered(&missing)));
                    }
                    goes_on
                }
                Step::Barred(_, tries) => bar(wire, stage, tries)?,
                Step::Series(_, lines) => converse(wire, stage, lines)?,
                // Nothing happens on the wire; only the judge compares.
                Step::Same(..) => true,
                Step::Reply(_, want) => {
                    let reply = wire.reply().this();
                    if let Some(reply) = &reply {
                        terms.hear(reply);
                        named = digest(&reply.lines.concat()).map(str::to_owned).or(named);
                    }
                    if let Some(missing) = terms.missing(self) {
                        return Err(Stop::NotApplicable(not_offered(&missing)));
                    }
                    reply.is_some_and(|reply| terms.want(want).problem(&reply).is_none())
                }
                Step::Repeat(_, octets, times, want) => {
                    let want = terms.want(want);
                    let octets = stage.expand(octets)?;
                    (0..*times).all(|_| {
                        wire.send(&octets);
                        wire.reply().this().is_some_and(|reply| want.problem(&reply).is_none())
                    })
                }
                Step::Frame(_, want) => {
                    let content = read_frame(wire).this().unwrap_or_default();
                    named = digest(&String::from_utf8_lossy(&content)).map(str::to_owned).or(named);
                    content.starts_with(leads::with_term(&want.begins, stage).as_bytes())
                }
                Step::Closed(_, any) => match wire.closed() {
                    Got::Eof => true,
                    Got::Reset => *any,
                    _ => false,
                },
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a step that has both sides prove their names says anything on this port. A target has no way
/// in which members prove their names, but TLS where people log in.
fn secures(port: Port, security: Option<Security>) -> bool {
    let is_tls = security == Some(Security::Tls);
    is_tls || (port == Port::Submission && security.is_none())
}

/// The two commands of [`Step::Secure`], and what their replies must be.
fn securing() -> [(&'static [u8], Want); 2] {
    [
        (b"EHLO {ehlo}\r\n", Want::code(250).keyword("STARTTLS")),
        (b"STARTTLS\r\n", Want::code(220).any_status()),
    ]
}

/// Has both sides prove their names; `false` when the node does not agree.
fn secure(wire: &Wire, stage: &Stage, injected: &[u8], terms: &mut Terms) -> Result<bool, Stop> {
    if !wire.can_secure() {
        return Ok(true);
    }
    let [(ehlo, offer), (starttls, ready)] = securing();
    for (line, want) in [(ehlo, offer), (&[starttls, injected].concat(), ready)] {
        let line = stage.expand(line)?;
        terms.ask(&line);
        wire.send(&line);
        let Some(reply) = wire.reply().this() else { return Ok(false) };
        terms.hear(&reply);
        if terms.want(&want).problem(&reply).is_some() {
            return Ok(false);
        }
    }
    terms.secured();
    wire.secure(&[]);
    Ok(true)
}

/// Sends lines and takes a reply for each; `false` when one is not the right one.
fn converse(wire: &Wire, stage: &Stage, lines: &[(String, Want)]) -> Result<bool, Stop> {
    for (line, want) in lines {
        if !line.is_empty() {
            wire.send(&stage.expand(format!("{line}\r\n").as_bytes())?);
        }
        if wire.reply().this().is_none_or(|reply| want.problem(&reply).is_some()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Says what must be refused; `false` when it is not.
fn bar(wire: &Wire, stage: &Stage, tries: &[(String, Want)]) -> Result<bool, Stop> {
    for (line, want) in tries {
        if !line.is_empty() {
            wire.send(&stage.expand(format!("{line}\r\n").as_bytes())?);
        }
        match wire.reply() {
            Got::This(reply) if want.problem(&reply).is_none() => {}
            Got::Eof | Got::Reset => return Ok(true),
            _ => return Ok(false),
        }
    }
    Ok(true)
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
        Step::Secure(..) => "under TLS: EHLO, STARTTLS, and both sides prove their names".into(),
        Step::Closed(check, any) => {
            let how = if *any { "the end, in order or not" } else { "the end, in order" };
            format!("expect {how}   [{check}]")
        }
        Step::Barred(check, tries) => {
            let tries =
                tries.iter().map(|(line, want)| format!("`{}` {want}", line.escape_debug()));
            let tries: Vec<_> = tries.collect();
            format!("expect the end, or: {}   [{check}]", tries.join("; "))
        }
        Step::Series(check, lines) => {
            let line = |place: usize| {
                lines.get(place).map(|(line, want)| format!("`{}` {want}", line.escape_debug()))
            };
            let (first, last) = (line(0), line(lines.len().saturating_sub(1)));
            let ends = format!("{} … {}", first.unwrap_or_default(), last.unwrap_or_default());
            format!("{} times a line and its reply: {ends}   [{check}]", lines.len())
        }
        Step::Refused(check, _, want) => format!("expect {want}, before or behind 354   [{check}]"),
        Step::Same(check, (one, other), how) => {
            format!("expect {} in {one} and {other}   [{check}]", how.name())
        }
    }
}
