//! What a running case has to work with.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::clock::Patience;
use crate::cluster::{Cluster, Ground, OUTSIDE as OUTSIDE_ADDRESS, uncertified};
use crate::event::{Event, Stop};
use crate::log::Recorder;
use crate::net::{Ledger, Port, Protection, Rule, Setting, Wire};
use crate::organization::{Blueprint, solo, with_logins};
use crate::parameters::{OUTSIDE, Parameters};
use crate::seat::{Place, Seat};
use crate::security::{Authority, Credentials, Security, SecurityError, Shown, Tls};
use crate::target::Target;

/// What is under test.
#[derive(Clone, Debug)]
pub(crate) enum UnderTest {
    /// One SMTP server that somebody else has started.
    Target(Box<Target>),
    /// Nodes that an adapter starts.
    Adapter(Vec<OsString>),
}

/// Which node scripts talk to: how it proves its name, and whether accounts log in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Solo {
    security: Security,
    has_logins: bool,
}

/// What a running case has to work with.
pub(crate) struct Stage {
    /// Where everything is recorded.
    pub(crate) recorder: Recorder,
    /// How long to wait.
    pub(crate) patience: Patience,
    /// Octet counts of this case's connections.
    pub(crate) ledger: Ledger,
    /// Where the nodes keep their files and logs.
    pub(crate) directory: PathBuf,
    under_test: UnderTest,
    parameters: Parameters,
    ehlo: String,
    /// How the members of this case prove their names.
    security: Option<Security>,
    authority: OnceLock<Arc<Authority>>,
    /// The nodes that scripts talk to, one after the other.
    solos: BTreeMap<Solo, Cluster>,
    /// How many cases have begun; what they make out of it nobody else in the run has.
    begun: u64,
    case: String,
}

impl Stage {
    /// For a run.
    pub(crate) fn new(
        recorder: &Recorder,
        patience: Patience,
        directory: PathBuf,
        under_test: UnderTest,
        parameters: Parameters,
    ) -> Self {
        Self {
            recorder: recorder.clone(),
            patience,
            ledger: Ledger::default(),
            directory,
            under_test,
            parameters,
            ehlo: OUTSIDE.to_owned(),
            security: None,
            authority: OnceLock::new(),
            solos: BTreeMap::new(),
            begun: 0,
            case: String::new(),
        }
    }

    /// Marks a place in the record, with what the suite knows there.
    pub(crate) fn mark(&self, name: &str, value: Value) -> u64 {
        self.recorder.record(Event::Mark { name: name.to_owned(), value })
    }

    /// Takes the recorder of the next case, and how the members prove their names in it.
    pub(crate) fn begin_case(
        &mut self,
        case: &str,
        recorder: Recorder,
        security: Option<Security>,
    ) {
        case.clone_into(&mut self.case);
        self.begun += 1;
        self.recorder = recorder;
        self.security = security;
    }

    /// Who issues the certificates of the members, where certificates prove their names.
    pub(crate) fn authority(&self) -> Result<Option<Arc<Authority>>, Stop> {
        if self.security != Some(Security::Tls) {
            return Ok(None);
        }
        if let Some(authority) = self.authority.get() {
            return Ok(Some(Arc::clone(authority)));
        }
        let minted = Authority::mint().map_err(|error| uncertified(&error))?;
        Ok(Some(Arc::clone(self.authority.get_or_init(|| Arc::new(minted)))))
    }

    /// A certificate that a member shows, `other` being another member of its organization.
    pub(crate) fn certificate(
        &self,
        shown: Shown,
        member: &str,
        other: &str,
    ) -> Result<Arc<Credentials>, Stop> {
        let authority = self.authority()?;
        let authority = authority.ok_or_else(|| uncertified(&SecurityError::none()))?;
        let shown = authority.shown(shown, member, other).map_err(|error| uncertified(&error))?;
        shown.ok_or_else(|| Stop::Bug("a server always shows a certificate".into()))
    }

    /// Lets go of what only one case uses.
    pub(crate) fn end_case(&mut self) {
        self.ledger = Ledger::default();
        self.recorder = Recorder::nowhere();
        OUTSIDE.clone_into(&mut self.ehlo);
    }

    /// Whether some line of this case, either way, begins with a word.
    pub(crate) fn seen(&self, word: &str) -> bool {
        let records = self.recorder.so_far();
        let transcript = crate::transcript::Transcript::new(&records);
        let mut links = transcript.connections();
        links.dedup();
        links.iter().any(|link| {
            transcript.lines(link).iter().any(|line| crate::smtp::starts_with(&line.text, word))
        })
    }

    /// Starts a cluster for this case.
    pub(crate) fn cluster(
        &self,
        blueprint: Blueprint,
        rules: &[(&str, Rule)],
    ) -> Result<Cluster, Stop> {
        let recorder = self.recorder.clone();
        self.start(&recorder, &self.case, blueprint, rules)
    }

    /// Has a member of an organization configured and started; how that ends stands in the record.
    pub(crate) fn try_start(&self, blueprint: Blueprint, member: &str) -> Result<(), Stop> {
        let logs = self.directory.join(&self.case);
        let authority = self.authority()?;
        let ground = self.ground(&self.recorder, &logs, authority.as_ref())?;
        Cluster::try_start(&ground, blueprint, member)
    }

