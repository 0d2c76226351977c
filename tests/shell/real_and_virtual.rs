//! The same conversations with a daemon in real time, on all its threads, and with the adapter in
//! virtual time, on one: what is said on each connection is the same.
//!
//! The test plays the clients of `rg1-a` and the member `rg2-a`, the target of its only connector. That
//! one is busy at first, so the order of its connections is that of the boot and the glitch retries.
//! Only the virtual clock tells how far they are apart; of real time, nothing but an order is asserted.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::support::{Adapter, Daemon, bridgehead, letters};
use serde_json::{Value, json};

/// No answer, no connection and no letter takes this long in real time.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the test looks again for what it waits for.
const PAUSE: Duration = Duration::from_millis(5);
/// A minute of the daemon is two seconds: short for a test, and long for a step of a handshake.
const SCALE: f64 = 30.0;
/// In virtual time, no more timers than this are due in the scenario.
const ADVANCES_LIMIT: usize = 100;

const MINUTE_US: u64 = 60_000_000;
/// How many connections `rg2-a` answers with 421 before it accepts one.
const REFUSALS: usize = 3;

const ORGANIZATION: &str = r#"
format = 1
revision = 1
name = "test"
domains = ["example.org"]

[[group]]
name = "RG1"
uuid = "0123456789abcdef0123456789abcdef"
members = ["rg1-a"]
master = "rg1-a"

[[group]]
name = "RG2"
uuid = "fedcba9876543210fedcba9876543210"
members = ["rg2-a"]
master = "rg2-a"

[[connector]]
name = "RG1-RG2"
from = "RG1"
to = "RG2"
cost = 10
sources = ["rg1-a"]
targets = ["rg2-a"]

[[account]]
address = "bob@example.org"
host = "rg1-a"

[[account]]
address = "carol@example.org"
host = "rg2-a"
"#;

/// What a client sends at once, and how many replies it takes before it goes on.
type Step = (&'static str, usize);

const GOOD_MAIL: &[Step] = &[
    ("EHLO client.example.net\r\n", 1),
    ("MAIL FROM:<ann@example.net> BODY=8BITMIME\r\n", 1),
    ("RCPT TO:<bob@example.org>\r\n", 1),
    ("DATA\r\n", 1),
    ("Subject: good\r\n\r\nhello\r\n.\r\n", 1),
    ("QUIT\r\n", 1),
];
const SYNTAX_ERRORS: &[Step] = &[
    ("MAIL FROM:<ann@example.net>\r\n", 1),
    ("EHLO\r\n", 1),
    ("HELO client.example.net\r\n", 1),
    ("XYZZY\r\n", 1),
    ("MAIL FROM:<ann@example.net\r\n", 1),
    ("RCPT TO:<bob@example.org>\r\n", 1),
    ("MAIL FROM:<ann@example.net> X5F1=1\r\n", 1),
    ("NOOP\nNOOP\r\n", 1),
    ("MAIL FROM:<ann@example.net>\r\n", 1),
    ("DATA\r\n", 1),
    ("RCPT TO:<nobody@example.org>\r\n", 1),
    ("RCPT TO:<bob@elsewhere.example>\r\n", 1),
    ("DATA\r\n", 1),
    ("VRFY bob\r\n", 1),
    ("X-SUBMIT HELLO MEMBER=rg2-a STORE=00000000000000bb\r\n", 1),
    ("QUIT\r\n", 1),
];
const PIPELINED_AND_DOT_STUFFED: &[Step] = &[
    ("EHLO client.example.net\r\n", 1),
    (
        "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<BOB@example.org>\r\n\
         DATA\r\n",
        5,
    ),
    ("Subject: dots\r\n\r\n..\r\n...\r\n..a dot\r\n.\r\nNOOP\r\nQUIT\r\n", 3),
];
const MAIL_FOR_THE_OTHER_GROUP: &[Step] = &[
    ("EHLO client.example.net\r\n", 1),
    ("MAIL FROM:<ann@example.net> SIZE=64\r\nRCPT TO:<carol@example.org>\r\nDATA\r\n", 3),
    ("Subject: far\r\n\r\nhello, carol\r\n.\r\n", 1),
    ("QUIT\r\n", 1),
];
const CLIENTS: [&[Step]; 4] =
    [GOOD_MAIL, SYNTAX_ERRORS, PIPELINED_AND_DOT_STUFFED, MAIL_FOR_THE_OTHER_GROUP];
/// How many letters the clients send to bob.
const LETTERS: usize = 2;

/// Who said what on one connection, in order, and how it ended.
type Transcript = Vec<String>;

/// The two modes have to agree in all of this.
#[derive(Debug, PartialEq, Eq)]
struct Story {
    /// One for each client.
    clients: Vec<Transcript>,
    /// One for each connection that the member opened to `rg2-a`.
    connections: Vec<Transcript>,
    /// What bob got, sorted.
    letters: Vec<String>,
}

/// A connection whose octets are written down.
struct Recorded {
    stream: BufReader<TcpStream>,
    transcript: Transcript,
}

impl Recorded {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream), transcript: Transcript::new() }
    }

    fn note(&mut self, who: &str, octets: &[u8]) {
        self.transcript.push(format!("{who}: {}", octets.escape_ascii()));
    }

    fn say(&mut self, octets: &str) {
        self.stream.get_mut().write_all(octets.as_bytes()).expect("the member reads");
        self.note("test", octets.as_bytes());
    }

    /// The next line of the member with its end, empty at the end of the stream.
    fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).expect("a line in time");
        if !line.is_empty() {
            self.note("member", &line);
        }
        line
    }

    /// The next reply of the member, all its lines.
    fn reply(&mut self) {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "a reply is missing: {:#?}", self.transcript);
            if line.get(3) != Some(&b'-') {
                return;
            }
        }
    }

    /// Takes what the member still says until it ends the connection.
    fn end(mut self) -> Transcript {
        let mut rest = Vec::new();
        let end = match self.stream.read_to_end(&mut rest) {
            Ok(_) => "end",
            Err(error) if error.kind() == ErrorKind::ConnectionReset => "reset",
            Err(error) => panic!("no end in time: {error}: {:#?}", self.transcript),
        };
        if !rest.is_empty() {
            self.note("member", &rest);
        }
        self.note("member", end.as_bytes());
        self.transcript
    }
}

