//! The conformance adapter as the suite sees it: a process, JSON Lines, real sockets, virtual time.

use crate::support::{Adapter, Client, configure, letters};
use bridgehead::protocol::session::COMMAND_WAIT;
use serde_json::{Value, json};

/// The connection of `client` in what `quiesce` answered.
fn connection<'a>(quiet: &'a Value, client: &str) -> Option<&'a Value> {
    quiet["connections"].as_array().unwrap().iter().find(|shown| shown["remote"] == client)
}

// CO-005, CO-006, CO-007, CO-008, CO-012
#[test]
fn an_accepted_message_is_in_the_maildir_and_outlives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut adapter = Adapter::new();
    let address = adapter.start(directory.path(), "127.0.0.1:0", 0);
    let mut client = Client::connect(address);
    let accepted = client.send("first");
    let queue = accepted.split_whitespace().last().unwrap();
    assert!(queue.len() >= 16, "the reply names the queue id: {accepted}");
    let quiet = adapter.idle();
    let shown = connection(&quiet, &client.local()).expect("the client is listed");
    let spoken = ["EHLO client.example.net", "MAIL FROM:<ann@example.net>"];
    let spoken = spoken.into_iter().chain(["RCPT TO:<bob@example.org>", "DATA"]);
    let spoken = spoken.chain(["Subject: test", "", "first", "."]);
    let octets: usize = spoken.map(|line| line.len() + 2).sum();
    assert_eq!(shown["received"], octets, "{shown}");
    assert_eq!(letters(directory.path()).len(), 1, "idle means delivered");
    let accounts = adapter.ok("inspect", json!({"what": "accounts"}));
    assert_eq!(accounts["accounts"][0]["letters"].as_array().unwrap().len(), 1, "{accounts}");
    client.ask("QUIT", "221");
    assert!(client.is_ended());
    let local = client.local();
    drop(client);
    // The end takes a moment to arrive; it is shown once, and then forgotten.
    let closed = loop {
        let quiet = adapter.idle();
        let shown = connection(&quiet, &local).expect("listed until it was shown as closed");
        if shown["closed"] == true {
            break shown.clone();
        }
    };
    assert_eq!((&closed["eof"], &closed["reset"]), (&json!(true), &json!(false)));
    assert_eq!(connection(&adapter.idle(), &local), None);
    adapter.kill();

    let mut again = Adapter::new();
    let address = again.start(directory.path(), "127.0.0.1:0", 5_000_000);
    let found = letters(directory.path());
    assert_eq!(found.len(), 1, "the letter is still there, once");
    assert!(found[0].contains("first") && found[0].contains("Received: "), "{}", found[0]);
    Client::connect(address).send("second");
    let quiet = again.idle();
    assert_eq!(quiet["now_us"], 5_000_000);
    assert_eq!(letters(directory.path()).len(), 2);
    again.kill();
}

// CO-016
#[test]
fn who_is_not_the_master_hands_nothing_over() {
    let directory = tempfile::tempdir().unwrap();
    let mut adapter = Adapter::new();
    assert_eq!(adapter.refused("transfer", json!({})).0, "not-started");
    adapter.start(directory.path(), "127.0.0.1:0", 0);
    let (slug, text) = adapter.refused("transfer", json!({"to": "a"}));
    assert_eq!((slug.as_str(), text.contains("no election")), ("refused", true), "{text}");
    assert_eq!(adapter.refused("transfer", json!({"to": 1})).0, "bad-request");
    adapter.kill();
}

// CO-004, CO-011
#[test]
fn time_moves_only_when_it_is_advanced_and_only_to_the_next_timer() {
    let directory = tempfile::tempdir().unwrap();
    let mut adapter = Adapter::new();
    let address = adapter.start(directory.path(), "127.0.0.1:0", 0);
    // A session is closed after a time of silence: that is a timer.
    let mut client = Client::connect(address);
    let next = adapter.idle()["next_us"].as_u64().expect("a timer runs");
    assert!(next > 0);
    let late = adapter.refused("advance", json!({"to_us": next + 1}));
    assert_eq!(late.0, "skipped-timer", "{late:?}");
    let before = adapter.ok("advance", json!({"to_us": next - 1}));
    assert_eq!((&before["fired"], &before["next_us"]), (&json!(0), &json!(next)));
    assert_eq!(adapter.refused("advance", json!({"to_us": next - 2})).0, "backwards");
    let mut due = adapter.ok("advance", json!({"to_us": next}));
    assert_eq!((&due["fired"], &due["now_us"]), (&json!(1), &json!(next)));
    // The member has timers of its own before that.
    let silence = COMMAND_WAIT.0;
    while due["now_us"].as_u64().expect("a time") < silence {
        let next = due["next_us"].as_u64().expect("the timer of the session runs");
        assert!(next <= silence, "nothing is due between: {due}");
        due = adapter.ok("advance", json!({"to_us": next}));
    }
    assert!(client.reply().starts_with("421 "), "the silent session is closed");
    assert!(client.is_ended());
    assert_eq!(adapter.idle()["now_us"], silence);
    adapter.kill();
}

