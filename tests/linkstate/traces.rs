//! What members store while a failure spreads and while one of them boots, as traces that TLC holds against the
//! model: `spec/models/TraceLinkState.tla`.

use std::fs;
use std::sync::Arc;

use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkCommand, SharedRecord, TableChange, Way,
};
use bridgehead::sim::converge::{Delays, Network, Shape, Topology, converged_disks};
use bridgehead::wire::ids::MemberName;

const FILE: &str = "spec/models/LinkStateTraces.tla";
/// The connectors of the model's triangle, in the order of their numbers.
const ENDS: [(usize, usize); 6] = [(1, 2), (2, 1), (1, 3), (3, 1), (3, 2), (2, 3)];
/// Everything that takes no retries is over.
const REST: Span = Span::hours(1);

/// A ring of three groups of one member each, whose connector from the first to the second breaks.
struct Triangle {
    topology: Topology,
    network: Network,
    steps: Vec<String>,
}

/// The number that ends the name of a group or begins that of a member's group, from 1.
fn number(group: &str) -> usize {
    group.trim_start_matches('g').parse::<usize>().expect("g00000") + 1
}

/// A record in the words of the model.
fn record(record: &SharedRecord) -> String {
    let version = &record.version;
    assert_eq!((version.term.counter, version.major, version.user), (1, 1, 0), "minor says it all");
    let group = number(record.group.as_str());
    let down = record.connectors.iter().filter(|known| known.state == ConnectorState::Down);
    let down = down.map(|known| (group, number(known.to.as_str())));
    let down = down.map(|ends| ENDS.iter().position(|known| *known == ends).expect("it is") + 1);
    let down: Vec<_> = down.map(|place| place.to_string()).collect();
    format!("[group |-> {group}, minor |-> {}, down |-> {{{}}}]", version.minor, down.join(", "))
}

impl Triangle {
    /// All know all, and the connector has broken and is wanted.
    fn broken() -> Self {
        let topology = Topology::new(Shape::Ring, 3, 1, 1);
        let organization = Arc::new(topology.organization.clone());
        let disks = converged_disks(&organization);
        let mut network = Network::new(&organization, Delays::default(), 1, &Faults::none(), disks);
        network.boot_all();
        assert!(network.settle(REST));
        network.written = Some(Vec::new());
        network.cut(&topology.breaks);
        network.command(0, LinkCommand::Want(Way::Connector(topology.breaks.clone())));
        Self { topology, network, steps: Vec::new() }
    }

    fn step(&mut self, place: usize, boots: bool, records: &[String]) {
        let (member, boots) = (place + 1, if boots { "TRUE" } else { "FALSE" });
        let records = records.join(", ");
        let step = format!("[member |-> {member}, boots |-> {boots}, records |-> {{{records}}}]");
        self.steps.push(step);
    }

    /// The origin judges the connector so, and everybody has heard of it.
    fn judged(&mut self, judgement: &str) {
        let breaks = &self.topology.breaks;
        assert!(self.network.run_until_judged(breaks, judgement, Span::minutes(6)));
        self.rest();
    }

    fn rest(&mut self) {
        assert!(self.network.settle(REST));
        let written: Vec<(MemberName, TableChange)> =
            self.network.written.replace(Vec::new()).expect("it is kept");
        for (member, change) in written {
            let TableChange::Learnt { records, .. } = change else { panic!("{change:?}") };
            let records: Vec<_> = records.iter().map(record).collect();
            self.step(self.network.place(&member), false, &records);
        }
    }

    /// A member dies and boots.
    fn restart(&mut self, place: usize) {
        self.network.crash(place);
        self.network.boot(place);
        self.step(place, true, &[]);
        self.rest();
    }

    fn heal(&mut self) {
        self.network.heal(&self.topology.breaks);
        self.network.command(0, LinkCommand::Done(Way::Connector(self.topology.breaks.clone())));
    }
}

/// LS-001, LS-006, LS-017, LS-029: what is stored when a connector goes DOWN and UP again.
#[test]
fn the_traces_that_the_model_is_held_against_are_true() {
    let mut spreads = Triangle::broken();
    spreads.judged("down");
    spreads.heal();
    spreads.judged("up");
    // The origin boots while the connector is DOWN, and finds it working only then.
    let mut boots = Triangle::broken();
    boots.judged("down");
    boots.restart(0);
    boots.heal();
    boots.judged("up");
    let traces = [("AFailureSpreads", spreads), ("TheOriginBoots", boots)];
    let told =
        traces.map(|(name, told)| format!("{name} == <<\n  {}\n>>\n", told.steps.join(",\n  ")));
    let (rule, end) = ("-".repeat(26), "=".repeat(77));
    let text = format!(
        "{rule} MODULE LinkStateTraces {rule}\n\
         (* Written by tests/linkstate/traces.rs: what members stored, in order.    *)\n\
         EXTENDS Sequences\n\n{}\n{end}\n",
        told.join("\n").trim_end()
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(FILE, &text).expect("the checkout can be written");
    }
    assert_eq!(
        fs::read_to_string(FILE).expect("the file is there"),
        text,
        "UPDATE_GOLDEN=1 writes it"
    );
}