/// Leaves out what differs between two runs of the same member: the identifiers that are drawn, of 16
/// hexadecimal digits each, the digests of records that name them, of 64, and the dates of the trace.
fn normal(text: &str) -> String {
    let (mut normal, mut word) = (String::new(), String::new());
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_alphanumeric() {
            word.push(character);
            continue;
        }
        let is_hexadecimal = word.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        normal.push_str(match word.len() {
            16 if is_hexadecimal => "<drawn>",
            64 if is_hexadecimal => "<digest>",
            _ => &word,
        });
        normal.push(character);
        word.clear();
    }
    normal.pop();
    let date = |line: &str| line.starts_with('\t') && line.trim_end().ends_with(" +0000");
    let lines = normal.split('\n').map(|line| if date(line) { "\t<date>" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// Gives the incarnation in the news of a connection all its digits. It is a number without leading
/// zeros, and both frames around it count them.
fn with_full_incarnation(transcript: &[String]) -> Transcript {
    const BEFORE: &str = " 1 {5}rg1-a ";
    let whole = transcript.join("\n");
    let drawn = whole.split_once(BEFORE).and_then(|(_, rest)| rest.split(' ').next());
    let drawn = drawn.unwrap_or("0123456789abcdef");
    let missing = 16_usize.checked_sub(drawn.len()).expect("an incarnation has 64 bits");
    let full = |turn: &String| {
        let turn = turn.replace(&format!("{BEFORE}{drawn} "), &format!("{BEFORE}{drawn:0>16} "));
        let mut parts = turn.split('{');
        let mut full = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let count = part.split_once('}').filter(|(count, _)| count.len() == 8);
            let count = count
                .and_then(|(count, rest)| Some((usize::from_str_radix(count, 16).ok()?, rest)));
            full.push('{');
            match count {
                Some((count, rest)) => full.push_str(&format!("{:08x}}}{rest}", count + missing)),
                None => full.push_str(part),
            }
        }
        full
    };
    transcript.iter().map(full).collect()
}

/// A transcript that can be compared with that of another run.
fn comparable(transcript: &[String]) -> Transcript {
    with_full_incarnation(transcript).iter().map(|turn| normal(turn)).collect()
}

/// Plays one client.
fn client(member: SocketAddr, steps: &[Step]) -> Transcript {
    let mut connection = Recorded::new(TcpStream::connect(member).expect("the member listens"));
    connection.reply();
    for (octets, replies) in steps {
        connection.say(octets);
        (0..*replies).for_each(|_| connection.reply());
    }
    comparable(&connection.end())
}

fn clients(member: SocketAddr) -> Vec<Transcript> {
    CLIENTS.iter().map(|steps| client(member, steps)).collect()
}

/// `rg2-a`, on an address of its own.
struct Neighbour {
    address: SocketAddr,
    ended: Receiver<Transcript>,
}

impl Neighbour {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.2:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (transcripts, ended) = channel();
        // The thread ends when nobody wants to know of further connections.
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let connection = Recorded::new(stream.unwrap());
                let transcript =
                    if number < REFUSALS { busy(connection) } else { accept(connection) };
                if transcripts.send(comparable(&transcript)).is_err() {
                    return;
                }
            }
        });
        Self { address, ended }
    }
}

