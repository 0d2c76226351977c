//! SMTP clients of the workload: they know the grammar of nobody else, and they write down what they
//! were promised.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::token::Token;
use crate::wire::message::{Address, Notify, Return};

/// The envelope of a message as its client has it, with what RFC 3461 lets a client ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// The return path.
    pub sender: Option<Address>,
    /// Whom it is for, and what of each the sender wants to hear.
    pub recipients: Vec<(Address, Notify)>,
    /// RET.
    pub ret: Option<Return>,
    /// ENVID, of characters that need no encoding.
    pub envid: Option<String>,
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name in this run.
    pub token: Token,
    /// The envelope.
    pub letter: Letter,
    /// Header and text.
    pub content: Vec<u8>,
}

impl Letter {
    /// A letter that asks for nothing special.
    #[must_use]
    pub fn new(sender: Option<Address>, recipients: Vec<Address>) -> Self {
        let recipients = recipients.into_iter().map(|address| (address, Notify::default()));
        Self { sender, recipients: recipients.collect(), ret: None, envid: None }
    }

    fn mail(&self) -> String {
        let sender = self.sender.as_ref().map_or("", |sender| sender.0.as_str());
        let mut line = format!("MAIL FROM:<{sender}>");
        match self.ret {
            None => {}
            Some(Return::Full) => line.push_str(" RET=FULL"),
            Some(Return::Headers) => line.push_str(" RET=HDRS"),
        }
        if let Some(envid) = &self.envid {
            line.push_str(&format!(" ENVID={envid}"));
        }
        line.push_str("\r\n");
        line
    }
}

/// RCPT; what the server supposes anyway is not said.
fn rcpt((address, notify): &(Address, Notify)) -> String {
    if *notify == Notify::default() {
        return format!("RCPT TO:<{address}>\r\n");
    }
    let words = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
    let wanted: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    let wanted = if wanted.is_empty() { String::from("NEVER") } else { wanted.join(",") };
    format!("RCPT TO:<{address}> NOTIFY={wanted}\r\n")
}

/// What a client does, and what it learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAct {
    /// Puts octets on its connection.
    Say(Vec<u8>),
    /// Ends its connection.
    Close,
    /// The content of a message is on its way: from here on it may be accepted.
    Offered {
        /// Which message.
        token: Token,
        /// The envelope, with the recipients that the server took, in order.
        letter: Letter,
    },
    /// The final reply: a promise (2yz), or none.
    Answered {
        /// Which message.
        token: Token,
        /// The reply.
        code: u16,
        /// Its text.
        text: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Greeting,
    Hello,
    Sender,
    Recipient(usize),
    Data,
    Content,
    Reset,
    Quit,
}

/// One client and its connection.
#[derive(Clone, Debug)]
pub struct Client {
    number: usize,
    drafts: VecDeque<Draft>,
    /// Says MAIL, RCPT and DATA in one breath.
    pipelines: bool,
    /// Says these lines and listens to nothing.
    noise: Vec<Vec<u8>>,
    expected: VecDeque<Expected>,
    taken: Vec<(Address, Notify)>,
    buffer: Vec<u8>,
    over: bool,
}

impl Client {
    /// A client that sends `drafts`, one after the other.
    #[must_use]
    pub fn new(number: usize, drafts: Vec<Draft>, pipelines: bool) -> Self {
        Self {
            number,
            drafts: drafts.into(),
            pipelines,
            noise: Vec::new(),
            expected: VecDeque::from([Expected::Greeting]),
            taken: Vec::new(),
            buffer: Vec::new(),
            over: false,
        }
    }

    /// A client that says `lines` after the greeting, whatever is answered.
    #[must_use]
    pub fn noise(number: usize, lines: Vec<Vec<u8>>) -> Self {
        Self { noise: lines, ..Self::new(number, Vec::new(), false) }
    }

