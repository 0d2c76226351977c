//! Seeds of the five groups: whole organizations with faults, every property after every durable change.
//! A run covers CU, SU, DE and LS clauses at once; what it checks is C1 to C4 and C7, and that everything
//! ends, in one way, when the faults end. C7 is what CU-030 to CU-033 and CU-060 to CU-062 are for. C4 is what CU-020 and CU-023 are for.

mod elections;
mod leases;
mod links;
mod waits;

use std::path::Path;
use std::sync::Arc;

use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::organization::{
    Account, Connector, Group, MemberSettings, Organization, Role, Submit,
};
use bridgehead::server::configuration::load_organization;
use bridgehead::sim::{Plan, Verdict, Watch, record_seed, run_seed, run_tape, shrink, size};
use bridgehead::wire::ids::{ConnectorName, GroupName, MemberName};
use bridgehead::wire::message::Address;

const ALL: Watch = Watch { rows: true, trace: true };

fn plan() -> Plan {
    let path = Path::new("examples/five-groups.toml");
    let organization = load_organization(path).expect("the example is right");
    without_limits(Arc::new(organization), Span::minutes(20))
}

/// Limits have tests of their own: with them the seeds below would be other runs.
fn without_limits(organization: Arc<Organization>, span: Span) -> Plan {
    Plan { limits_one_in: 0, links_one_in: 0, ..Plan::new(organization, span) }
}

/// Each run has limits.
fn limited(plan: Plan) -> Plan {
    Plan { limits_one_in: 1, ..plan }
}

/// Each run has its connectors struck.
fn struck(plan: Plan) -> Plan {
    Plan { links_one_in: 1, ..plan }
}

fn with_fault(name: &'static str) -> Plan {
    plan_of(&plan(), Faults::named([name]).expect("tests are built with planted faults"))
}

/// Two connected groups of frontends and backends: 2 to 5 members each, as the seed has it.
fn with_roles(seed: u64) -> Organization {
    let path = Path::new("examples/frontends.toml");
    let mut organization = load_organization(path).expect("the example is right");
    let group = |number: u64| {
        let count = |kind: u64, most: u64| 1 + (seed / (number * 7 + kind)) % most;
        let named = |kind: &str, count: u64| -> Vec<MemberName> {
            (1..=count).map(|n| MemberName(format!("g{number}-{kind}{n}"))).collect()
        };
        let (fronts, backs) = (named("fe", count(1, 3)), named("be", count(2, 2)));
        let settings = |name: &MemberName, role| MemberSettings {
            name: name.clone(),
            role: Some(role),
            submit: Submit::Automatic,
            weight: 1,
            relay: None,
        };
        let front = fronts.iter().map(|name| settings(name, Role::Frontend));
        let back = backs.iter().map(|name| settings(name, Role::Backend));
        Group {
            name: GroupName(format!("G{number}")),
            uuid: format!("{number:032x}"),
            members: fronts.iter().chain(&backs).cloned().collect(),
            master: Some(backs[0].clone()),
            election: None,
            accounts: None,
            stores: Vec::new(),
            exits: Vec::new(),
            settings: front.chain(back).collect(),
            rules: Vec::new(),
        }
    };
    let groups = vec![group(1), group(2)];
    let connector = |from: usize, to: usize| Connector {
        name: ConnectorName(format!("G{}-G{}", from + 1, to + 1)),
        from: groups[from].name.clone(),
        to: groups[to].name.clone(),
        cost: 10,
        sources: vec![groups[from].members[0].clone()],
        targets: vec![groups[to].members[0].clone()],
        size_limit_octets: None,
        priorities: Vec::new(),
        senders_allowed: Vec::new(),
        senders_denied: Vec::new(),
        schedule: Vec::new(),
    };
    organization.connectors = vec![connector(0, 1), connector(1, 0)];
    let backs = groups.iter().flat_map(|group| &group.members);
    let backs = backs.filter(|member| member.as_str().contains("be"));
    let account = |host: &MemberName| {
        Account::new(Address(format!("user-{host}@example.test")), host.clone())
    };
    organization.accounts = backs.map(account).collect();
    organization.groups = groups;
    assert_eq!(organization.check(), []);
    organization
}

fn plan_with_roles(seed: u64, faults: Faults) -> Plan {
    let organization = Arc::new(with_roles(seed));
    Plan { faults, ..without_limits(organization, Span::minutes(20)) }
}

/// Runs seeds; a failure shows what `bridgehead sim` would show.
fn hold(seeds: core::ops::RangeInclusive<u64>) {
    let plan = plan();
    hold_all(seeds, |_| plan.clone());
}