fn busy(mut connection: Recorded) -> Transcript {
    connection.say("421 4.3.2 rg2-a is busy\r\n");
    connection.end()
}

/// Goes along until the member has told its news, and hangs up instead of merging it.
fn accept(mut connection: Recorded) -> Transcript {
    connection.say("220 rg2-a ESMTP\r\n");
    loop {
        let line = String::from_utf8(connection.line()).expect("commands are text");
        let command = line.split(" CHUNK=").next().unwrap_or_default();
        let verb: String = command.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        match verb.as_str() {
            "EHLO rg1-a" => connection.say("250-rg2-a\r\n250-X-SUBMIT\r\n250 X-LINK2STATE\r\n"),
            "X-SUBMIT HELLO" => {
                connection.say("250 2.0.0 MEMBER=rg2-a STORE=00000000000000bb\r\n");
            }
            "X-LINK2STATE FIRST" | "X-LINK2STATE NEXT" => connection.say("200 NEXT\r\n"),
            _ => {
                connection.note("test", b"end");
                return connection.transcript;
            }
        }
    }
}

fn letters_of(directory: &Path) -> Vec<String> {
    let mut letters: Vec<_> = letters(directory).iter().map(|letter| normal(letter)).collect();
    letters.sort();
    letters
}

/// The daemon, whose clock runs by itself.
fn in_real_time(directory: &Path) -> Story {
    let neighbour = Neighbour::new();
    std::fs::write(directory.join("organization.toml"), ORGANIZATION).unwrap();
    let file = directory.join("member.toml");
    let text = format!(
        r#"
format = 1
member = "rg1-a"
organization = "organization.toml"
directory = "state"
[listen]
smtp = "127.0.0.1:0"
deliver = "127.0.0.1:0"
group = "127.0.0.1:0"
[security]
members = "address"
allow_development_ca = true
[clock]
scale = {SCALE:.1}
[[peer]]
member = "rg2-a"
address = "127.0.0.2"
[[via]]
connector = "RG1-RG2"
target = "rg2-a"
address = "{}"
"#,
        neighbour.address
    );
    std::fs::write(&file, text).unwrap();
    let daemon = Daemon::ready(bridgehead().arg("serve").arg(file).spawn().unwrap());
    let clients = clients(daemon.smtp);
    let next = |_| neighbour.ended.recv_timeout(PATIENCE).expect("the member tries again");
    let connections = (0..=REFUSALS).map(next).collect();
    until("the letters are delivered", || letters(directory).len() >= LETTERS);
    Story { clients, connections, letters: letters_of(directory) }
}

/// Looks again and again until `is_so`.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        if is_so() {
            return;
        }
        thread::sleep(PAUSE);
    }
    panic!("still not so: {what}");
}

