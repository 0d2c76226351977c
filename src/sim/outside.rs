//! The outside server: it takes all mail and keeps none.

use alloc::string::String;
use alloc::vec::Vec;

use super::token::Token;
use crate::wire::message::Address;

/// One conversation with it.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    buffer: Vec<u8>,
    recipients: Vec<Address>,
    content: Option<Vec<u8>>,
    accepted: Vec<(Token, Address)>,
    over: bool,
}

impl Conversation {
    /// A conversation whose greeting was said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it has said good-bye.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// What it has accepted since it was asked last.
    pub fn accepted(&mut self) -> Vec<(Token, Address)> {
        core::mem::take(&mut self.accepted)
    }

    /// Takes octets and says what it answers.
    pub fn take(&mut self, octets: &[u8]) -> Vec<u8> {
        self.buffer.extend_from_slice(octets);
        let mut said = Vec::new();
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
            said.extend_from_slice(self.line(&line).as_bytes());
        }
        said
    }

    fn line(&mut self, line: &[u8]) -> &'static str {
        if let Some(content) = &mut self.content {
            if line != b".\r\n" {
                content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
                return "";
            }
            let token = Token::find(content);
            self.content = None;
            let recipients = core::mem::take(&mut self.recipients);
            self.accepted.extend(token.into_iter().flat_map(|token| {
                recipients.iter().map(move |recipient| (token, recipient.clone()))
            }));
            return "250 2.0.0 taken\r\n";
        }
        let text = String::from_utf8_lossy(line).to_ascii_uppercase();
        match text.get(..4) {
            Some("EHLO") => "250-outside.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n",
            Some("RCPT") => {
                let line = String::from_utf8_lossy(line);
                let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                self.recipients.push(Address::from(address));
                "250 2.1.5 ok\r\n"
            }
            Some("DATA") => {
                self.content = Some(Vec::new());
                "354 go ahead\r\n"
            }
            Some("QUIT") => {
                self.over = true;
                "221 2.0.0 bye\r\n"
            }
            Some("MAIL" | "RSET") => {
                self.recipients.clear();
                "250 2.0.0 ok\r\n"
            }
            _ => "250 2.0.0 ok\r\n",
        }
    }
}