fn hold_all(seeds: core::ops::RangeInclusive<u64>, plan: impl Fn(u64) -> Plan) {
    let (mut messages, mut copies) = (0, 0);
    for seed in seeds {
        let plan = plan(seed);
        let played = run_seed(&plan, seed, Watch::default());
        if played.verdict != Verdict::Held {
            let again = run_seed(&plan, seed, Watch { rows: true, trace: false });
            let rows = again.rows.join("\n");
            panic!("{rows}\nseed {seed}, step {}: {}", played.step, played.verdict);
        }
        messages += played.messages;
        copies += played.copies;
    }
    assert!(messages > 100, "only {messages} messages were promised");
    // Some are refused, returned, removed by operators, or have nobody for a sender.
    assert!(copies >= messages / 2, "{copies} copies of {messages} messages");
}

/// The release build plays 2,000 of these in the gate (`.ci/run`); here some are played with the checks of a debug build.
#[test]
fn seeds_1_to_20_hold() {
    hold(1..=20);
}

/// What a debug build plays of the campaigns below that a gate has no time for.
#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_more_seeds_hold() {
    hold(21..=40);
    hold_with_limits(4..=8);
    elections::hold_elections(4..=12);
    hold_all(21..=60, |seed| plan_with_roles(seed, Faults::none()));
    hold_all(21..=60, |_| plan_with_rules());
    hold_all(21..=60, |_| plan_with_moves());
    hold_all(9..=30, |_| filtering(plan()));
    hold_all(9..=30, |seed| filtering(plan_with_roles(seed, Faults::none())));
}

/// Seeds of the long campaigns that have found something: mail in doubt that nobody asked about again
/// (SU-080), two mistakes of the checkers about a disk that was set back, and an operator who was told that
/// what the account had already was removed (CU-056).
#[test]
fn seeds_that_have_found_something_hold() {
    let path = Path::new("examples/five-groups.toml");
    let organization = load_organization(path).expect("the example is right");
    let plan = Plan::new(Arc::new(organization), Span::hours(1));
    let plan = Plan { links_one_in: 0, ..plan };
    let before_limits = Plan { limits_one_in: 0, ..plan.clone() };
    let all = [4981, 7060, 8705, 17_375].map(|seed| (&before_limits, seed));
    for (plan, seed) in all.into_iter().chain([(&plan, 8680)]) {
        assert_eq!(run_seed(plan, seed, Watch::default()).verdict, Verdict::Held, "seed {seed}");
    }
}

/// SU-050 to SU-056 under faults: frontends queue for backends, and the rest stays as it was.
#[test]
fn seeds_with_roles_hold() {
    hold_all(1..=20, |seed| plan_with_roles(seed, Faults::none()));
}

/// The planted bug of submission: a message in doubt goes to another frontend all the same.
#[test]
fn a_submission_that_falls_back_in_doubt_is_found() {
    let verdict = |seed: u64, faults: Faults| {
        run_seed(&plan_with_roles(seed, faults), seed, Watch::default()).verdict
    };
    let fault = Faults::named(["fallback-while-in-doubt"]).expect("there are planted faults");
    let found = (1..=60).map(|seed| (seed, verdict(seed, fault.clone())));
    let (seed, found) = found.into_iter().find(|(_, v)| *v != Verdict::Held).expect("a seed");
    assert_eq!(found.kind(), "C3", "seed {seed}: {found}");
    assert_eq!(verdict(seed, Faults::none()), Verdict::Held, "it is the planted bug");
}

/// The same seed gives the same trace, byte for byte; and so does its tape.
#[test]
fn a_seed_and_its_tape_give_the_same_bytes() {
    for seed in [3, 17, 40] {
        let first = run_seed(&plan(), seed, ALL);
        let (second, tape) = record_seed(&plan(), seed, ALL);
        assert!(first.trace.len() > 10_000, "there is a trace");
        assert!(first.trace == second.trace, "seed {seed} twice");
        let replayed = run_tape(&plan(), tape, ALL);
        assert!(first.trace == replayed.trace, "seed {seed} from its tape");
        assert_eq!(first.step, replayed.step);
    }
}

/// Other seeds are other runs.
#[test]
fn two_seeds_differ() {
    let trace = |seed| run_seed(&plan(), seed, ALL).trace;
    assert!(trace(1) != trace(2));
}

/// Some seed names the property `kind` when a bug is planted; the same seed without it holds.
fn is_found_in(
    fault: &'static str,
    kind: &str,
    seeds: core::ops::RangeInclusive<u64>,
    plan: impl Fn(u64) -> Plan,
) {
    let faults = Faults::named([fault]).expect("tests are built with planted faults");
    let verdict = |seed, plan: &Plan| run_seed(plan, seed, Watch::default()).verdict;
    let found = seeds
        .clone()
        .find(|seed| verdict(*seed, &plan_of(&plan(*seed), faults.clone())).kind() == kind);
    let seed = found.unwrap_or_else(|| panic!("none of {seeds:?} finds {fault} by {kind}"));
    println!("seed {seed} finds {fault} by {kind}");
    assert_eq!(verdict(seed, &plan(seed)), Verdict::Held, "it is {fault} that seed {seed} finds");
}

