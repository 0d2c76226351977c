//! A daemon with a real external filter: RU-040 to RU-049, SV-065 to SV-067, SV-075 to SV-077.

use core::time::Duration;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::support::{Client, Daemon, bridgehead, letters, write_configuration};

const FOR_TESTS: &str = "members = \"address\"\nallow_development_ca = true";
/// How long a refused client waits before it comes again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it comes: a filter that comes back at all is back by then.
const TRIES: u32 = 600;

/// The time limit of filters, in seconds, where a test may wait for it.
const SHORT: u32 = 3;
/// A time limit that no client awaits.
const ENDLESS: u32 = 3_600;

/// The configuration of a member whose filter is this command.
fn with_filter(directory: &Path, command: &str, time_limit_s: u32) -> PathBuf {
    let file = write_configuration(directory, "127.0.0.1:0", FOR_TESTS);
    let text = fs::read_to_string(&file).unwrap();
    let filter =
        format!("[filter]\ncommand = [{command}]\ntime_limit_s = {time_limit_s}\nat_once = 2\n");
    fs::write(&file, text + &filter).unwrap();
    file
}

fn log_of(directory: &Path) -> PathBuf {
    directory.join("filter.log")
}

fn start(directory: &Path) -> Daemon {
    start_with(directory, "warn", SHORT)
}

fn start_with(directory: &Path, level: &str, time_limit_s: u32) -> Daemon {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/filter.py");
    let log = log_of(directory);
    let command =
        format!("\"/usr/bin/env\", \"python3\", \"{}\", \"{}\"", script.display(), log.display());
    let file = with_filter(directory, &command, time_limit_s);
    let mut serve = bridgehead();
    Daemon::ready(serve.env("BRIDGEHEAD_LOG", level).arg("serve").arg(file).spawn().unwrap())
}

/// What the daemon has logged until its end.
fn log_at_the_end(mut daemon: Daemon) -> String {
    daemon.terminate();
    let mut log = String::new();
    daemon.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}

/// The number behind this word, where the filter has written that last.
fn last_number(directory: &Path, word: &str) -> u32 {
    let log = fs::read_to_string(log_of(directory)).unwrap();
    let number = log.lines().rev().find_map(|line| line.strip_prefix(word));
    number.expect("the filter has written it").trim().parse().unwrap()
}

/// Waits until there is no such process; one that is dead and that nobody has waited for is none.
fn await_end(process: u32) {
    for _ in 0..TRIES {
        let status = fs::read_to_string(format!("/proc/{process}/stat"));
        if status.is_err() || status.is_ok_and(|status| status.contains(") Z ")) {
            return;
        }
        thread::sleep(PAUSE);
    }
    panic!("process {process} runs on");
}

fn client(daemon: &Daemon) -> Client {
    let mut client = Client::connect(daemon.smtp);
    client.ask("EHLO client.example.net", "250");
    client
}

fn send(client: &mut Client, words: &str) -> String {
    client.try_send(&format!("Subject: test\r\n\r\n{words}")).expect("an answer")
}

/// Sends until the filter lets it in, as a client does that is refused for now.
fn insist(client: &mut Client, words: &str) {
    for _ in 0..TRIES {
        let reply = send(client, words);
        if reply.starts_with("250 ") {
            return;
        }
        assert!(reply.starts_with("451 4.3.0 "), "`{words}`: {reply}");
        thread::sleep(PAUSE);
    }
    panic!("the filter never comes back");
}

/// Waits until bob has so many letters.
fn await_letters(directory: &Path, count: usize) -> Vec<String> {
    for _ in 0..TRIES {
        let found = letters(&directory.join("state/accounts"));
        if found.len() >= count {
            return found;
        }
        thread::sleep(PAUSE);
    }
    panic!("there are never {count} letters");
}

/// RU-041, RU-043, RU-044: each judgement reaches the client and the letter, and no file is left.
#[test]
fn a_filter_judges() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start(directory.path());
    let mut client = client(&daemon);
    insist(&mut client, "one");
    assert_eq!(send(&mut client, "please reject"), "550 5.7.1 this is \"spam\"\r\n");
    assert!(send(&mut client, "please discard").starts_with("250 2.0.0 "));
    assert!(send(&mut client, "please mark").starts_with("250 2.0.0 "));
    let found = await_letters(directory.path(), 2);
    assert_eq!(found.len(), 2, "what is discarded is not stored");
    let marked = found.iter().filter(|letter| letter.contains("X-Spam: yes\r\nX-Score: 7\r\n"));
    assert_eq!(marked.count(), 1);
    let log = fs::read_to_string(log_of(directory.path())).unwrap();
    let given = log.lines().find_map(|line| line.strip_prefix("given ")).expect("it was asked");
    assert!(given.starts_with("'P I "), "{given}");
    let envelope = "<ann@example.net>\\nR W ";
    let message = "<bob@example.org>\\n\\nSubject: test\\n\\none\\n'";
    assert!(given.contains(envelope) && given.ends_with(message), "{given}");
    let left = fs::read_dir(directory.path().join("state/filter/Queue")).unwrap().count();
    assert_eq!(left, 0, "SV-065");
}

