//! When a failure is not told: the penalty of RFC 7196, and the policies around it. The seed's own rule is
//! among the scenarios.

use std::sync::Arc;

use crate::bench::*;
use crate::network::{figure_3_14, member};
use bridgehead::kernel::{Act, Input, LinkChange, Span};
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkCommand, LinkDurable, LinkEvent, LinkPdu, LinkState, LinkTimer,
};
use bridgehead::protocol::organization::{
    DampingRule, LinkStatePolicy, LinkStateSettings, Organization,
};
use bridgehead::wire::ids::ConnectorName;

/// Not the only way; RG4-RG5 is.
const CONNECTOR: &str = "RG2-RG4";

type Timer = fn(ConnectorName) -> LinkTimer;

/// The five groups, where the bridgeheads of RG2 and RG4 are masters, too.
fn with(settings: LinkStateSettings) -> Organization {
    let mut organization = figure_3_14();
    organization.link_state = settings;
    organization.groups[1].master = Some(member(2, 'a'));
    organization.groups[3].master = Some(member(4, 'a'));
    assert_eq!(organization.check(), []);
    organization
}

fn penalties(damping: DampingRule) -> LinkStateSettings {
    LinkStateSettings { damping, suppress_penalty: 2_000, ..LinkStateSettings::default() }
}

/// An origin of one connector that fails and heals.
struct Origin {
    bench: Bench,
    name: &'static str,
    judged: Vec<String>,
}

impl Origin {
    fn of(group: usize, name: &'static str, settings: LinkStateSettings) -> Self {
        let bench = Bench::boot(with(settings), &member(group, 'a'), LinkDurable::default());
        Self { bench, name, judged: Vec::new() }
    }

    fn new(settings: LinkStateSettings) -> Self {
        Self::of(2, CONNECTOR, settings)
    }

    fn step(&mut self, input: Input<LinkState>) -> Vec<Act<LinkState>> {
        let acts = self.bench.step(input);
        let judged = acts.iter().filter_map(|act| match act {
            Act::Event(LinkEvent::Judged { connector, judgement })
                if connector.as_str() == self.name =>
            {
                Some(judgement.clone())
            }
            _ => None,
        });
        self.judged.extend(judged);
        acts
    }

    fn runs(&self, timer: Timer) -> bool {
        self.bench.node.armed().contains(&timer(self.name.into()))
    }

    fn due(&mut self, timer: Timer) -> Vec<Act<LinkState>> {
        assert!(self.runs(timer), "{:?} runs", timer(self.name.into()));
        self.step(Input::Timer(timer(self.name.into())))
    }

    /// The attempt that is under way is refused.
    fn refused(&mut self) -> Vec<Act<LinkState>> {
        let far = self.bench.config.organization.connector(&self.name.into()).unwrap();
        let there = over(self.name, far.targets[0].clone());
        self.step(Input::Link { peer: there, change: LinkChange::Refused })
    }

    /// So are all glitch retries: DOWN is decided. What that last step did.
    fn fails(&mut self) -> Vec<Act<LinkState>> {
        let mut acts = self.refused();
        while !self.runs(LinkTimer::Probe) {
            self.due(LinkTimer::GlitchRetry);
            acts = self.refused();
        }
        acts
    }

    /// The next probe succeeds; then the connection is lost, and the next attempt is under way.
    fn heals(&mut self) {
        self.bench.command(LinkCommand::Done(way(self.name)));
        self.bench.command(LinkCommand::Want(way(self.name)));
        let far = self.bench.config.organization.connector(&self.name.into()).unwrap();
        let there = over(self.name, far.targets[0].clone());
        self.due(LinkTimer::Probe);
        self.step(Input::Link { peer: there.clone(), change: LinkChange::Up });
        let merged = LinkPdu::merged(self.bench.digest(), vec![]);
        self.step(Input::Pdu { from: there.clone(), pdu: merged });
        let merged = LinkPdu::merged(self.bench.digest(), vec![]);
        self.step(Input::Pdu { from: there.clone(), pdu: merged });
        self.step(Input::Link { peer: there, change: LinkChange::Lost });
    }

    fn row(&self) -> (ConnectorState, u32) {
        let rows = self.bench.node.machine().rows(bridgehead::kernel::Time(0)).into_iter();
        let mut connectors = rows.filter_map(|row| row.connector);
        let row = connectors.find(|c| c.name.as_str() == self.name).expect("it is in the table");
        (row.state, row.penalty)
    }

    fn reconfigure(&mut self, settings: LinkStateSettings) {
        self.bench.config.organization = Arc::new(with(settings));
        self.step(Input::Configuration);
    }
}

