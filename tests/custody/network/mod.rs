//! Members at the level of custody over a virtual network: no sockets, no files, a clock that jumps.
//! Sessions are replaced by their PDUs. Each test file that includes it uses another part of it.

mod wire;

use core::num::NonZeroU32;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use wire::{Connection, Side};

use bridgehead::kernel::{
    Act, Choose as _, Input, LinkChange, Machine as _, Node, Seeded, Span, Ticket, Time,
};
use bridgehead::protocol::deliver::shared::{SharedAccount, SharedQuery};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{
    Answer, AutoReply, Change, Command, Durable, Endpoint, Event, Filtered, Member, MemberConfig,
    NewMail, Notice, Parcel, Pdu, Policy, Query, Security, Timer,
};
use bridgehead::protocol::operator::Order;
use bridgehead::protocol::organization::{
    Account, Connector, Group, LinkStateSettings, ORGANIZATION_FORMAT, Organization,
};
use bridgehead::wire::ids::{ConnectionId, ConnectorName, GroupName, MemberName};
use bridgehead::wire::message::{
    Address, Body, BodyKey, Digest, Field, Notify, Outcome, Recipient, Refusal,
};

/// Groups `g1` to `gn`, each with members `a` (bridgehead) and `b` (master), connected in a line in
/// both directions; each member hosts `user-MEMBER@example.org`.
pub(crate) fn organization(groups: usize) -> Organization {
    let group = |n: usize| Group {
        name: GroupName(format!("g{n}")),
        uuid: format!("{n:032x}"),
        members: vec![member(n, 'a'), member(n, 'b')],
        master: Some(member(n, 'b')),
        election: None,
        accounts: None,
        stores: Vec::new(),
        exits: Vec::new(),
        rules: Vec::new(),
        settings: Vec::new(),
    };
    let connector = |from: usize, to: usize| Connector {
        name: ConnectorName(format!("g{from}-g{to}")),
        from: GroupName(format!("g{from}")),
        to: GroupName(format!("g{to}")),
        cost: 10,
        sources: vec![member(from, 'a')],
        targets: vec![member(to, 'a')],
        size_limit_octets: None,
        priorities: Vec::new(),
        senders_allowed: Vec::new(),
        senders_denied: Vec::new(),
        schedule: Vec::new(),
    };
    let members = (1..=groups).flat_map(|n| [member(n, 'a'), member(n, 'b')]);
    let organization = Organization {
        format: ORGANIZATION_FORMAT,
        revision: 1,
        name: "test".into(),
        domains: vec!["example.org".into()],
        groups: (1..=groups).map(group).collect(),
        connectors: (1..groups).flat_map(|n| [connector(n, n + 1), connector(n + 1, n)]).collect(),
        accounts: members.map(|host| Account::new(user(&host), host)).collect(),
        smart_host: None,
        link_state: LinkStateSettings::default(),
    };
    assert_eq!(organization.check(), []);
    organization
}

/// `g1-a`.
pub(crate) fn member(group: usize, letter: char) -> MemberName {
    MemberName(format!("g{group}-{letter}"))
}

/// The account that a member hosts.
pub(crate) fn user(host: &MemberName) -> Address {
    Address(format!("user-{host}@example.org"))
}

/// What makes something go wrong: where a PDU that satisfies the test would arrive.
pub(crate) enum Trap {
    /// The connection breaks, and the PDU is lost.
    Cut(fn(&Pdu) -> bool),
    /// The receiver of the PDU crashes.
    CrashReceiver(fn(&Pdu) -> bool),
    /// The connection breaks for its client only; the PDU arrives.
    Orphan(fn(&Pdu) -> bool),
    /// The PDU is lost, and the connection stays.
    Swallow(fn(&Pdu) -> bool),
    /// The receiver hears this refusal instead.
    Refuse(fn(&Pdu) -> bool, Refusal),
}

impl Trap {
    fn takes(&self, pdu: &Pdu) -> bool {
        match self {
            Self::Cut(test)
            | Self::CrashReceiver(test)
            | Self::Orphan(test)
            | Self::Swallow(test)
            | Self::Refuse(test, _) => test(pdu),
        }
    }
}

