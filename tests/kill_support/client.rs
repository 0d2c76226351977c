//! An SMTP client that lives with servers that die: it says of each attempt what it has seen.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

/// No answer takes this long; a member that was killed answers at once with a reset.
const PATIENCE: Duration = Duration::from_secs(20);
const TAG: &str = "X-Attempt: ";

/// What the client knows of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    /// It has its 250: it must arrive, once.
    Accepted,
    /// The connection ended after the content had begun to leave: it may arrive, once at most.
    Nothing,
    /// It was refused, or never sent: it must not arrive.
    Refused,
}

/// A connection that has said EHLO.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// `None` while the member is down.
    pub(crate) fn connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_nodelay(true).ok()?;
        let mut client = Self { stream: BufReader::new(stream) };
        client.reply().filter(|code| *code == 220)?;
        client.ask("EHLO client.example.net").filter(|code| *code == 250)?;
        Some(client)
    }

    /// One attempt; `waiting` counts who waits for the last word. Only after `Accepted` the connection is
    /// as good as before.
    pub(crate) fn send(&mut self, tag: &str, to: &[&str], waiting: &AtomicU32) -> Seen {
        let mut commands = vec![String::from("MAIL FROM:<ann@example.org>")];
        commands.extend(to.iter().map(|address| format!("RCPT TO:<{address}>")));
        for command in commands {
            if self.ask(&command) != Some(250) {
                return Seen::Refused;
            }
        }
        if self.ask("DATA") != Some(354) {
            return Seen::Refused;
        }
        waiting.fetch_add(1, Ordering::Relaxed);
        let last = self.ask(&format!("Subject: an attempt\r\n{TAG}{tag}\r\n\r\n{tag}\r\n."));
        waiting.fetch_sub(1, Ordering::Relaxed);
        match last {
            Some(250) => Seen::Accepted,
            Some(_) => Seen::Refused,
            None => Seen::Nothing,
        }
    }

    fn ask(&mut self, text: &str) -> Option<u16> {
        write!(self.stream.get_mut(), "{text}\r\n").ok()?;
        self.reply()
    }

    /// The code of the next reply; `None` when the connection ended before its end.
    fn reply(&mut self) -> Option<u16> {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).ok()?;
            let is_whole = line.ends_with("\r\n");
            let code = line.get(..3).filter(|_| is_whole)?.parse().ok()?;
            if line.as_bytes()[3] == b' ' {
                return Some(code);
            }
        }
    }
}

/// The tag of a stored message. One without is a notice that nobody was to get.
pub(crate) fn tag_of(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(TAG));
    line.unwrap_or_else(|| panic!("this was not sent:\n{text}")).to_owned()
}