/// RU-049: the client hears printable ASCII, and not too much of it, and the filter goes on.
#[test]
fn the_words_of_a_filter_are_made_fit_for_a_reply() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start(directory.path());
    let mut client = client(&daemon);
    insist(&mut client, "before");
    let before = last_number(directory.path(), "pid ");
    assert_eq!(send(&mut client, "please whisper"), "550 5.7.1 tr?s ?\r\n");
    let cut = "x".repeat(400);
    assert_eq!(send(&mut client, "please lecture"), format!("550 5.7.1 {cut}\r\n"));
    assert!(send(&mut client, "after").starts_with("250 2.0.0 "), "the replies are in step");
    assert_eq!(last_number(directory.path(), "pid "), before);
}

/// RU-047, RU-048: fields that no header may have delay their message and nothing else; a long one that can
/// be folded is folded.
#[test]
fn a_filter_adds_headers_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start(directory.path());
    let mut client = client(&daemon);
    insist(&mut client, "before");
    let before = last_number(directory.path(), "pid ");
    for words in ["please stretch", "please accent", "please control", "please chat"] {
        let reply = send(&mut client, words);
        assert!(reply.starts_with("451 4.3.0 "), "`{words}`: {reply}");
    }
    assert!(send(&mut client, "please fold").starts_with("250 2.0.0 "));
    assert_eq!(last_number(directory.path(), "pid "), before, "the filter goes on");
    let found = await_letters(directory.path(), 2);
    let folded = found.iter().find(|letter| letter.contains("please fold")).unwrap();
    assert!(folded.lines().all(|line| line.len() <= 998), "{folded}");
    let unfolded = folded.replace("\r\n ", " ");
    assert!(unfolded.contains(&format!("X-Spam: {}", "word ".repeat(300).trim_end())), "{folded}");
    let log = log_at_the_end(daemon);
    assert!(log.contains("1 to 100 header fields"), "{log}");
}

/// RU-042, SV-066: whatever goes wrong with it, the client hears 451, nothing is stored, and the next
/// filter judges what follows.
#[test]
fn a_filter_that_fails_delays_mail() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start(directory.path());
    let mut client = client(&daemon);
    for (number, words) in
        ["please fail", "please die", "please hang", "please babble"].iter().enumerate()
    {
        insist(&mut client, &format!("before {number}"));
        let reply = send(&mut client, words);
        assert!(reply.starts_with("451 4.3.0 "), "`{words}`: {reply}");
    }
    insist(&mut client, "last");
    let found = await_letters(directory.path(), 5);
    assert_eq!(found.len(), 5);
    assert!(!found.iter().any(|letter| letter.contains("please")), "{found:?}");
    let log = fs::read_to_string(log_of(directory.path())).unwrap();
    let lives = log.lines().filter(|line| line.starts_with("pid ")).count();
    assert_eq!(lives, 4, "FAILURE is an answer; the others end a filter");
}

/// RU-042, RU-045: of a hundred messages none is lost and none is doubled while filters are killed.
#[test]
fn killing_the_filter_loses_nothing() {
    const CLIENTS: usize = 5;
    const EACH: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let daemon = start(directory.path());
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let mut client = client(&daemon);
            scope.spawn(move || {
                (0..EACH).for_each(|n| insist(&mut client, &format!("letter {number}-{n} end")));
            });
        }
        for stored in [10, 40, 70] {
            await_letters(directory.path(), stored);
            let log = fs::read_to_string(log_of(directory.path())).unwrap();
            let pid = log.lines().rev().find_map(|line| line.strip_prefix("pid "));
            let killed = Command::new("kill").args(["-KILL", pid.expect("it runs")]).status();
            assert!(killed.unwrap().success(), "the filter runs");
        }
    });
    let found = await_letters(directory.path(), CLIENTS * EACH);
    assert_eq!(found.len(), CLIENTS * EACH, "none is double");
    let name = |letter: &String| {
        letter.lines().find(|line| line.starts_with("letter ")).map(str::to_owned)
    };
    let names: BTreeSet<_> = found.iter().filter_map(name).collect();
    assert_eq!(names.len(), CLIENTS * EACH, "and none is missing");
}

