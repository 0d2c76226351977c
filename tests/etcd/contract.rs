//! etcd and the store of the simulator say the same.

use core::future::pending;
use core::time::Duration;

use bridgehead::kernel::{Span, Time};
use bridgehead::protocol::master::election::{Standing, StoreAsk, StoreWord};
use bridgehead::server::store::{Keys, StoreError};
use bridgehead::sim::store::MemoryStore;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::record::Term;
use etcd_client::Client;

use super::etcd_server::{Etcd, PATIENCE};

const LEASE: Span = Span::seconds(2);

fn term(counter: u64, member: &str) -> Term {
    Term { counter, member: MemberName::from(member), nonce: u64::MAX - counter }
}

fn look(member: &str) -> StoreAsk {
    StoreAsk::Look { member: MemberName::from(member), patience: LEASE }
}

fn begin(over: (Option<&Term>, Option<&Term>), term: &Term) -> StoreAsk {
    let over = Standing { term: over.0.cloned(), holder: over.1.cloned() };
    StoreAsk::Begin { over, term: term.clone(), lease: LEASE }
}

fn hold(term: &Term) -> StoreAsk {
    StoreAsk::Hold { term: term.clone(), lease: LEASE }
}

fn forget(term: &Term) -> StoreAsk {
    StoreAsk::Forget { term: term.clone() }
}

fn in_runtime<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let future = async { tokio::time::timeout(PATIENCE, future).await.expect("it answers") };
    runtime.expect("a runtime").block_on(future)
}

/// MA-083, MA-084, MA-086: the simulator's store is not kinder than etcd, and each transaction compares what it must.
#[test]
fn ma_083_etcd_and_the_store_of_the_simulator_say_the_same() {
    let directory = tempfile::tempdir().expect("a directory");
    let etcd = Etcd::start(directory.path());
    let (a1, b2, a3, b4) = (term(1, "a"), term(2, "b"), term(3, "a"), term(4, "b"));
    let script = [
        ("nothing is there", look("a")),
        ("a begins", begin((None, None), &a1)),
        ("b has read nothing, too", begin((None, None), &b2)),
        ("its own is in nobody's way", look("a")),
        ("a holds on", hold(&a1)),
        ("b holds nothing", hold(&b2)),
        ("b forgets nothing", forget(&b2)),
        ("a goes", forget(&a1)),
        ("a holds nothing any more", hold(&a1)),
        ("a has gone", look("b")),
        ("the term stands", begin((None, None), &b2)),
        ("b begins", begin((Some(&a1), None), &b2)),
        ("who has read no holder", begin((Some(&b2), None), &a3)),
        ("who has read another holder", begin((Some(&b2), Some(&a1)), &a3)),
        ("b takes over its own", begin((Some(&b2), Some(&b2)), &b4)),
        ("the term before holds nothing", hold(&b2)),
        ("the same question again", begin((Some(&b2), Some(&b2)), &b4)),
        ("b stands", look("b")),
    ];
    in_runtime(async {
        let mut client = Client::connect([etcd.endpoint()], None).await.expect("it is there");
        let keys = Keys::new("/t", "0123456789abcdef0123456789abcdef");
        let (mut memory, now) = (MemoryStore::default(), Time(0));
        for (what, ask) in script {
            let expected = memory.transact(("g", &ask), memory.grants(&ask, now), false, now);
            let said = keys.answer(&mut client, &ask, Box::pin(pending())).await;
            assert_eq!(said.expect("etcd answers"), expected, "{what}");
        }
    });
}

/// MA-081, MA-083: who waits in the store hears when the lease of the holder is over, and that is not before the lease
/// was to last; MA-084: and no earlier than that of the last round.
#[test]
fn ma_081_a_lease_in_etcd_lasts_as_long_as_it_was_granted_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let etcd = Etcd::start(directory.path());
    let (a1, b2) = (term(1, "a"), term(2, "b"));
    in_runtime(async {
        let mut client = Client::connect([etcd.endpoint()], None).await.expect("it is there");
        let keys = Keys::new("/t", "0123456789abcdef0123456789abcdef");
        let mut ask = async |ask: StoreAsk| {
            keys.answer(&mut client, &ask, Box::pin(pending())).await.expect("etcd answers")
        };
        assert_eq!(ask(begin((None, None), &a1)).await, StoreWord::Done);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = std::time::Instant::now();
        assert_eq!(ask(hold(&a1)).await, StoreWord::Done);
        let standing = Standing { term: Some(a1.clone()), holder: None };
        assert_eq!(ask(look("b")).await, StoreWord::Stands { standing, waited: true });
        assert!(asked.elapsed() >= Duration::from_micros(LEASE.0), "{:?}", asked.elapsed());
        assert_eq!(ask(begin((Some(&a1), None), &b2)).await, StoreWord::Done);
    });
}

/// MA-088: a value that is no term is told with its key, and stays.
#[test]
fn ma_088_a_value_that_is_no_term_is_not_overwritten() {
    let directory = tempfile::tempdir().expect("a directory");
    let etcd = Etcd::start(directory.path());
    in_runtime(async {
        let mut client = Client::connect([etcd.endpoint()], None).await.expect("it is there");
        let keys = Keys::new("/t", "g");
        client.put("/t/g/term", "a note of somebody", None).await.expect("it is put");
        for ask in [look("a"), begin((None, None), &term(1, "a"))] {
            let said = keys.answer(&mut client, &ask, Box::pin(pending())).await;
            assert!(
                matches!(&said, Err(StoreError::Value(key, _)) if key == "/t/g/term"),
                "{said:?}"
            );
        }
        let kept = client.get("/t/g/term", None).await.expect("it is there");
        assert_eq!(kept.kvs()[0].value(), b"a note of somebody");
        assert_eq!(client.get("/t/g/holder", None).await.expect("it answers").count(), 0);
    });
}
