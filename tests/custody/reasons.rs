//! What is said of mail that has no way: what closes it.

use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::Policy;
use bridgehead::protocol::operator::{Burial, Order, Selection};
use bridgehead::protocol::organization::{Connector, LinkStatePolicy, Organization};
use bridgehead::wire::restrictions::Priority;

use crate::network::{Network, member, organization, user};

/// What is done to a connector.
type Change<'a> = &'a dyn Fn(&mut Connector);

/// Three groups in a line, where what is broken is told, and the connector between the second and the third is changed.
fn boot(change: impl Fn(&mut Connector)) -> Network {
    let mut organization: Organization = organization(3);
    organization.link_state.policy = LinkStatePolicy::Truth;
    let far = organization.connectors.iter_mut().find(|c| c.name.as_str() == "g2-g3");
    change(far.expect("it is there"));
    assert_eq!(organization.check(), []);
    let mut network = Network::new(organization, Policy::default(), &Faults::default(), 7);
    network.run(Span::seconds(10));
    network
}

/// Why mail from the first group to the third one waits, as the queue of its first member says.
fn why(network: &mut Network) -> String {
    let at = member(1, 'a');
    network.mail(&at, Some("user-g1-a@example.org"), &[user(&member(3, 'b'))]);
    network.run(Span::seconds(30));
    let site = &network.sites[&at];
    let all = Selection { all: true, ..Selection::default() };
    let rows =
        site.node.as_ref().expect("it is up").machine().rows(&all, network.now, &site.config);
    let places = rows.iter().flat_map(|row| &row.recipients).map(|recipient| &recipient.place);
    places.map(|place| format!("{place:?}")).collect()
}

/// LS-244: the barrier is named that closes the way, at the connector where it stands, however far away.
#[test]
fn who_waits_hears_which_barrier_closes_the_way() {
    let size = |connector: &mut Connector| connector.size_limit_octets = Some(9);
    let priority = |connector: &mut Connector| connector.priorities = vec![Priority::High];
    let sender = |connector: &mut Connector| connector.senders_denied = vec!["example.org".into()];
    let cases: [(Change<'_>, &str); 3] = [
        (&size, "every way to g3 is closed to it: g2-g3 too large, at most 9 octets"),
        (&priority, "every way to g3 is closed to it: g2-g3 not for this priority"),
        (&sender, "every way to g3 is closed to it: g2-g3 not for this sender"),
    ];
    for (change, expected) in cases {
        let said = why(&mut boot(change));
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

/// LS-244: what is broken is said to be down; and a group that is buried, or behind which no way leads on, to be buried.
#[test]
fn who_waits_hears_of_what_is_down_and_of_what_is_buried() {
    let mut network = boot(|_| ());
    network.cuts.push((member(2, 'a'), member(3, 'a')));
    network.cuts.push((member(3, 'a'), member(2, 'a')));
    network.mail(&member(2, 'a'), None, &[user(&member(3, 'b'))]);
    network.run(Span::minutes(10));
    let said = why(&mut network);
    assert!(said.contains("every way to g3 is down"), "{said}");
    for (group, expected) in
        [("g3", "g3 is buried"), ("g2", "no connector leads to g3; g2 is buried")]
    {
        let mut network = boot(|_| ());
        let (group, reason) = (group.into(), None);
        let burial = Burial { group, reason, force: true, unknown: false };
        network.order(&member(1, 'b'), Order::Bury(burial));
        network.run(Span::seconds(30));
        let said = why(&mut network);
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