/// The digest of every notice.
const NOTICE: Digest = Digest([7; 32]);

/// One member with its disk and its accounts.
pub(crate) struct Site {
    pub(crate) config: MemberConfig,
    pub(crate) node: Option<Node<Member>>,
    pub(crate) durable: Durable,
    unwritten: VecDeque<Change>,
    pub(crate) timers: BTreeMap<Timer, Time>,
    connections: BTreeMap<ConnectionId, u64>,
    epoch: u64,
    /// Files that are written and not moved to their place.
    tmp: BTreeMap<(Address, String), Digest>,
    /// Files in their place: how often each name was moved there.
    pub(crate) new: BTreeMap<(Address, String), (Digest, u32)>,
    /// Deposits and compositions fail while it is set.
    pub(crate) full: bool,
}

impl Site {
    /// The files of the accounts, also those that are not in their place yet.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&str, Digest)> {
        let tmp = self.tmp.iter().map(|((_, name), digest)| (name.as_str(), *digest));
        tmp.chain(self.new.iter().map(|((_, name), (digest, _))| (name.as_str(), *digest)))
    }
}

#[derive(Debug)]
enum Happening {
    Connect(MemberName, ConnectionId, Endpoint, u64),
    Arrive(u64, Side, Pdu),
    Gone(u64, Side, LinkChange),
    Stored(MemberName, u64),
    Answer(MemberName, u64, Ticket, Query),
}

/// The members, and everything that is under way between them.
pub(crate) struct Network {
    pub(crate) now: Time,
    pub(crate) sites: BTreeMap<MemberName, Site>,
    pub(crate) events: Vec<(Time, MemberName, Event)>,
    pub(crate) notices: Vec<(Time, MemberName, Notice)>,
    /// The automatic replies that were composed.
    pub(crate) replied: Vec<AutoReply>,
    /// The headers of the messages, by the digests of their contents.
    pub(crate) headers: BTreeMap<Digest, Vec<Field>>,
    /// What the filters say, in order; they let everything pass that comes later.
    pub(crate) filter: VecDeque<Answer>,
    /// What filters were asked about, by whom.
    pub(crate) filtered: Vec<(MemberName, Digest)>,
    /// What the clients were answered, by their connections.
    pub(crate) replies: BTreeMap<u64, Pdu>,
    pub(crate) traps: Vec<Trap>,
    /// PDUs of hand-over and delivery that arrived, oldest first: receiver and PDU.
    pub(crate) heard: Vec<(Time, MemberName, Pdu)>,
    /// The store that members share: what it has of each account, and the files beside it.
    pub(crate) shared: BTreeMap<Address, SharedAccount>,
    shared_tmp: BTreeMap<(Address, String), Digest>,
    /// How often each file was moved to its place there.
    pub(crate) shared_new: BTreeMap<(Address, String), (Digest, u32)>,
    /// It records what it is asked to, and its answers are lost.
    pub(crate) shared_is_unheard: bool,
    /// The pairs that cannot connect.
    pub(crate) cuts: Vec<(MemberName, MemberName)>,
    /// What the outside server says; `None` refuses connections.
    pub(crate) outside: Option<Outcome>,
    /// The outside server takes over the duty to tell of a success.
    pub(crate) outside_tells: bool,
    pub(crate) relayed: Vec<Parcel>,
    /// When somebody connected to the outside server.
    pub(crate) knocked: Vec<Time>,
    /// Which member called which outside server.
    pub(crate) called: Vec<(MemberName, String)>,
    /// The frontends that relay for the connections of other members.
    relays: BTreeMap<(MemberName, ConnectionId), MemberName>,
    connections: BTreeMap<u64, Connection>,
    agenda: BTreeMap<(Time, u64), Happening>,
    chance: Seeded,
    next: u64,
}

