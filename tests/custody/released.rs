//! Leased accounts that an operator has released.

use bridgehead::kernel::Span;
use bridgehead::protocol::member::Pdu;
use bridgehead::protocol::operator::{Item, Order, Ordered};
use bridgehead::wire::ids::{Epoch, MemberName};
use bridgehead::wire::message::Address;

use super::leased::{LEASE_S, ann, leasing, opening, owners, running};
use super::network::{Network, member};

/// The account is to be released; what is answered.
fn release(network: &mut Network, at: &MemberName, account: &Address) -> Ordered {
    let number = network.order(at, Order::ReleaseAccount { account: account.clone() });
    network.run(Span::seconds(1));
    match network.replies.get(&number) {
        Some(Pdu::Ordered(ordered)) => ordered.clone(),
        other => panic!("{other:?}"),
    }
}

fn done(text: &str) -> Ordered {
    Ordered { done: vec![Item::whole(&ann().0, text)], refused: Vec::new() }
}

fn refused(account: &Address, text: &str) -> Ordered {
    Ordered { done: Vec::new(), refused: vec![Item::whole(&account.0, text)] }
}

/// MA-105: the owner gives back, the master frees, and everybody else names whom to ask.
#[test]
fn an_operator_has_an_account_released() {
    let mut network = running(5, &[]);
    let both = [member(1, 'a'), member(1, 'b')];
    let [master, other] = if is_master(&network, &both[0]) {
        both
    } else {
        let [other, master] = both;
        [master, other]
    };
    let ask = format!("this member has it not: ask the master, {master}");
    assert_eq!(release(&mut network, &other, &ann()), refused(&ann(), &ask));
    let text = "is kept for nobody; who has it from an earlier master may ask for it still";
    assert_eq!(release(&mut network, &master, &ann()), done(text));
    let mut clients = vec![network.mail(&master, Some("x@example.org"), &[ann()])];
    network.run(Span::seconds(30));
    assert_eq!(owners(&network), vec![master.clone()]);
    let text = "is given back as soon as nothing is under way in it";
    assert_eq!(release(&mut network, &master, &Address::from("Ann@example.org")), done(text));
    assert_eq!(owners(&network), []);
    clients.push(network.mail(&other, Some("x@example.org"), &[ann()]));
    network.run(Span::seconds(30));
    assert_eq!(owners(&network), vec![other.clone()]);
    let text = format!("is free; {other} loses it with its next request");
    assert_eq!(release(&mut network, &master, &ann()), done(&text));
    assert_eq!(release(&mut network, &master, &ann()), done("is free"));
    network.run(Span::seconds(u64::from(LEASE_S) / 2));
    assert_eq!(owners(&network), []);
    clients.push(network.mail(&master, Some("x@example.org"), &[ann()]));
    network.run(Span::seconds(30));
    assert_eq!(
        (owners(&network), opening(&network, &master)),
        (vec![master.clone()], Some(Epoch(3)))
    );
    clients.push(network.mail(&other, Some("x@example.org"), &[ann()]));
    network.run(Span::seconds(30));
    let ask = format!("{master} has it, as far as is known: ask that one");
    assert_eq!(release(&mut network, &other, &ann()), refused(&ann(), &ask));
    for client in clients {
        assert_eq!(network.copies(client, &ann()), 1, "{client}");
    }
    for (name, text) in [
        ("nobody@example.org", "no such account"),
        (&leasing().accounts[0].address.0, "no master leases it: it has its host by the file"),
    ] {
        let account = Address::from(name);
        assert_eq!(release(&mut network, &master, &account), refused(&account, text));
    }
    let ask = "the master of `g1` leases it: ask a member of that group";
    assert_eq!(release(&mut network, &member(2, 'a'), &ann()), refused(&ann(), ask));
    assert_eq!(owners(&network), vec![master.clone()]);
    // Without a master nobody is sent to who was it.
    network.crash(&other);
    network.crash(&member(2, 'a'));
    network.run(Span::minutes(2));
    assert!(!is_master(&network, &master) && owners(&network).is_empty());
    let nobody = "this member has it not, and knows no master that it could name";
    assert_eq!(release(&mut network, &master, &ann()), refused(&ann(), nobody));
}

fn is_master(network: &Network, name: &MemberName) -> bool {
    let node = network.sites[name].node.as_ref();
    node.is_some_and(|node| node.machine().link().leads().is_some())
}
