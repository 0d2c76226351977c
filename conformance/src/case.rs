//! What a case is: a permanent id, the checks that it declares, a way to drive the implementation, and a
//! judge that reads the record of it.

use crate::event::{Event, Record, Stop};
use crate::findings::Finding;
pub(crate) use crate::findings::Findings;
use crate::net::Port;
use crate::play::Play;
use crate::script::Script;
use crate::security::Security;
use crate::stage::Stage;
use crate::transcript::Transcript;
use crate::verdict::{Level, Verdict};

/// The profile that every server without an adapter is taken to claim.
pub(crate) const ANY_SERVER: &str = "smtp/server";
/// The profile that it is taken to claim where a submission port is named.
pub(crate) const SUBMISSION: &str = "smtp/submission";

/// What a case needs beyond a host and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Needs {
    /// Nothing: it runs against any SMTP server.
    Nothing,
    /// An adapter that starts nodes.
    Adapter,
    /// An adapter whose clock the suite moves.
    Clock,
}

impl Needs {
    /// As `list` prints it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Adapter => "adapter",
            Self::Clock => "clock",
        }
    }
}

/// Drives the implementation; everything that matters is recorded on the way.
pub(crate) type Drive = fn(&mut Stage) -> Result<(), Stop>;
/// Judges the record.
pub(crate) type Judge = fn(&Transcript<'_>, &mut Findings);

/// The two halves of a case.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// One connection, line by line; the script is driver and judge.
    Script(Script),
    /// Rust.
    Program(Drive, Judge),
    /// Several connections, with the suite as the members around the node; data, too.
    Play(Play),
}

/// One case, or one vector.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// `protocol.area.topic.nn`, for ever.
    pub(crate) id: String,
    /// What it shows.
    pub(crate) title: String,
    /// Clauses of the specification, or sections of RFCs as `RFC5321:4.1.4`.
    pub(crate) verifies: Vec<String>,
    /// The checks that must all be reached and hold.
    pub(crate) checks: Vec<String>,
    /// How binding it is.
    pub(crate) level: Level,
    /// The role that it tests.
    pub(crate) profile: &'static str,
    /// What it needs.
    pub(crate) needs: Needs,
    /// The checks that hold when something was not seen; a script needs none, its steps tell.
    pub(crate) forbids: Vec<&'static str>,
    /// The case that differs only in that nothing is wrong; each negative case has one.
    pub(crate) twin: Option<String>,
    /// The mutants that must fail it, each with the check that must name it.
    pub(crate) kills: Vec<(&'static str, &'static str)>,
    /// How the members prove their names in it, whatever the run says.
    pub(crate) security: Option<Security>,
    /// Whether it comes from a vector file.
    pub(crate) is_vector: bool,
    /// Driver and judge.
    pub(crate) body: Body,
}