impl Network {
    /// All members of `organization` boot.
    pub(crate) fn new(
        organization: Organization,
        policy: Policy,
        faults: &Faults,
        seed: u64,
    ) -> Self {
        let organization = Arc::new(organization);
        let mut network = Self {
            now: Time(1_000_000_000),
            sites: BTreeMap::new(),
            events: Vec::new(),
            notices: Vec::new(),
            replied: Vec::new(),
            headers: BTreeMap::new(),
            filter: VecDeque::new(),
            filtered: Vec::new(),
            replies: BTreeMap::new(),
            traps: Vec::new(),
            heard: Vec::new(),
            shared: BTreeMap::new(),
            shared_tmp: BTreeMap::new(),
            shared_new: BTreeMap::new(),
            shared_is_unheard: false,
            cuts: Vec::new(),
            outside: None,
            outside_tells: true,
            relayed: Vec::new(),
            knocked: Vec::new(),
            called: Vec::new(),
            relays: BTreeMap::new(),
            connections: BTreeMap::new(),
            agenda: BTreeMap::new(),
            chance: Seeded::new(seed),
            next: 0,
        };
        let members: Vec<_> = organization.groups.iter().flat_map(|g| g.members.clone()).collect();
        for member in members {
            let config = MemberConfig {
                organization: Arc::clone(&organization),
                member: member.clone(),
                security: Security::Address,
                policy: policy.clone(),
                faults: faults.clone(),
            };
            let site = Site {
                config,
                node: None,
                durable: Durable::default(),
                unwritten: VecDeque::new(),
                timers: BTreeMap::new(),
                connections: BTreeMap::new(),
                epoch: 0,
                tmp: BTreeMap::new(),
                new: BTreeMap::new(),
                full: false,
            };
            network.sites.insert(member.clone(), site);
            network.boot(&member);
        }
        network
    }

    /// A member starts from its disk.
    pub(crate) fn boot(&mut self, name: &MemberName) {
        let site = self.sites.get_mut(name).unwrap();
        assert!(site.node.is_none(), "{name} runs");
        let (node, acts) =
            Node::<Member>::boot(&site.config, &site.durable, self.now, &mut self.chance);
        site.node = Some(node);
        self.act(name, acts);
    }

    /// A member stops where it stands. Of what it wrote last, any prefix may be on disk.
    pub(crate) fn crash(&mut self, name: &MemberName) {
        let unwritten = self.sites[name].unwritten.len();
        let kept = self.below(unwritten + 1);
        let site = self.sites.get_mut(name).unwrap();
        site.node = None;
        site.epoch += 1;
        site.timers.clear();
        for change in site.unwritten.drain(..).take(kept) {
            Member::apply(&mut site.durable, &change);
        }
        for id in core::mem::take(&mut site.connections).into_values() {
            self.break_connection(id);
        }
    }

    /// The number that the next client will have.
    pub(crate) fn next_client(&self) -> u64 {
        (self.next + 1) * 2 + 1_000_001
    }

    /// A client gives a message for these accounts to a member; answers the client's number.
    pub(crate) fn mail(&mut self, at: &MemberName, from: Option<&str>, to: &[Address]) -> u64 {
        self.mail_notify(at, from, to, Notify::default())
    }

    /// The same, with what the sender wants to hear.
    pub(crate) fn mail_notify(
        &mut self,
        at: &MemberName,
        from: Option<&str>,
        to: &[Address],
        notify: Notify,
    ) -> u64 {
        let recipient = |address: &Address| Recipient {
            index: 0,
            address: address.clone(),
            notify,
            original: None,
            suspect: false,
        };
        let mail = NewMail {
            sender: from.map(Address::from),
            recipients: to.iter().map(recipient).collect(),
            ret: None,
            envid: None,
            smtputf8: false,
            submitter: None,
            from: "client".into(),
            with: "ESMTP".into(),
            body: Body { key: BodyKey(0), digest: Digest::default(), octets: 0 },
        };
        self.mail_as(at, mail)
    }

    /// A client gives this message, with a body of its own.
    pub(crate) fn mail_as(&mut self, at: &MemberName, mail: NewMail) -> u64 {
        let client = self.number() * 2 + 1_000_001;
        let mail = NewMail { body: self.body(client), ..mail };
        self.step(at, Input::Pdu { from: ConnectionId(client), pdu: Pdu::Mail(mail) });
        client
    }