// CO-001, CO-002, CO-003
#[test]
fn what_is_unknown_or_wrong_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut adapter = Adapter::new();
    let hello = adapter.ok("hello", json!({"proto": 1}));
    assert_eq!((&hello["impl"], &hello["clock"]), (&json!("bridgehead"), &json!("virtual")));
    for line in ["", "  ", "[]"] {
        let answer = adapter.line(line);
        assert_eq!(answer["err"], "bad-request", "{line:?}: {answer}");
        assert_eq!(answer["id"], Value::Null, "nobody knows whose it is: {answer}");
    }
    let slug = |adapter: &mut Adapter, op: &str, body| adapter.refused(op, body).0;
    assert_eq!(slug(&mut adapter, "x5f1", json!({})), "unknown-op");
    assert_eq!(slug(&mut adapter, "hello", json!({"proto": 2})), "unsupported");
    let caps = json!({"proto": 1, "caps": ["x5f1"]});
    assert_eq!(slug(&mut adapter, "hello", caps), "unsupported");
    assert_eq!(slug(&mut adapter, "start", json!({})), "not-configured");
    assert_eq!(slug(&mut adapter, "quiesce", json!({})), "not-started");
    let mut wrong = configure(directory.path(), "127.0.0.1:0", 0);
    wrong["organization"]["group"][0]["master"] = json!("nobody");
    let (slug_of, text) = adapter.refused("configure", wrong);
    assert_eq!(slug_of, "bad-configuration");
    assert!(text.contains("group[0].master") && text.contains("nobody"), "{text}");
    let address = adapter.start(directory.path(), "127.0.0.1:0", 0);
    assert_eq!(slug(&mut adapter, "inspect", json!({"what": "x5f1"})), "unsupported");
    assert_eq!(slug(&mut adapter, "start", json!({})), "running");
    for what in ["queue", "linkstate", "accounts"] {
        assert!(adapter.ok("inspect", json!({"what": what})).is_object());
    }

    let elsewhere = tempfile::tempdir().unwrap();
    let mut second = Adapter::new();
    second.ok("configure", configure(elsewhere.path(), &address.to_string(), 0));
    let (slug_of, text) = second.refused("start", json!({}));
    assert_eq!(slug_of, "start-failed");
    assert!(text.contains(&address.to_string()), "{text}");
    second.ok("configure", configure(directory.path(), "127.0.0.1:0", 0));
    let (_, text) = second.refused("start", json!({}));
    assert!(text.contains("spool"), "one spool, one member: {text}");
    second.kill();
    adapter.kill();
}

#[test]
fn stop_keeps_everything_and_reset_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let mut adapter = Adapter::new();
    let address = adapter.start(&state, "127.0.0.1:0", 0);
    Client::connect(address).send("kept");
    adapter.idle();
    adapter.ok("stop", json!({}));
    let again = adapter.ok("start", json!({}));
    let address = again["listen"]["smtp"].as_str().unwrap().parse().unwrap();
    Client::connect(address).send("more");
    adapter.idle();
    assert_eq!(letters(&state).len(), 2);
    adapter.ok("reset", json!({}));
    assert!(!state.exists());
    assert_eq!(adapter.refused("start", json!({})).0, "not-configured");
    adapter.kill();
}

/// Goes on to `to_us`, by the timers on the way.
fn go_on(adapter: &mut Adapter, to_us: u64) {
    loop {
        let next = adapter.idle()["next_us"].as_u64().unwrap_or(u64::MAX).min(to_us);
        adapter.ok("advance", json!({"to_us": next}));
        if next == to_us {
            return;
        }
    }
}

/// SM-010: what counts is when the last octets of content came, however few they were.
#[test]
fn silence_within_content_is_told_and_slow_content_is_taken() {
    const MINUTE: u64 = 60_000_000;
    let directory = tempfile::tempdir().unwrap();
    let mut adapter = Adapter::new();
    let address = adapter.start(directory.path(), "127.0.0.1:0", 0);
    let mut clients = [Client::connect(address), Client::connect(address)];
    for client in &mut clients {
        client.ask("EHLO client.example.net", "250");
        client.ask("MAIL FROM:<ann@example.net>", "250");
        client.ask("RCPT TO:<bob@example.org>", "250");
        client.ask("DATA", "354");
        client.say("Subject: x\r\n");
    }
    let [slow, silent] = &mut clients;
    for count in 1..=3 {
        go_on(&mut adapter, count * 4 * MINUTE);
        slow.say("x");
        let received = "EHLO client.example.net\r\nMAIL FROM:<ann@example.net>\r\n".len()
            + "RCPT TO:<bob@example.org>\r\nDATA\r\nSubject: x\r\n".len()
            + usize::try_from(count).unwrap();
        while connection(&adapter.idle(), &slow.local()).unwrap()["received"] != received {}
    }
    assert!(silent.reply().starts_with("421 4.4.2 "), "five minutes are over");
    assert!(silent.is_ended());
    slow.ask("\r\n.", "250 2.");
    adapter.kill();
}
