//! What the reply to EHLO or LHLO offers.

use alloc::format;
use alloc::string::String;

use serde::Serialize;

use super::reply::Reply;
use crate::wire::parse::decimal;

/// The extensions that this implementation offers or makes use of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Extensions {
    /// `PIPELINING` (RFC 2920).
    pub pipelining: bool,
    /// `SIZE` (RFC 1870): zero is no stated limit.
    pub size: Option<u64>,
    /// `8BITMIME` (RFC 6152).
    pub eight_bit_mime: bool,
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// `ENHANCEDSTATUSCODES` (RFC 2034).
    pub enhanced_status_codes: bool,
    /// `DSN` (RFC 3461).
    pub dsn: bool,
    /// `CHUNKING` (RFC 3030).
    pub chunking: bool,
    /// `STARTTLS` (RFC 3207).
    pub starttls: bool,
    /// `AUTH PLAIN LOGIN` (RFC 4954).
    pub auth: bool,
    /// `X-SUBMIT`: hand-over between members.
    pub submit: bool,
    /// `RESUME` behind it: a body that broke off can be gone on with.
    pub resume: bool,
    /// `X-LINK2STATE`: news of links.
    pub link2state: bool,
    /// `X-DELIVER`: results by recipient index.
    pub deliver: bool,
    /// `X-DELIVER ARRIVED`: and XARRIVED is understood.
    pub arrived: bool,
}

impl Extensions {
    /// The reply to EHLO or LHLO: the server's name, then one keyword a line.
    #[must_use]
    pub fn reply(&self, greeting: &str) -> Reply {
        let mut text = String::from(greeting);
        let mut offer = |offered: bool, keyword: &str| {
            if offered {
                text.push('\n');
                text.push_str(keyword);
            }
        };
        offer(self.pipelining, "PIPELINING");
        offer(self.size.is_some(), &format!("SIZE {}", self.size.unwrap_or_default()));
        offer(self.eight_bit_mime, "8BITMIME");
        offer(self.smtputf8, "SMTPUTF8");
        offer(self.enhanced_status_codes, "ENHANCEDSTATUSCODES");
        offer(self.dsn, "DSN");
        offer(self.chunking, "CHUNKING");
        offer(self.starttls, "STARTTLS");
        offer(self.auth, "AUTH PLAIN LOGIN");
        offer(self.submit, if self.resume { "X-SUBMIT RESUME" } else { "X-SUBMIT" });
        offer(self.link2state, "X-LINK2STATE");
        offer(self.deliver && !self.arrived, "X-DELIVER");
        offer(self.deliver && self.arrived, "X-DELIVER ARRIVED");
        Reply::plain(250, &text)
    }

    /// What the lines behind the first one of a reply offer. Keywords that nobody here knows are
    /// passed over, as RFC 5321 asks.
    #[must_use]
    pub fn of(reply: &Reply) -> Self {
        let mut found = Self::default();
        for line in &reply.lines()[1..] {
            let mut words = line.split(' ');
            let keyword = words.next().unwrap_or_default();
            match keyword.to_ascii_uppercase().as_str() {
                "PIPELINING" => found.pipelining = true,
                "SIZE" => found.size = Some(words.next().and_then(decimal).unwrap_or(0)),
                "8BITMIME" => found.eight_bit_mime = true,
                "SMTPUTF8" => found.smtputf8 = true,
                "ENHANCEDSTATUSCODES" => found.enhanced_status_codes = true,
                "DSN" => found.dsn = true,
                "CHUNKING" => found.chunking = true,
                "STARTTLS" => found.starttls = true,
                "AUTH" => found.auth = true,
                "X-SUBMIT" => {
                    found.submit = true;
                    found.resume = words.any(|word| word.eq_ignore_ascii_case("RESUME"));
                }
                "X-LINK2STATE" => found.link2state = true,
                "X-DELIVER" => {
                    found.deliver = true;
                    found.arrived = words.any(|word| word.eq_ignore_ascii_case("ARRIVED"));
                }
                _ => {}
            }
        }
        found
    }
}
