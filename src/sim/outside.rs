//! The outside server: it takes mail and keeps none. What it says to a recipient stands in the address: it
//! refuses `refused-…` for ever, `busy-…` for now, and every message that is also for `unwanted-…`.

use alloc::string::String;
use alloc::vec::Vec;

use super::token::Token;
use crate::wire::message::Address;

/// How the addresses begin that it refuses for ever.
pub const REFUSED: &str = "refused-";
/// How the addresses begin for which it is busy while there are faults.
pub const BUSY: &str = "busy-";
/// How the addresses begin that spoil a message for everybody in it.
pub const UNWANTED: &str = "unwanted-";

/// One conversation with it.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    buffer: Vec<u8>,
    recipients: Vec<Address>,
    content: Option<Vec<u8>>,
    words: Vec<Word>,
    /// It offers DSN, and tells senders of successes itself.
    tells: bool,
    over: bool,
}

/// What the outside server has said about a recipient, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It has taken the message.
    Taken(Token, Address),
    /// It will never take mail for this address, of which only one message has it.
    NeverFor(Address),
    /// It does not want this message.
    Never(Token, Address),
}

impl Conversation {
    /// A conversation whose greeting was said; `tells` where the server offers DSN.
    #[must_use]
    pub fn new(tells: bool) -> Self {
        Self { tells, ..Self::default() }
    }

    /// Whether it offers DSN.
    #[must_use]
    pub const fn tells(&self) -> bool {
        self.tells
    }

    /// Whether it has said good-bye.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// What it has said for good since it was asked last.
    pub fn words(&mut self) -> Vec<Word> {
        core::mem::take(&mut self.words)
    }

    /// Takes octets and says what it answers. A calm server is busy for nobody.
    pub fn take(&mut self, octets: &[u8], is_calm: bool) -> Vec<u8> {
        self.buffer.extend_from_slice(octets);
        let mut said = Vec::new();
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
            said.extend_from_slice(self.line(&line, is_calm).as_bytes());
        }
        said
    }

    fn line(&mut self, line: &[u8], is_calm: bool) -> &'static str {
        if let Some(content) = &mut self.content {
            if line != b".\r\n" {
                content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
                return "";
            }
            let token = Token::find(content);
            self.content = None;
            return self.decide(token);
        }
        let text = String::from_utf8_lossy(line).to_ascii_uppercase();
        match text.get(..4) {
            Some("EHLO") if self.tells => "250-outside.example\r\n250-DSN\r\n250 SIZE\r\n",
            Some("EHLO") => "250-outside.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n",
            Some("RCPT") => {
                let line = String::from_utf8_lossy(line);
                self.recipient(line.split(['<', '>']).nth(1).unwrap_or_default(), is_calm)
            }
            Some("DATA") if self.recipients.is_empty() => "554 5.5.1 for nobody\r\n",
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

    fn recipient(&mut self, address: &str, is_calm: bool) -> &'static str {
        if address.starts_with(REFUSED) {
            self.words.push(Word::NeverFor(Address::from(address)));
            return "550 5.1.1 nobody here\r\n";
        }
        if address.starts_with(BUSY) && !is_calm {
            return "450 4.2.1 later\r\n";
        }
        self.recipients.push(Address::from(address));
        "250 2.1.5 ok\r\n"
    }

    /// What becomes of a message that is here as a whole.
    fn decide(&mut self, token: Option<Token>) -> &'static str {
        let recipients = core::mem::take(&mut self.recipients);
        let is_unwanted = recipients.iter().any(|address| address.0.starts_with(UNWANTED));
        let word = if is_unwanted { Word::Never } else { Word::Taken };
        if let Some(token) = token {
            self.words.extend(recipients.into_iter().map(|address| word(token, address)));
        }
        if is_unwanted { "554 5.7.1 unwanted\r\n" } else { "250 2.0.0 taken\r\n" }
    }
}
