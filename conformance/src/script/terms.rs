//! What a conversation may ask of the server that it talks to.
//!
//! A member must offer what its specification names; a bare target has promised RFC 5321 and no more. So
//! there a step that uses an extension applies only where EHLO offered it, and a reply has an enhanced
//! status only where the server said that its replies have one.

use super::{Script, Step};
use crate::net::Port;
use crate::smtp::{Reply, Want, keywords, starts_with};

/// The extension that puts a status into every reply.
const STATUS_CODES: &str = "ENHANCEDSTATUSCODES";

/// The terms of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    bare: bool,
    /// The last octets that went out.
    asked: Vec<u8>,
    /// The keywords that EHLO was answered by, in upper case; nothing before that.
    offered: Option<Vec<String>>,
    /// TLS has begun, and its extension is used up.
    secured: bool,
}

impl Terms {
    /// Of a connection that has just been opened.
    pub(crate) fn new(bare: bool) -> Self {
        Self { bare, ..Self::default() }
    }

    /// Takes note of what goes out.
    pub(crate) fn ask(&mut self, octets: &[u8]) {
        self.asked = octets.to_vec();
    }

    /// Takes note of a reply.
    pub(crate) fn hear(&mut self, reply: &Reply) {
        let asked = core::mem::take(&mut self.asked);
        if reply.code == 250 && starts_with(&String::from_utf8_lossy(&asked), "EHLO") {
            self.offered =
                Some(reply.lines.iter().skip(1).flat_map(|line| keywords(line)).collect());
        }
    }

    /// TLS has begun: what was offered in clear is void.
    pub(crate) fn secured(&mut self) {
        self.secured = true;
        self.offered = None;
    }

    /// What a reply must be here.
    pub(crate) fn want(&self, want: &Want) -> Want {
        let has_status = self.offers(STATUS_CODES) == Some(true);
        if self.bare { want.clone().of_anyone(has_status) } else { want.clone() }
    }

    /// The first extension that the script uses and this server has not offered.
    pub(crate) fn missing(&self, script: &Script) -> Option<String> {
        let is_used_up = |word: &str| self.secured && word == "STARTTLS";
        let lacks =
            |word: &String| self.bare && self.offers(word) == Some(false) && !is_used_up(word);
        script.extensions().into_iter().find(lacks)
    }

    fn offers(&self, word: &str) -> Option<bool> {
        self.offered.as_ref().map(|offered| offered.iter().any(|keyword| keyword == word))
    }
}

/// Why a case does not apply to a server that lacks an extension.
pub(crate) fn not_offered(extension: &str) -> String {
    format!("the target does not offer {extension}")
}

impl Script {
    /// The extensions that its steps use or ask for.
    fn extensions(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for (place, step) in self.steps.iter().enumerate() {
            match step {
                Step::Send(octets) | Step::Repeat(_, octets, ..) => {
                    words.extend(used(octets).into_iter().map(str::to_owned));
                }
                Step::Reply(_, want) => words.extend(want.keywords().iter().cloned()),
                Step::Secure(..) if self.place.port == Port::Submission => {
                    words.push("STARTTLS".into());
                }
                _ => {}
            }
            if let [Step::Send(_), Step::Reply(..), Step::Reply(..)] =
                self.steps.get(place..place + 3).unwrap_or_default()
            {
                words.push("PIPELINING".into());
            }
        }
        words
    }
}

/// The extensions that the parameters of MAIL and RCPT among some lines belong to.
fn used(octets: &[u8]) -> Vec<&'static str> {
    let text = String::from_utf8_lossy(octets);
    let mut used = Vec::new();
    for line in text.lines().filter(|line| starts_with(line, "MAIL ") || starts_with(line, "RCPT "))
    {
        // What stands behind the path; a parameter that clings to it is an error of syntax anywhere.
        let behind = line.rsplit_once('>').map_or("", |(_, behind)| behind);
        for word in behind.split(' ') {
            let name = word.split('=').next().unwrap_or_default().to_ascii_uppercase();
            used.extend(match name.as_str() {
                "SIZE" => Some("SIZE"),
                "BODY" => Some("8BITMIME"),
                "SMTPUTF8" => Some("SMTPUTF8"),
                "RET" | "ENVID" | "NOTIFY" | "ORCPT" => Some("DSN"),
                _ => None,
            });
        }
    }
    used
}
