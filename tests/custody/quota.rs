//! An account never has more than its quota, whatever order its deliveries are made and answered in.

use std::collections::BTreeMap;
use std::sync::Arc;

use bridgehead::kernel::{Input, Ticket};
use bridgehead::protocol::member::{Answer, Pdu, Policy, Port, Query};
use bridgehead::protocol::organization::{Organization, OverQuota};
use bridgehead::wire::message::{Address, Field, Outcome, Refusal};
use proptest::prelude::*;

use crate::host::{C1, Host, octets_of_file};

const ACCOUNT: &str = "here@example.org";

/// One thing that happens.
#[derive(Clone, Debug)]
enum Deed {
    /// A message comes, with so many octets of content and a field of so many.
    Mail { octets: u64, field: usize, suspect: bool },
    /// One of the open questions is answered; a file is perhaps not written.
    Answer { which: usize, fails: bool },
    /// The files are counted for one of the open questions, long before it is answered.
    Count { which: usize },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => (0..400_u64, 0..300_usize, any::<bool>())
            .prop_map(|(octets, field, suspect)| Deed::Mail { octets, field, suspect }),
        3 => (0..16_usize, prop::bool::weighted(0.2))
            .prop_map(|(which, fails)| Deed::Answer { which, fails }),
        1 => (0..16_usize).prop_map(|which| Deed::Count { which }),
    ]
}

/// The files of the account, as a disk has them.
#[derive(Default)]
struct Files {
    tmp: BTreeMap<String, u64>,
    new: BTreeMap<String, u64>,
    /// What was counted early.
    counted: Vec<(Ticket, Answer)>,
}

impl Files {
    fn answer(&mut self, query: &Query, fails: bool) -> Answer {
        match query {
            Query::Deposit { .. } if fails => {
                Answer::Failed(Refusal::new(451, "4.3.0", "the disk does not want to"))
            }
            Query::Deposit { name, .. } => {
                let octets = octets_of_file(query).expect("it is a file");
                self.tmp.insert(name.clone(), octets);
                Answer::Done
            }
            Query::Publish { name, .. } => {
                let octets = self.tmp.remove(name).expect("what is published was written");
                self.new.insert(name.clone(), octets);
                Answer::Done
            }
            Query::Usage { without, unpublished, .. } => {
                let recorded = self.tmp.iter().filter(|(name, _)| unpublished.contains(name));
                let all = self.new.iter().chain(recorded);
                let counted = all.filter(|(name, _)| !without.contains(name));
                Answer::Octets(counted.map(|(_, octets)| octets).sum())
            }
            _ => Answer::Done,
        }
    }

    /// What the owner finds.
    fn published(&self) -> u64 {
        self.new.values().sum()
    }
}

fn answer_one(host: &mut Host, files: &mut Files, which: usize, fails: bool) {
    if host.open.is_empty() {
        return;
    }
    let (ticket, query) = host.open.remove(which % host.open.len());
    let early = files.counted.iter().position(|(counted, _)| *counted == ticket);
    let early = early.map(|place| files.counted.remove(place).1);
    let answer = early.unwrap_or_else(|| files.answer(&query, fails));
    host.input(Input::Answer { ticket, answer });
}

fn count_early(host: &Host, files: &mut Files, which: usize) {
    let Some((ticket, query)) = host.open.get(which % host.open.len().max(1)) else { return };
    let is_counted = files.counted.iter().any(|(counted, _)| counted == ticket);
    if matches!(query, Query::Usage { .. }) && !is_counted {
        let answer = files.answer(query, false);
        files.counted.push((*ticket, answer));
    }
}

fn play(quota: u64, over_quota: OverQuota, deeds: &[Deed]) -> (Host, Files, usize) {
    let mut host = Host::new(Policy::default(), &[]);
    let mut organization = Organization::clone(&host.config.organization);
    let account = &mut organization.accounts[0];
    (account.quota_octets, account.over_quota) = (quota, over_quota);
    host.config.organization = Arc::new(organization);
    host.inbound(C1, Port::Deliver);
    host.slow = true;
    let mut files = Files::default();
    let mut mails = 0;
    for deed in deeds {
        match *deed {
            Deed::Mail { octets, field, suspect } => {
                mails += 1;
                let mut parcel = host.parcel(mails, 0, ACCOUNT);
                parcel.body.octets = octets;
                parcel.envelope.sender = Some(Address::from("ann@example.net"));
                let field = Field { name: "X-Report".into(), value: "x".repeat(field) };
                parcel.envelope.fields.push(field);
                parcel.envelope.recipients[0].suspect = suspect;
                host.input(Input::Pdu { from: C1, pdu: Pdu::Deliver(parcel) });
            }
            Deed::Answer { which, fails } => answer_one(&mut host, &mut files, which, fails),
            Deed::Count { which } => count_early(&host, &mut files, which),
        }
        assert!(files.published() <= quota, "{} octets within {quota}", files.published());
    }
    while !host.open.is_empty() {
        answer_one(&mut host, &mut files, 0, false);
        assert!(files.published() <= quota, "{} octets within {quota}", files.published());
    }
    (host, files, usize::try_from(mails).unwrap())
}

proptest! {
    /// DE-081, DE-083, DE-098: no order of mail and answers leads over the quota, everybody is answered, and
    /// what was promised is there.
    #[test]
    fn no_race_leads_over_the_quota(
        quota in 1..3_000_u64,
        permanent in any::<bool>(),
        deeds in prop::collection::vec(deed(), 1..60),
    ) {
        let over_quota = if permanent { OverQuota::Permanent } else { OverQuota::Temporary };
        let (host, files, mails) = play(quota, over_quota, &deeds);
        let results = host.said.iter().filter_map(|(_, pdu)| match pdu {
            Pdu::Result { outcome, .. } => Some(outcome),
            _ => None,
        });
        let delivered = results.clone().filter(|outcome| **outcome == Outcome::Delivered).count();
        prop_assert_eq!(results.count(), mails);
        prop_assert_eq!(delivered, files.new.len());
    }

    /// DE-083: where there is room for all, all of them come in.
    #[test]
    fn room_for_all_is_room_for_each(deeds in prop::collection::vec(deed(), 1..40)) {
        let fine: Vec<Deed> = deeds.into_iter().map(|deed| match deed {
            Deed::Answer { which, .. } => Deed::Answer { which, fails: false },
            other => other,
        }).collect();
        let (_, unbounded, mails) = play(u64::MAX, OverQuota::Permanent, &fine);
        prop_assert_eq!(unbounded.new.len(), mails);
        let (_, files, _) = play(unbounded.published().max(1), OverQuota::Permanent, &fine);
        prop_assert_eq!(files.new.len(), mails);
    }
}