/// CU-032: mail that is over is not returned while it is in doubt.
#[test]
fn a_bounce_while_in_doubt_is_found() {
    is_found_in("bounce-while-in-doubt", "C7", 200..=300, |_| plan_with_moves());
}

/// CU-030 and CU-060: the notice and the removal are one change. Where they are two, a boot in between
/// tells the sender again.
#[test]
fn a_second_notice_after_a_boot_is_found() {
    is_found_in("returned-before-removal", "C7", 46..=146, |_| plan());
    is_found_in("confirmed-before-removal", "C7", 26..=126, |_| plan());
}

/// CU-060: a success is told of what is stored.
#[test]
fn a_success_before_the_store_is_found() {
    is_found_in("lost-result-is-success", "C7", 1..=100, |_| plan());
}

/// CU-061: a success is told once, and where the outside server tells of it, by nobody else.
#[test]
fn a_success_that_others_tell_is_found() {
    is_found_in("success-told-twice", "C7", 1..=100, |_| limited(plan()));
}

/// CU-031, CU-061 and RET: about whom, by whom and with what.
#[test]
fn notices_that_nobody_wants_are_found() {
    for fault in ["dsn-about-null-sender", "notice-told-twice", "notice-returns-all"] {
        is_found_in(fault, "C7", 1..=100, |_| plan());
    }
}

/// CU-057, CU-050 and CU-052: what operators order.
#[test]
fn orders_that_are_wrongly_obeyed_are_found() {
    is_found_in("order-ignores-doubt", "C1", 110..=160, |_| plan());
    is_found_in("hold-not-stored", "CU-050", 1..=50, |_| plan());
}

/// DE-044: a host that has lost the account records nothing in it.
#[test]
fn an_epoch_that_is_not_checked_is_found() {
    is_found_in("epoch-not-checked", "C1", 242..=342, |_| plan_with_moves());
}

/// SU-052: who accepts a submission queues it.
#[test]
fn a_submission_that_is_submitted_again_is_found() {
    let plan = |seed| plan_with_roles(seed, Faults::none());
    is_found_in("resubmits-what-it-accepted", "C4", 1..=50, plan);
}

/// The first seed that meets a planted bug names the property `kind`; its tape leads to the same step.
fn is_found(fault: &'static str, kind: &str, seeds: core::ops::RangeInclusive<u64>) {
    let plan = with_fault(fault);
    let found = seeds.clone().find_map(|seed| {
        let played = run_seed(&plan, seed, Watch::default());
        (played.verdict != Verdict::Held).then_some((seed, played))
    });
    let (seed, first) = found.unwrap_or_else(|| panic!("none of {seeds:?} finds {fault}"));
    assert_eq!(first.verdict.kind(), kind, "seed {seed}: {}", first.verdict);
    let without = run_seed(&plan_of(&plan, Faults::none()), seed, Watch::default());
    assert_eq!(without.verdict, Verdict::Held, "it is the planted bug that seed {seed} finds");
    let (again, tape) = record_seed(&plan, seed, Watch::default());
    assert_eq!((again.step, &again.verdict), (first.step, &first.verdict));
    let replayed = run_tape(&plan, tape, Watch::default());
    assert_eq!((replayed.step, &replayed.verdict), (first.step, &first.verdict));
}

fn plan_of(plan: &Plan, faults: Faults) -> Plan {
    Plan { faults, ..plan.clone() }
}

#[test]
fn reply_before_durable_is_found() {
    is_found("reply-before-durable", "C1", 1..=100);
}

#[test]
fn fallback_while_in_doubt_is_found() {
    is_found("fallback-while-in-doubt", "C3", 1..=100);
}

/// It takes a connector that goes down while a reply is missing: few seeds do that.
#[test]
fn reroute_while_in_doubt_is_found() {
    is_found_in("reroute-while-in-doubt", "C3", 185..=400, |_| plan());
}

/// A shortened tape fails in the same way and is not longer.
#[test]
fn a_failing_tape_shrinks() {
    let plan = with_fault("reply-before-durable");
    let seed =
        (1..=300).find(|seed| run_seed(&plan, *seed, Watch::default()).verdict.kind() == "C1");
    let (played, tape) = record_seed(&plan, seed.expect("some seed finds it"), Watch::default());
    let before = size(&tape);
    let (shrunk, runs) = shrink(&plan, tape, played.verdict.kind());
    let after = size(&shrunk);
    assert!(after.1 < before.1, "{before:?} became {after:?} in {runs} runs");
    assert_eq!(run_tape(&plan, shrunk, Watch::default()).verdict.kind(), "C1");
}