/// LS-110, LS-112: each decision costs a thousand, half of which is gone in fifteen steps; when little is left
/// it is forgotten, and nothing runs any more.
#[test]
fn a_penalty_is_counted_and_decays() {
    let mut origin = Origin::new(penalties(DampingRule::CalculateOnly));
    assert_eq!(origin.row(), (ConnectorState::Up, 0));
    let acts = origin.fails();
    assert_eq!(armed(&acts, &LinkTimer::Decay(CONNECTOR.into())), [Span::seconds(60)]);
    assert_eq!(origin.row(), (ConnectorState::Down, 1_000));
    for _ in 0..15 {
        let acts = origin.due(LinkTimer::Decay);
        assert_eq!(armed(&acts, &LinkTimer::Decay(CONNECTOR.into())), [Span::seconds(60)]);
    }
    assert_eq!(origin.row().1, 494, "half, and less by what fifteen roundings took");
    origin.heals();
    let acts = origin.fails();
    assert_eq!(origin.row().1, 1_494);
    assert_eq!(armed(&acts, &LinkTimer::Decay(CONNECTOR.into())), [], "the step that runs goes on");
    let mut steps = 0;
    while origin.runs(LinkTimer::Decay) {
        origin.due(LinkTimer::Decay);
        steps += 1;
    }
    // 1,494 to 375 are 1.99 half-lives.
    assert_eq!((origin.row().1, steps), (0, 30));
    // The ceiling.
    for _ in 0..60 {
        origin.heals();
        origin.fails();
    }
    assert_eq!(origin.row().1, 50_000);
}

/// LS-111: the decision by which the penalty reaches the threshold suppresses; the connector is UP for all others
/// until the penalty has decayed below the reuse limit.
#[test]
fn a_penalty_suppresses_until_it_has_decayed() {
    let mut origin = Origin::new(penalties(DampingRule::Rfc7196));
    origin.fails();
    assert!(!origin.runs(LinkTimer::SuppressLimit));
    origin.heals();
    let acts = origin.fails();
    let limit = LinkTimer::SuppressLimit(CONNECTOR.into());
    assert_eq!(armed(&acts, &limit), [Span::hours(1)]);
    assert_eq!(origin.row(), (ConnectorState::Up, 2_000));
    assert_eq!(origin.judged, ["retry", "down", "up", "retry", "oscillating"]);
    // A further decision counts, suppresses on, and the hour begins again.
    for _ in 0..2 {
        origin.due(LinkTimer::Decay);
    }
    origin.heals();
    assert_eq!(armed(&origin.fails(), &limit), [Span::hours(1)]);
    let mut last = origin.row();
    assert_eq!(last, (ConnectorState::Up, 2_822));
    while last.0 == ConnectorState::Up {
        assert!(last.1 >= 750);
        origin.due(LinkTimer::Decay);
        last = origin.row();
    }
    assert_eq!(last, (ConnectorState::Down, 732));
    assert_eq!(origin.judged[5..], ["up", "retry", "oscillating", "down"]);
}

/// LS-111, LS-034: however great the penalty, an hour after the latest decision the connector is believed
/// again, and a failure that lasts 15 minutes is told.
#[test]
fn no_connector_is_suppressed_for_ever() {
    for timer in [LinkTimer::SuppressLimit as Timer, LinkTimer::DampLimit as Timer] {
        let mut origin = Origin::new(penalties(DampingRule::Rfc7196));
        for _ in 0..40 {
            origin.fails();
            origin.heals();
        }
        origin.fails();
        assert_eq!(origin.row(), (ConnectorState::Up, 41_000));
        origin.due(timer);
        assert_eq!(origin.row(), (ConnectorState::Down, 41_000));
        // What is believed again is suppressed again by the next decision; what was told is over with its failure.
        origin.heals();
        origin.fails();
        assert_eq!(origin.row(), (ConnectorState::Up, 42_000));
    }
}

/// LS-107: what is only calculated is shown, and changes nothing; and nothing is counted where nothing damps.
#[test]
fn a_penalty_may_be_calculated_only() {
    for damping in [DampingRule::CalculateOnly, DampingRule::Off] {
        let mut origin = Origin::new(penalties(damping));
        for count in 1..=20 {
            let before = origin.row().1;
            origin.fails();
            let costs = if damping == DampingRule::Off { 0 } else { 1_000 };
            assert_eq!(origin.row(), (ConnectorState::Down, before + costs), "{count}");
            assert!(!origin.runs(LinkTimer::SuppressLimit) && !origin.runs(LinkTimer::Calm));
            assert_eq!(origin.runs(LinkTimer::Decay), damping == DampingRule::CalculateOnly);
            origin.heals();
        }
    }
}

/// LS-106: under `truth` neither persistence nor damping hides a failure; the switch takes effect at once.
#[test]
fn the_truth_is_told() {
    let persist = |damping| penalties(damping);
    let truth = |damping| LinkStateSettings { policy: LinkStatePolicy::Truth, ..persist(damping) };
    let mut only_way = Origin::of(4, "RG4-RG5", persist(DampingRule::Oscillation));
    only_way.fails();
    assert_eq!(only_way.row().0, ConnectorState::Up);
    only_way.reconfigure(truth(DampingRule::Oscillation));
    assert_eq!(only_way.row().0, ConnectorState::Down);
    assert_eq!(only_way.judged, ["retry", "persistent", "down"]);
    for damping in [DampingRule::Oscillation, DampingRule::Rfc7196] {
        let mut origin = Origin::new(truth(damping));
        for _ in 0..6 {
            origin.fails();
            assert_eq!(origin.row().0, ConnectorState::Down);
            origin.heals();
        }
        origin.fails();
        origin.reconfigure(persist(damping));
        assert_eq!(origin.row().0, ConnectorState::Up, "{damping:?}: it was counted all the same");
        origin.reconfigure(persist(DampingRule::Off));
        assert_eq!(origin.row().0, ConnectorState::Down);
    }
}