    fn ground<'a>(
        &'a self,
        recorder: &'a Recorder,
        logs: &'a Path,
        authority: Option<&'a Arc<Authority>>,
    ) -> Result<Ground<'a>, Stop> {
        let UnderTest::Adapter(command) = &self.under_test else {
            return Err(Stop::CouldNotRun("only an adapter can start nodes".into()));
        };
        Ok(Ground { command, recorder, patience: self.patience, logs, authority })
    }

    fn start(
        &self,
        recorder: &Recorder,
        name: &str,
        blueprint: Blueprint,
        rules: &[(&str, Rule)],
    ) -> Result<Cluster, Stop> {
        let logs = self.directory.join(name);
        let authority = self.authority()?;
        let ground = self.ground(recorder, &logs, authority.as_ref())?;
        Cluster::start(&ground, blueprint, rules)
    }

    /// Says under which name the suite greets from now on.
    pub(crate) fn greet_as(&mut self, name: &str) {
        name.clone_into(&mut self.ehlo);
    }

    /// Opens a connection of a script.
    pub(crate) fn seat(&mut self, link: &str, place: Place) -> Result<Wire, Stop> {
        let stale = Some(self.solo(place)).filter(|solo| self.solos.contains_key(solo));
        match (self.try_seat(link, place), stale) {
            // The node may have died in an earlier case; a fresh one gets a fresh chance.
            (Err(_), Some(stale)) => {
                self.solos.remove(&stale);
                self.try_seat(link, place)
            }
            (result, _) => result,
        }
    }

    fn try_seat(&mut self, link: &str, place: Place) -> Result<Wire, Stop> {
        let Place { seat, port, .. } = place;
        let (from, to, tls) = match (&self.under_test, seat) {
            (UnderTest::Target(target), Seat::Outside) => {
                let to = target.port(port).ok_or_else(|| unknown_port(port))?;
                let tls = port.wants_login().then(|| Tls::with_target(target)).transpose();
                (None, to, tls.map_err(|error| uncertified(&error))?)
            }
            (UnderTest::Target(_), _) => {
                let problem = "only an adapter can make the suite a member";
                return Err(Stop::CouldNotRun(problem.into()));
            }
            (UnderTest::Adapter(_), _) => self.solo_place(place)?,
        };
        let setting = Setting {
            recorder: &self.recorder,
            ledger: &self.ledger,
            connect: self.patience.connect(),
            reply: self.patience.reply(),
        };
        let dialled = Wire::dial(&setting, link, from, to, Protection::on(port, tls));
        dialled.map_err(|error| self.out_of_reach(to, &error.0))
    }

    /// Nobody listens there. Of a server that somebody else has started a port may be dead while others live:
    /// what needs it cannot run, and everything else can.
    fn out_of_reach(&self, port: SocketAddr, problem: &str) -> Stop {
        let problem = format!("cannot connect to {problem}");
        match &self.under_test {
            UnderTest::Target(target) if target.listens_beside(port, self.patience) => {
                Stop::CouldNotRun(problem)
            }
            _ => Stop::Unusable(problem),
        }
    }

    /// Where the suite sits when it talks to the one node of all scripts, and TLS for there.
    fn solo_place(
        &mut self,
        place: Place,
    ) -> Result<(Option<core::net::Ipv4Addr>, SocketAddr, Option<Tls>), Stop> {
        let Place { seat, port, shown } = place;
        let which = self.solo(place);
        if !self.solos.contains_key(&which) {
            let nowhere = Recorder::nowhere();
            let rules = [("RG1-RG2", Rule::Refuse)];
            let (name, blueprint) =
                if which.has_logins { ("logins", with_logins()) } else { ("solo", solo()) };
            let mut cluster = self.start(&nowhere, name, blueprint, &rules)?;
            cluster.settle()?;
            self.solos.insert(which, cluster);
        }
        let Some(cluster) = self.solos.get(&which) else {
            return Err(Stop::Bug("the node of the scripts has just been started".into()));
        };
        let (from, name) = match seat {
            Seat::Outside => (OUTSIDE_ADDRESS, seat.name()),
            Seat::Member | Seat::Fellow | Seat::Named(_) => {
                (cluster.address_of(seat.name()), seat.name())
            }
        };
        let (member, other) = match seat {
            Seat::Outside => (None, ""),
            Seat::Member => (Some(name), "rg1-c"),
            Seat::Fellow | Seat::Named(_) => (Some(name), "rg2-a"),
        };
        let tls = match (&self.authority()?, member, shown) {
            (Some(authority), Some(member), shown) if shown != Shown::Own => {
                let own = authority.shown(shown, member, other);
                let tls = own.and_then(|own| authority.client(own.as_deref(), "rg1-a"));
                Some(tls.map_err(|error| uncertified(&error))?)
            }
            _ => cluster.client_tls(member, "rg1-a")?,
        };
        name.clone_into(&mut self.ehlo);
        Ok((Some(from), cluster.listens("rg1-a", port)?, tls))
    }

    /// The node that a script talks to.
    fn solo(&self, place: Place) -> Solo {
        let security = self.security.unwrap_or(Security::Address);
        Solo { security, has_logins: place.port.wants_login() }
    }

    /// Replaces the words that [`Parameters::reveal`] knows.
    pub(crate) fn reveal(&self, octets: &[u8]) -> Result<Vec<u8>, Stop> {
        self.parameters.reveal(octets).map_err(Stop::CouldNotRun)
    }

    /// Replaces the words that [`Parameters::expand`] knows.
    pub(crate) fn expand(&self, octets: &[u8]) -> Result<Vec<u8>, Stop> {
        self.parameters.expand(octets, &self.ehlo, self.begun).map_err(Stop::CouldNotRun)
    }

    /// Whether a bare target is talked to: a server that promises nothing but RFC 5321.
    pub(crate) const fn is_bare(&self) -> bool {
        matches!(self.under_test, UnderTest::Target(_))
    }
}

fn unknown_port(port: Port) -> Stop {
    Stop::CouldNotRun(format!("nobody has said where the {} port is", port.name()))
}