impl Case {
    /// A case that a script drives and judges.
    pub(crate) fn script(id: &str, title: &str, profile: &'static str, script: Script) -> Self {
        let needs = if script.needs_adapter() { Needs::Adapter } else { Needs::Nothing };
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            verifies: Vec::new(),
            checks: script.checks(),
            level: Level::Must,
            profile,
            needs,
            forbids: Vec::new(),
            twin: None,
            kills: Vec::new(),
            // Under TLS nobody else gets as far as saying anything there: the `tls` cases show it.
            security: script.is_stray().then_some(Security::Address),
            is_vector: false,
            body: Body::Script(script),
        }
    }

    /// A case in Rust.
    pub(crate) fn program(
        id: &str,
        title: &str,
        profile: &'static str,
        checks: &[&str],
        drive: Drive,
        judge: Judge,
    ) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            verifies: Vec::new(),
            checks: checks.iter().map(|check| (*check).to_owned()).collect(),
            level: Level::Must,
            profile,
            needs: Needs::Clock,
            forbids: Vec::new(),
            twin: None,
            kills: Vec::new(),
            security: None,
            is_vector: false,
            body: Body::Program(drive, judge),
        }
    }

    /// A case that a play drives and judges.
    pub(crate) fn play(id: &str, title: &str, profile: &'static str, play: Play) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            verifies: Vec::new(),
            checks: play.checks(),
            level: Level::Must,
            profile,
            needs: Needs::Clock,
            forbids: play.absences(),
            twin: None,
            kills: Vec::new(),
            security: None,
            is_vector: false,
            body: Body::Play(play),
        }
    }

    /// Names what it verifies.
    pub(crate) fn verifies(mut self, ids: &[&str]) -> Self {
        self.verifies.extend(ids.iter().map(|id| (*id).to_owned()));
        self
    }

    /// Names the checks that hold when something was not seen. They make a case negative.
    pub(crate) fn forbids(mut self, checks: &[&'static str]) -> Self {
        self.forbids.extend(checks);
        self
    }

    /// Names its positive twin.
    pub(crate) fn twin(mut self, id: &str) -> Self {
        self.twin = Some(id.to_owned());
        self
    }

    /// Names the mutants that it kills.
    pub(crate) fn kills(mut self, mutants: &[(&'static str, &'static str)]) -> Self {
        self.kills.extend(mutants);
        self
    }

    /// Says how the members prove their names in it, whatever the run says.
    pub(crate) const fn under(mut self, security: Security) -> Self {
        self.security = Some(security);
        self
    }

    /// Says that more is wanted than a foreign server owes.
    pub(crate) const fn of_members(mut self) -> Self {
        self.needs = Needs::Adapter;
        self
    }

    /// Makes it a SHOULD.
    pub(crate) const fn should(mut self) -> Self {
        self.level = Level::Should;
        self
    }

    /// Whether it must know an address that does not exist.
    pub(crate) fn uses_unknown_recipient(&self) -> bool {
        matches!(&self.body, Body::Script(script) if script.uses("{unknown}"))
    }

    /// Whether its recipient must have a domain, as one behind a source route must.
    pub(crate) fn uses_mailbox(&self) -> bool {
        matches!(&self.body, Body::Script(script) if script.uses("{mailbox}"))
    }

    /// Whether a peer that refuses everything, or does nothing at all, could pass a part of it.
    pub(crate) fn is_negative(&self) -> bool {
        match &self.body {
            Body::Script(script) => script.refuses(),
            Body::Program(..) => !self.forbids.is_empty(),
            Body::Play(play) => play.refuses() || !self.forbids.is_empty(),
        }
    }

    /// Whether it is written in Rust.
    pub(crate) const fn is_program(&self) -> bool {
        matches!(self.body, Body::Program(..))
    }

    /// Whether it can be run against any mail server, by host and port alone.
    pub(crate) fn is_for_any_server(&self) -> bool {
        self.needs == Needs::Nothing && [ANY_SERVER, SUBMISSION].contains(&self.profile)
    }

    /// On which port for logins it talks, if on one.
    pub(crate) fn login_port(&self) -> Option<Port> {
        match &self.body {
            Body::Script(script) => Some(script.place.port).filter(|port| port.wants_login()),
            _ => None,
        }
    }

    /// The first part of the id.
    pub(crate) fn protocol(&self) -> &str {
        self.id.split(['.', '-']).next().unwrap_or_default()
    }

    /// Runs the half that touches the world.
    pub(crate) fn drive(&self, stage: &mut Stage) -> Result<(), Stop> {
        match &self.body {
            Body::Script(script) => script.drive(stage),
            Body::Program(drive, _) => drive(stage),
            Body::Play(play) => play.drive(stage),
        }
    }

    /// Derives the verdict from the records alone.
    pub(crate) fn judge(&self, records: &[Record]) -> Judgement {
        let transcript = Transcript::new(records);
        let mut findings = Findings::default();
        match transcript.stop() {
            Some(Stop::NotApplicable(reason)) => {
                return Judgement::without_checks(Verdict::NotApplicable, reason);
            }
            Some(Stop::CouldNotRun(reason) | Stop::Unusable(reason)) => {
                return Judgement::without_checks(Verdict::CouldNotRun, reason);
            }
            // Nothing that a server may do in a conversation ends the server.
            Some(Stop::Died(reason)) => {
                return Judgement::without_checks(Verdict::Fail, reason);
            }
            Some(Stop::Bug(reason)) => {
                return Judgement::without_checks(Verdict::SuiteError, reason);
            }
            None => {}
        }
        match &self.body {
            Body::Script(script) => script.judge(&transcript, &mut findings),
            Body::Program(_, judge) => judge(&transcript, &mut findings),
            Body::Play(play) => play.judge(&transcript, &mut findings),
        }
        self.conclude(findings)
    }

    fn conclude(&self, findings: Findings) -> Judgement {
        let mut found = findings.by_check();
        if let Some(undeclared) = found.keys().find(|check| !self.checks.contains(check)) {
            let reason = format!("the judge spoke of `{undeclared}`, which is not declared");
            return Judgement::without_checks(Verdict::SuiteError, &reason);
        }
        if let Some((check, _)) = found.iter().find(|(check, finding)| {
            finding.holds && finding.absence != self.forbids.contains(&check.as_str())
        }) {
            let reason = format!("`{check}` is declared an absence or judged as one, and not both");
            return Judgement::without_checks(Verdict::SuiteError, &reason);
        }
        let mut verdict = Verdict::Pass;
        let mut reason = String::new();
        let mut checks = Vec::new();
        for check in &self.checks {
            let finding = found.remove(check).unwrap_or_else(|| Finding {
                holds: false,
                because: "was not reached".into(),
                absence: false,
                evidence: Vec::new(),
            });
            if !finding.holds && verdict == Verdict::Pass {
                verdict = Verdict::Fail;
                reason = format!("{check}: {}", finding.because);
            }
            checks.push((check.clone(), finding));
        }
        Judgement { verdict, reason, checks }
    }
}

/// The verdict on a case, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// What it came to.
    pub(crate) verdict: Verdict,
    /// The first reason, empty for a pass.
    pub(crate) reason: String,
    /// All declared checks, in order.
    pub(crate) checks: Vec<(String, Finding)>,
}

impl Judgement {
    fn without_checks(verdict: Verdict, reason: &str) -> Self {
        Self { verdict, reason: reason.to_owned(), checks: Vec::new() }
    }

    /// The records that tell it.
    pub(crate) fn events(&self, case: &str) -> Vec<Event> {
        let mut events: Vec<_> = self
            .checks
            .iter()
            .map(|(check, finding)| Event::Check {
                check: check.clone(),
                holds: finding.holds,
                because: finding.because.clone(),
                evidence: finding.evidence.clone(),
            })
            .collect();
        events.push(Event::CaseEnd {
            case: case.to_owned(),
            verdict: self.verdict,
            reason: self.reason.clone(),
        });
        events
    }
}