    /// How rows call it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("client{}", self.number)
    }

    /// Whether its conversation has ended.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// The connection is gone: what was not answered stays unknown.
    pub fn lost(&mut self) {
        self.over = true;
    }

    /// Takes octets from the connection.
    pub fn take(&mut self, octets: &[u8]) -> Vec<ClientAct> {
        let mut acts = Vec::new();
        self.buffer.extend_from_slice(octets);
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let is_last = line.get(3).is_none_or(|octet| *octet != b'-');
            let text = String::from_utf8_lossy(&line[..end]).into_owned();
            if is_last && !self.over {
                let code = text.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
                self.reply(code, &text, &mut acts);
            }
        }
        acts
    }

    fn reply(&mut self, code: u16, text: &str, acts: &mut Vec<ClientAct>) {
        let Some(expected) = self.expected.pop_front() else { return };
        if !self.noise.is_empty() {
            let lines = core::mem::take(&mut self.noise);
            acts.push(ClientAct::Say(lines.concat()));
            // From here on every reply is ignored, and the last line was QUIT.
            self.expected.clear();
            return;
        }
        let is_good = (200..300).contains(&code);
        match expected {
            Expected::Greeting if is_good => {
                self.say(acts, b"EHLO client.example\r\n", Expected::Hello)
            }
            Expected::Greeting | Expected::Quit => self.close(acts),
            Expected::Hello if is_good => self.next_draft(acts),
            Expected::Hello => self.quit(acts),
            Expected::Sender if !is_good && !self.pipelines => self.skip(acts),
            Expected::Sender => self.after(acts, Some(0)),
            Expected::Recipient(place) => {
                if is_good && let Some(draft) = self.drafts.front() {
                    self.taken.push(draft.letter.recipients[place].clone());
                }
                self.after(acts, Some(place + 1));
            }
            Expected::Data if code == 354 => self.content(acts),
            Expected::Data => self.skip(acts),
            Expected::Content => {
                if let Some(draft) = self.drafts.pop_front() {
                    let text = String::from(text);
                    acts.push(ClientAct::Answered { token: draft.token, code, text });
                }
                self.next_draft(acts);
            }
            Expected::Reset => self.next_draft(acts),
        }
    }

    /// Without pipelining, says what comes after MAIL or a RCPT.
    fn after(&mut self, acts: &mut Vec<ClientAct>, place: Option<usize>) {
        if self.pipelines {
            return;
        }
        let (Some(place), Some(draft)) = (place, self.drafts.front()) else { return };
        if let Some(recipient) = draft.letter.recipients.get(place) {
            let line = rcpt(recipient);
            self.say(acts, line.as_bytes(), Expected::Recipient(place));
        } else if self.taken.is_empty() {
            self.skip(acts);
        } else {
            self.say(acts, b"DATA\r\n", Expected::Data);
        }
    }

    fn next_draft(&mut self, acts: &mut Vec<ClientAct>) {
        self.taken.clear();
        let Some(draft) = self.drafts.front() else { return self.quit(acts) };
        let mut lines = draft.letter.mail();
        let count = if self.pipelines { draft.letter.recipients.len() } else { 0 };
        draft.letter.recipients[..count].iter().for_each(|taken| lines.push_str(&rcpt(taken)));
        self.expected.push_back(Expected::Sender);
        if self.pipelines {
            lines.push_str("DATA\r\n");
            self.expected.extend((0..count).map(Expected::Recipient));
            self.expected.push_back(Expected::Data);
        }
        acts.push(ClientAct::Say(lines.into_bytes()));
    }

    fn content(&mut self, acts: &mut Vec<ClientAct>) {
        let Some(draft) = self.drafts.front() else { return self.close(acts) };
        let letter = Letter { recipients: self.taken.clone(), ..draft.letter.clone() };
        let offered = ClientAct::Offered { token: draft.token, letter };
        let content = stuffed(&draft.content);
        acts.push(offered);
        self.say(acts, &content, Expected::Content);
    }

    /// Gives the message at hand up; it was never offered.
    fn skip(&mut self, acts: &mut Vec<ClientAct>) {
        self.drafts.pop_front();
        self.expected.clear();
        self.say(acts, b"RSET\r\n", Expected::Reset);
    }

    fn quit(&mut self, acts: &mut Vec<ClientAct>) {
        self.say(acts, b"QUIT\r\n", Expected::Quit);
    }

    fn close(&mut self, acts: &mut Vec<ClientAct>) {
        self.over = true;
        acts.push(ClientAct::Close);
    }

    fn say(&mut self, acts: &mut Vec<ClientAct>, octets: &[u8], expected: Expected) {
        acts.push(ClientAct::Say(octets.to_vec()));
        self.expected.push_back(expected);
    }
}

/// Text as `DATA` carries it: dots stuffed, ended by `<CRLF>.<CRLF>`.
#[must_use]
pub fn stuffed(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 8);
    let mut at_start = true;
    for octet in octets {
        if at_start && *octet == b'.' {
            out.push(b'.');
        }
        out.push(*octet);
        at_start = *octet == b'\n';
    }
    if !at_start {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}