    /// The operator orders something; the number under which the answer will stand in `replies`.
    pub(crate) fn order(&mut self, at: &MemberName, order: Order) -> u64 {
        let from = self.number() * 2 + 1_000_001;
        let command = Command::Order { from: ConnectionId(from), order };
        self.step(at, Input::Command(command));
        from
    }

    /// How many notices stand in an account.
    pub(crate) fn notices_in(&self, account: &Address) -> u32 {
        let files = self.sites.values().flat_map(|site| &site.new);
        files.filter(|((at, _), (d, _))| at == account && *d == NOTICE).map(|(_, (_, n))| *n).sum()
    }

    /// The digest of the body that a client gave.
    pub(crate) fn digest(client: u64) -> Digest {
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&client.to_be_bytes());
        Digest(octets)
    }

    /// How many copies of a client's message stand in accounts.
    pub(crate) fn copies(&self, client: u64, account: &Address) -> u32 {
        let digest = Self::digest(client);
        let files = self.sites.values().flat_map(|site| &site.new).chain(&self.shared_new);
        files.filter(|((at, _), (d, _))| at == account && *d == digest).map(|(_, (_, n))| *n).sum()
    }

    /// Gives a member one input, if it runs.
    pub(crate) fn step(&mut self, name: &MemberName, input: Input<Member>) {
        let site = self.sites.get_mut(name).unwrap();
        let Some(node) = site.node.as_mut() else { return };
        let acts = node.step(&site.config, input, self.now, &mut self.chance);
        self.act(name, acts);
    }

    /// Lets everything happen that is due within `span`. `check` looks after each event.
    pub(crate) fn run_checked(&mut self, span: Span, check: &mut dyn FnMut(&Self)) {
        let end = self.now + span;
        while let Some(due) = self.due().filter(|due| *due <= end) {
            self.now = due;
            self.happen();
            check(self);
        }
        self.now = end;
    }

    /// Lets everything happen that is due within `span`.
    pub(crate) fn run(&mut self, span: Span) {
        self.run_checked(span, &mut |_| {});
    }

    fn due(&self) -> Option<Time> {
        let timers = self.sites.values().flat_map(|site| site.timers.values().copied());
        let agenda = self.agenda.first_key_value().map(|((time, _), _)| *time);
        timers.chain(agenda).min()
    }

    fn happen(&mut self) {
        let now = self.now;
        if let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            return match entry.remove() {
                Happening::Connect(from, id, endpoint, epoch) => {
                    self.connect(&from, id, &endpoint, epoch);
                }
                Happening::Arrive(id, side, pdu) => self.arrive(id, side, pdu),
                Happening::Gone(id, side, change) => self.gone(id, side, change),
                Happening::Stored(name, epoch) => self.stored(&name, epoch),
                Happening::Answer(name, epoch, ticket, query) => {
                    self.answer(&name, epoch, ticket, query);
                }
            };
        }
        let due = self.sites.iter().find_map(|(name, site)| {
            let timer = site.timers.iter().find(|(_, time)| **time <= now)?.0;
            Some((name.clone(), timer.clone()))
        });
        let (name, timer) = due.expect("something is due");
        self.sites.get_mut(&name).unwrap().timers.remove(&timer);
        self.step(&name, Input::Timer(timer));
    }

    fn act(&mut self, name: &MemberName, acts: Vec<Act<Member>>) {
        for act in acts {
            let epoch = self.sites[name].epoch;
            match act {
                Act::Open { peer, endpoint } => {
                    self.plan(5, Happening::Connect(name.clone(), peer, endpoint, epoch));
                }
                Act::Close { peer } => self.close(name, peer),
                Act::Send { to, pdu } => self.send(name, to, pdu),
                Act::Ask { ticket, query } => {
                    self.plan(5, Happening::Answer(name.clone(), epoch, ticket, query));
                }
                Act::Arm { timer, within } => {
                    let time = self.now + *within.start();
                    self.sites.get_mut(name).unwrap().timers.insert(timer, time);
                }
                Act::Disarm(timer) => {
                    self.sites.get_mut(name).unwrap().timers.remove(&timer);
                }
                Act::Write(change) => {
                    let site = self.sites.get_mut(name).unwrap();
                    site.unwritten.push_back(change);
                    self.plan(9, Happening::Stored(name.clone(), epoch));
                }
                Act::Event(event) => self.events.push((self.now, name.clone(), event)),
            }
        }
    }

    fn stored(&mut self, name: &MemberName, epoch: u64) {
        let site = self.sites.get_mut(name).unwrap();
        if site.epoch != epoch {
            return;
        }
        let change = site.unwritten.pop_front().expect("one completion for each write");
        Member::apply(&mut site.durable, &change);
        let acts = site.node.as_mut().unwrap().stored();
        self.act(name, acts);
    }

    fn answer(&mut self, name: &MemberName, epoch: u64, ticket: Ticket, query: Query) {
        let key = BodyKey(self.number());
        let site = self.sites.get_mut(name).unwrap();
        if site.epoch != epoch {
            return;
        }
        let fails = site.full && !matches!(query, Query::Discard(_) | Query::Publish { .. });
        let answer = match query {
            _ if fails => Answer::Failed(Refusal::new(452, "4.3.1", "the disk is full")),
            Query::Deposit { account, name, body, shared, .. } => {
                let tmp = if shared { &mut self.shared_tmp } else { &mut site.tmp };
                tmp.insert((account, name), body.digest);
                Answer::Done
            }
            Query::Publish { account, name, shared, .. } => {
                let (tmp, new) = match shared {
                    true => (&mut self.shared_tmp, &mut self.shared_new),
                    false => (&mut site.tmp, &mut site.new),
                };
                if let Some(digest) = tmp.remove(&(account.clone(), name.clone())) {
                    new.entry((account, name)).or_insert((digest, 0)).1 += 1;
                }
                Answer::Done
            }
            Query::Shared { account, query } => {
                let is_unheard =
                    self.shared_is_unheard && matches!(query, SharedQuery::Record { .. });
                let kept = self.shared.entry(account).or_default();
                let answer = kept.answer(query, &site.config.faults);
                match is_unheard {
                    true => Answer::Failed(Refusal::new(451, "4.3.0", "no answer")),
                    false => Answer::Shared(Box::new(answer)),
                }
            }
            Query::Discard(key) => {
                let named = site.durable.spool.bodies().any(|body| body.key == key);
                assert!(!named, "{name} lets the body of a message in its queue go");
                Answer::Done
            }
            Query::Store { .. } => panic!("no group here has a store decide"),
            Query::Usage { .. } => Answer::Octets(0),
            Query::Header(body) => {
                Answer::Header(self.headers.get(&body.digest).cloned().unwrap_or_default())
            }
            Query::Filter { body, .. } => {
                self.filtered.push((name.clone(), body.digest));
                let pass = Answer::Filtered(Filtered::Pass { fields: Vec::new() });
                self.filter.pop_front().unwrap_or(pass)
            }
            Query::Reply(reply) => {
                self.replied.push(reply);
                Answer::Composed(Body { key, digest: Digest([8; 32]), octets: 300 })
            }
            Query::Compose(notice) => {
                self.notices.push((self.now, name.clone(), notice));
                Answer::Composed(Body { key, digest: NOTICE, octets: 500 })
            }
        };
        self.step(name, Input::Answer { ticket, answer });
    }

    fn body(&mut self, client: u64) -> Body {
        Body { key: BodyKey(self.number()), digest: Self::digest(client), octets: 100 }
    }

    fn plan(&mut self, milliseconds: usize, happening: Happening) {
        let soon = match &happening {
            // Writes complete in their order.
            Happening::Stored(..) => Span::milliseconds(9),
            _ => Span(1 + self.below(milliseconds * 1_000) as u64),
        };
        let key = (self.now + soon, self.number());
        self.agenda.insert(key, happening);
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = NonZeroU32::new(u32::try_from(bound).unwrap()).unwrap();
        self.chance.below("network", bound) as usize
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
