//! Three members whose master etcd decides: killed, cut off, and without etcd.

use std::thread;
use std::time::Instant;

use super::etcd_server::{Etcd, eventually};
use super::support::{Members, Way, organization};

/// All that run take `master` for the master, and it is.
fn settled(members: &Members, places: &[usize]) -> Option<usize> {
    let master = members.master()?;
    places.iter().all(|place| members.followed_by(*place) == Some(master)).then_some(master)
}

const ALL: [usize; 3] = [0, 1, 2];

fn others(place: usize) -> Vec<usize> {
    ALL.into_iter().filter(|other| *other != place).collect()
}

/// MA-081 to MA-084, MA-086: one is elected, killed and replaced under a greater term, comes back and follows; the
/// mastership is handed over.
#[test]
fn a_killed_master_is_replaced_and_follows_when_it_is_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let etcd = Etcd::start(directory.path());
    let endpoints = ALL.map(|_| vec![etcd.endpoint()]);
    let mut members = Members::start(directory.path(), &organization("etcd", 2), endpoints);
    let first = eventually("a master", || settled(&members, &ALL));
    let term = members.counter(first).expect("it has a term");
    members.kill(first);
    let second = eventually("another master", || settled(&members, &others(first)));
    assert_ne!(second, first);
    let greater = members.counter(second).expect("it has a term");
    assert!(greater > term, "{greater} after {term}");
    members.start_again(first);
    eventually("the first one follows", || {
        (members.followed_by(first) == Some(second)).then_some(())
    });
    members.transfer(second, first);
    eventually("the first one leads", || (settled(&members, &ALL) == Some(first)).then_some(()));
    assert!(members.never_two() >= 3);
}

/// MA-038, MA-085, SV-122: without etcd the master ceases, the members go on, and say once that etcd is silent; with
/// etcd there is a master again, under a greater term.
#[test]
fn without_etcd_there_is_no_master_and_with_it_there_is_one_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut etcd = Etcd::start(directory.path());
    let endpoints = ALL.map(|_| vec![etcd.endpoint()]);
    let members = Members::start(directory.path(), &organization("etcd", 2), endpoints);
    let first = eventually("a master", || settled(&members, &ALL));
    let term = members.counter(first).expect("it has a term");
    etcd.kill();
    eventually("no master", || members.master().is_none().then_some(()));
    assert!(ALL.iter().all(|place| members.counter(*place) == Some(term)), "all still answer");
    etcd.start_again();
    let again = eventually("a master", || settled(&members, &ALL));
    assert!(members.counter(again).expect("it has a term") > term);
    let log = members.log(first);
    assert_eq!(log.matches("etcd does not answer").count(), 1, "{log}");
    assert_eq!(log.matches("etcd answers again").count(), 1, "{log}");
    members.never_two();
}

/// MA-036, MA-038, MA-081: two members that are cut off from etcd, the master among them: the third becomes the master
/// when the lease of the first is over, and they obey it, for they reach it.
#[test]
fn who_is_cut_off_from_etcd_ceases_and_obeys_who_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let etcd = Etcd::start(directory.path());
    let ways = ALL.map(|_| Way::to(etcd.address()));
    let endpoints = ALL.map(|place| vec![ways[place].endpoint()]);
    let members = Members::start(directory.path(), &organization("etcd", 2), endpoints);
    let first = eventually("a master", || settled(&members, &ALL));
    let third = others(first)[1];
    for place in others(third) {
        ways[place].cut(true);
    }
    eventually("the third leads", || (settled(&members, &ALL) == Some(third)).then_some(()));
    for place in others(third) {
        ways[place].cut(false);
    }
    // What waited on the cut ways arrives now, late: it counts for nothing.
    thread::sleep(core::time::Duration::from_secs(4));
    assert_eq!(settled(&members, &ALL), Some(third));
    members.never_two();
}

/// SV-122: a server of etcd that is not there does not fail the questions.
#[test]
fn sv_122_the_next_endpoint_is_asked() {
    let directory = tempfile::tempdir().expect("a directory");
    let etcd = Etcd::start(directory.path());
    let dead = String::from("http://127.0.0.1:1");
    let endpoints = ALL.map(|_| vec![dead.clone(), etcd.endpoint()]);
    let members = Members::start(directory.path(), &organization("etcd", 2), endpoints);
    eventually("a master", || settled(&members, &ALL));
    assert!(!members.log(0).contains("etcd does not answer"), "{}", members.log(0));
}

/// How long the group is without a master when that is killed, by both back ends, side by side.
#[test]
#[ignore = "minutes; .ci/long runs it"]
fn long_a_killed_master_is_replaced_as_soon_as_by_voters() {
    for (back_end, kills) in [("embedded", 12), ("etcd", 12)] {
        let directory = tempfile::tempdir().expect("a directory");
        let etcd = Etcd::start(directory.path());
        let endpoints = ALL.map(|_| vec![etcd.endpoint()]);
        let mut members = Members::start(directory.path(), &organization(back_end, 5), endpoints);
        let mut spans = Vec::new();
        let mut master = eventually("a master", || settled(&members, &ALL));
        for kill in 0..kills {
            // At another moment of the lease each time.
            thread::sleep(core::time::Duration::from_millis(6_000 + kill * 140));
            members.kill(master);
            let killed = Instant::now();
            let next = eventually("another master", || members.master());
            spans.push(killed.elapsed());
            members.start_again(master);
            master = next;
            eventually("all follow", || (settled(&members, &ALL) == Some(master)).then_some(()));
        }
        spans.sort_unstable();
        let (median, most) = (spans[spans.len() / 2], spans[spans.len() - 1]);
        println!("{back_end}: {} kills, {median:.1?} (median), {most:.1?} (most)", spans.len());
    }
}