/// The adapter, whose clock this test moves; gives also when each connection to `rg2-a` began.
fn in_virtual_time(directory: &Path) -> (Story, Vec<u64>) {
    let neighbour = Neighbour::new();
    let organization: toml::Value = toml::from_str(ORGANIZATION).unwrap();
    let mut adapter = Adapter::new();
    adapter.ok("hello", json!({"proto": 1}));
    let listen = "127.0.0.1:0";
    let configuration = json!({
        "member": "rg1-a", "organization": organization, "dir": directory, "now_us": 0,
        "listen": {"smtp": listen, "deliver": listen, "group": listen}, "source": "127.0.0.1",
        "peers": [{"member": "rg2-a", "address": "127.0.0.2"}],
        "via": [{"connector": "RG1-RG2", "target": "rg2-a", "address": neighbour.address}],
        "security": "address",
    });
    adapter.ok("configure", configuration);
    let started = adapter.ok("start", json!({}));
    let clients = clients(started["listen"]["smtp"].as_str().unwrap().parse().unwrap());
    let (mut known, mut began, mut connections) = (BTreeSet::new(), Vec::new(), Vec::new());
    for _ in 0..ADVANCES_LIMIT {
        let mut next = Value::Null;
        until("the member is idle, and its connections have ended", || {
            let quiet = adapter.ok("quiesce", json!({}));
            let shown = quiet["connections"].as_array().unwrap().iter();
            let outgoing = shown.filter(|shown| shown["remote"] == json!(neighbour.address));
            let mut is_open = false;
            for connection in outgoing {
                is_open |= connection["closed"] != true;
                if known.insert(connection["local"].to_string()) {
                    began.push(quiet["now_us"].as_u64().unwrap());
                }
            }
            connections.extend(neighbour.ended.try_iter());
            next = quiet["next_us"].clone();
            quiet["idle"] == true && !is_open && connections.len() == began.len()
        });
        if connections.len() > REFUSALS {
            return (Story { clients, connections, letters: letters_of(directory) }, began);
        }
        adapter.ok("advance", json!({"to_us": next}));
    }
    panic!("after {ADVANCES_LIMIT} timers, connections began at {began:?} only");
}

// SM-016, SM-040, LS-021, LS-022, LS-047, CO-004
#[test]
fn real_and_virtual_time_tell_the_same_story() {
    let directory = tempfile::tempdir().unwrap();
    let (stepped, began) = in_virtual_time(directory.path());
    let expected: Vec<u64> = (0..=REFUSALS as u64).map(|attempt| attempt * MINUTE_US).collect();
    assert_eq!(began, expected, "the boot, then one retry a minute");
    assert_eq!(stepped.letters.len(), LETTERS);
    let told = stepped.connections[REFUSALS].join("\n");
    for word in ["EHLO rg1-a", "X-SUBMIT HELLO MEMBER=rg1-a", "X-LINK2STATE LAST"] {
        assert!(told.contains(word), "the last connection comes as far as the news: {told}");
    }

    let directory = tempfile::tempdir().unwrap();
    let lived = in_real_time(directory.path());
    for (number, steps) in CLIENTS.iter().enumerate() {
        assert_eq!(lived.clients[number], stepped.clients[number], "the client with {steps:?}");
    }
    for (number, connection) in lived.connections.iter().enumerate() {
        assert_eq!(*connection, stepped.connections[number], "connection {number} to rg2-a");
    }
    assert_eq!(lived, stepped);
}

#[test]
fn incarnations_of_any_length_compare_equal() {
    let connection = |drawn: &str| {
        let news = format!(" NEWS ( ( 0 {{3}}RG1 1 {{5}}rg1-a {drawn} 1 0 0 ) )");
        let frame = format!("({{{:08x}}}{news})", news.len());
        let first = format!("FIRST CHUNK={{{:08x}}}", frame.len());
        comparable(&[first, frame])
    };
    let expected = connection("24f96a4d144e7b0f");
    assert!(expected[1].contains("{5}rg1-a <drawn> 1 0 0"), "{expected:?}");
    assert_eq!(connection("24f96a4d144e7b0"), expected);
    assert_eq!(connection("4d144e7b0"), expected);
}