/// RU-046, SV-075: a filter that says comments without an end is ended after some, long before its time
/// limit could, and the log takes few of them.
#[test]
fn a_filter_that_floods_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start_with(directory.path(), "info", SHORT);
    let mut client = client(&daemon);
    insist(&mut client, "before");
    let reply = send(&mut client, "please flood");
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    insist(&mut client, "after");
    let log = log_at_the_end(daemon);
    let why = "said too many comments without an answer";
    assert_eq!(log.matches(why).count(), 1, "{log}");
    assert_eq!(log.matches("says too much").count(), 1, "{log}");
    assert!(log.matches("and another thing").count() <= 60, "{log}");
}

/// RU-043: a line without an end is ended at 4,096 octets.
#[test]
fn a_filter_that_never_ends_its_line_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start(directory.path());
    let mut client = client(&daemon);
    insist(&mut client, "before");
    let reply = send(&mut client, "please drone");
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    insist(&mut client, "after");
    let log = log_at_the_end(daemon);
    assert!(log.contains("said a line of more than 4096 octets"), "{log}");
}

/// SV-076: the group of a filter ends with it, also where the filter ended first, and with the member. One whose
/// member is killed finds the end of its input.
#[test]
fn the_children_of_a_filter_end_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start(directory.path());
    let mut client = client(&daemon);
    insist(&mut client, "before");
    let reply = send(&mut client, "please breed");
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    await_end(last_number(directory.path(), "child "));
    insist(&mut client, "after");
    log_at_the_end(daemon);
    await_end(last_number(directory.path(), "pid "));
    let mut daemon = start(directory.path());
    insist(&mut self::client(&daemon), "once more");
    daemon.child.kill().unwrap();
    await_end(last_number(directory.path(), "pid "));
}

/// SV-066: a filter has ended when its process has, whoever holds its output: nobody waits for its time limit.
/// What it said before counts. SV-076: a child in a session of its own is out of reach.
#[test]
fn a_filter_that_ends_is_noticed_whoever_holds_its_output() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start_with(directory.path(), "warn", ENDLESS);
    let mut client = client(&daemon);
    for (words, code) in [
        ("please breed", "451 4.3.0 "),
        ("please emigrate", "451 4.3.0 "),
        ("please retire", "250 "),
    ] {
        insist(&mut client, "before");
        let reply = send(&mut client, words);
        if words != "please breed" {
            let emigrant = last_number(directory.path(), "emigrant ").to_string();
            let killed = Command::new("kill").args(["-KILL", &emigrant]).status();
            assert!(killed.unwrap().success(), "it is out of the member's reach");
        }
        assert!(reply.starts_with(code), "`{words}`: {reply}");
    }
    insist(&mut client, "after");
}

/// SV-077: whatever is removed of its directory under way is made anew, and no mail is lost for it.
#[test]
fn the_directories_of_a_filter_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start(directory.path());
    let mut client = client(&daemon);
    insist(&mut client, "one");
    fs::remove_dir_all(directory.path().join("state/filter/Queue")).unwrap();
    let reply = send(&mut client, "two");
    assert!(reply.starts_with("250 "), "no answer is spent on it: {reply}");
    let before = last_number(directory.path(), "pid ");
    fs::remove_dir_all(directory.path().join("state/filter")).unwrap();
    let reply = send(&mut client, "three");
    assert!(reply.starts_with("451 4.3.0 "), "the filter stands nowhere: {reply}");
    insist(&mut client, "four");
    assert_ne!(last_number(directory.path(), "pid "), before, "it is another one");
    assert_eq!(await_letters(directory.path(), 3).len(), 3);
}

/// SV-067: a command that cannot be executed is named before anything starts.
#[test]
fn a_filter_that_cannot_be_executed_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    let plain = format!("\"{}\"", plain.display());
    for (command, problem) in [
        (plain.as_str(), "cannot be executed"),
        ("\"/nowhere/filter\"", "cannot be examined"),
        ("\"python3\"", "is no absolute path"),
        ("\"/usr\"", "is no file"),
        ("", "is empty"),
    ] {
        let file = with_filter(directory.path(), command, SHORT);
        let output = bridgehead().arg("check").arg(file).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{command}: {said}");
        assert!(said.contains("filter.command") && said.contains(problem), "{command}: {said}");
    }
}