/// SU-062: connections that break in the midst of a body are gone on with, in many of the seeds above.
#[test]
fn bodies_go_on_where_they_broke_off() {
    let plan = plan();
    let played = (1..=15).map(|seed| run_seed(&plan, seed, Watch::default()));
    let resumed: usize = played.map(|played| played.resumed).sum();
    assert!(resumed >= 3, "{resumed} bodies were gone on with");
}

/// SU-064: the digest finds a body that goes on at a wrong place; no such body is stored, and the mail
/// comes to its end all the same.
#[test]
fn a_body_that_goes_on_at_a_wrong_place_is_never_stored() {
    let plan = with_fault("resumes-one-octet-early");
    let (mut resumed, mut refused) = (0, 0);
    for seed in 1..=15 {
        let played = run_seed(&plan, seed, Watch { rows: false, trace: true });
        assert_eq!(played.verdict, Verdict::Held, "seed {seed}");
        resumed += played.resumed;
        refused += played.trace.matches("The digest differs from the announced one").count();
    }
    assert!(resumed >= 3, "{resumed} bodies were gone on with");
    assert!(refused >= resumed / 2, "{refused} of {resumed} were refused for their digest");
}

/// Two of the five accounts pass everything on, one to the other.
fn plan_with_rules() -> Plan {
    let organization = load_organization(Path::new("examples/rules.toml"));
    without_limits(Arc::new(organization.expect("the example is right")), Span::minutes(20))
}

/// DE-043, RU-021: what is redirected is neither lost nor doubled.
#[test]
fn seeds_with_rules_hold() {
    hold_all(1..=20, |_| plan_with_rules());
}

#[test]
fn rules_outside_the_commit_are_found() {
    let faults = Faults::named(["rules-outside-the-commit"]).expect("a planted bug");
    let plan = plan_of(&plan_with_rules(), faults);
    let found =
        (1..=20).find(|seed| run_seed(&plan, *seed, Watch::default()).verdict.kind() == "C1");
    assert!(found.is_some(), "twenty seeds find it");
}

/// RU-040, RU-042: under faults, with filters that die, are slow, refuse and add fields, no mail is lost or
/// doubled, where it is filtered at once and where it is submitted first.
#[test]
fn seeds_with_filters_hold() {
    hold_all(1..=8, |_| filtering(plan()));
    hold_all(1..=8, |seed| filtering(plan_with_roles(seed, Faults::none())));
}

fn filtering(mut plan: Plan) -> Plan {
    plan.policy.filter = true;
    plan
}

/// DE-080 to DE-090, DE-098, SV-062: accounts with quotas, accounts that are suspended while mail is under way,
/// and journals that forget after a day: no mail is lost or doubled, no account gets more than its quota, and
/// notices are true. The campaign in release has hundreds of such runs; these are the first ones.
#[test]
fn seeds_with_limits_hold() {
    hold_with_limits(1..=3);
}

fn hold_with_limits(seeds: core::ops::RangeInclusive<u64>) {
    for seed in seeds {
        for plan in [limited(plan()), limited(plan_with_moves())] {
            let played = run_seed(&plan, seed, Watch::default());
            assert_eq!(played.verdict, Verdict::Held, "seed {seed}, step {}", played.step);
        }
    }
}

/// DE-083, DE-098: an account that gets more than its quota is noticed.
#[test]
fn accounts_over_their_quota_are_found() {
    let plan = |_| limited(plan_with_moves());
    is_found_in("quota-not-checked", "DE-098", 1..=30, plan);
    is_found_in("room-is-not-reserved", "DE-098", 28..=300, plan);
}

/// Three members of one group: the accounts move from one to the other.
fn plan_with_moves() -> Plan {
    let organization = load_organization(Path::new("examples/one-group.toml"));
    without_limits(Arc::new(organization.expect("the example is right")), Span::minutes(30))
}

/// DE-040 to DE-050: mail is neither lost nor doubled while accounts move.
#[test]
fn seeds_with_moves_hold() {
    hold_all(1..=20, |_| plan_with_moves());
}

#[test]
fn a_journal_that_is_left_behind_is_found() {
    let faults = Faults::named(["journal-left-behind"]).expect("a planted bug");
    let plan = plan_of(&plan_with_moves(), faults);
    let found =
        (1..=120).find(|seed| run_seed(&plan, *seed, Watch::default()).verdict != Verdict::Held);
    assert!(found.is_some(), "these seeds find it");
}
