//! A server that does what RFC 5321 demands, and offers nothing besides.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

/// What a connection has come to.
#[derive(Default)]
struct Talk {
    greeted: bool,
    sender: bool,
    recipients: usize,
}

/// Serves one connection.
pub(crate) fn serve(stream: TcpStream) -> std::io::Result<()> {
    serve_until(stream, &[b"\r\n.\r\n"])
}

/// The same, with one more end of a message than RFC 5321 knows.
pub(crate) fn smuggle(stream: TcpStream) -> std::io::Result<()> {
    serve_until(stream, &[b"\r\n.\r\n", b"\n.\n"])
}

fn serve_until(stream: TcpStream, ends: &[&[u8]]) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let mut talk = Talk::default();
    out.write_all(b"220 modest.test ready\r\n")?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let reply = talk.answer(line.trim_end());
        out.write_all(format!("{reply}\r\n").as_bytes())?;
        if reply.starts_with("354") {
            let mut content = Vec::new();
            while !ends.iter().any(|end| content.ends_with(end)) {
                content.push(reader.by_ref().bytes().next().transpose()?.unwrap_or(b'.'));
            }
            out.write_all(b"250 taken\r\n")?;
        }
        if reply.starts_with("221") {
            break;
        }
        line.clear();
    }
    Ok(())
}

impl Talk {
    fn answer(&mut self, line: &str) -> &'static str {
        let upper = line.to_ascii_uppercase();
        match upper.split(' ').next().unwrap_or_default() {
            "EHLO" | "HELO" => {
                *self = Self { greeted: true, ..Self::default() };
                "250 modest.test"
            }
            "NOOP" => "250 ok",
            "RSET" => {
                *self = Self { greeted: self.greeted, ..Self::default() };
                "250 ok"
            }
            "MAIL" if !self.greeted || self.sender => "503 out of order",
            "RCPT" if !self.sender => "503 out of order",
            "DATA" if self.recipients == 0 => "503 out of order",
            "MAIL" | "RCPT" if !upper.ends_with('>') => "555 no such parameter",
            "MAIL" => {
                self.sender = true;
                "250 ok"
            }
            "RCPT" if upper.contains("@R1.EXAMPLE:POSTMASTER>") => "501 a route needs a domain",
            "RCPT" => {
                self.recipients += 1;
                "250 ok"
            }
            "DATA" => {
                *self = Self { greeted: true, ..Self::default() };
                "354 go ahead"
            }
            "QUIT" => "221 bye",
            _ => "500 unknown",
        }
    }
}