/// LS-101: patience is configured; the probe is not.
#[test]
fn patience_is_configured() {
    let hasty = LinkStateSettings { glitch_retry_s: 7, glitch_retries: 2, ..Default::default() };
    let mut origin = Origin::new(hasty.clone());
    let retry = LinkTimer::GlitchRetry(CONNECTOR.into());
    assert_eq!(armed(&origin.refused(), &retry), [Span::seconds(7)]);
    assert_eq!(armed(&origin.due(LinkTimer::GlitchRetry), &retry), [Span::seconds(7)]);
    origin.refused();
    let probe = LinkTimer::Probe(CONNECTOR.into());
    assert_eq!(armed(&origin.due(LinkTimer::GlitchRetry), &probe), [Span::seconds(60)]);
    assert_eq!(origin.row().0, ConnectorState::Up, "the second retry is still under way");
    origin.refused();
    assert_eq!(origin.row().0, ConnectorState::Down);
    assert_eq!(armed(&origin.due(LinkTimer::Probe), &probe), [Span::seconds(60)]);
    origin.refused();
    // Who waits for the second of two retries when the file says four waits for four.
    origin.heals();
    origin.refused();
    origin.due(LinkTimer::GlitchRetry);
    origin.refused();
    origin.reconfigure(LinkStateSettings { glitch_retries: 4, ..hasty });
    for _ in 0..2 {
        origin.due(LinkTimer::GlitchRetry);
        assert!(origin.runs(LinkTimer::GlitchRetry));
        origin.refused();
    }
    origin.due(LinkTimer::GlitchRetry);
    origin.refused();
    assert_eq!(origin.row().0, ConnectorState::Down);
}

/// LS-113, and the limits of each setting: what cannot be meant is refused, with what was expected.
#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let check = |settings: LinkStateSettings| {
        let organization = Organization { link_state: settings, ..figure_3_14() };
        let errors = organization.check().into_iter();
        errors.map(|error| format!("{} {}", error.place, error.problem)).collect::<Vec<_>>()
    };
    let rfc = |suppress_penalty| LinkStateSettings {
        damping: DampingRule::Rfc7196,
        suppress_penalty,
        ..Default::default()
    };
    assert_eq!(LinkStateSettings::default().suppress_penalty, 2_500);
    assert_eq!(rfc(2_500).reachable_penalty(), 5_914);
    assert_eq!(check(rfc(5_914)), [""; 0]);
    let why = "and with 240 s from one DOWN to the next none exceeds 5914";
    assert_eq!(check(rfc(6_000)), [format!("link_state.suppress_penalty is 6000, {why}")]);
    let unused = LinkStateSettings { damping: DampingRule::CalculateOnly, ..rfc(12_000) };
    assert_eq!(check(unused), [""; 0], "a threshold that nothing uses may be anything");
    let hasty = LinkStateSettings { glitch_retry_s: 10, ..rfc(8_000) };
    assert_eq!(check(hasty), [""; 0]);
    let default = LinkStateSettings::default;
    let wrong = [
        (
            LinkStateSettings { half_life_s: 59, ..default() },
            "half_life_s is 59, expected 60 to 86400",
        ),
        (
            LinkStateSettings { max_suppress_s: 86_401, ..default() },
            "max_suppress_s is 86401, expected 60 to 86400",
        ),
        (
            LinkStateSettings { max_penalty: 1_000_001, ..default() },
            "max_penalty is 1000001, expected 1000 to 1000000",
        ),
        (
            LinkStateSettings { suppress_penalty: 999, ..default() },
            "suppress_penalty is 999, expected 1000 to 50000",
        ),
        (
            LinkStateSettings { suppress_penalty: 50_001, ..default() },
            "suppress_penalty is 50001, expected 1000 to 50000",
        ),
        (
            LinkStateSettings { reuse_penalty: 2_500, ..default() },
            "reuse_penalty is 2500, expected 2 to 2499",
        ),
        (
            LinkStateSettings { reuse_penalty: 1, ..default() },
            "reuse_penalty is 1, expected 2 to 2499",
        ),
        (
            LinkStateSettings { glitch_retry_s: 0, ..default() },
            "glitch_retry_s is 0, expected 1 to 3600",
        ),
        (
            LinkStateSettings { glitch_retries: 11, ..default() },
            "glitch_retries is 11, expected 1 to 10",
        ),
    ];
    for (settings, problem) in wrong {
        assert_eq!(check(settings), [format!("link_state.{problem}")]);
    }
}
