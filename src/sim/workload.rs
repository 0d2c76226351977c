//! What the clients of a run do: mails of all kinds, and noise without structure.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::client::{Client, Draft, Letter};
use super::draw::Dice;
use super::network::{End, HostIndex, Target};
use super::outside::{BUSY, REFUSED, UNWANTED};
use super::token::Token;
use super::world::{Happening, World};
use crate::kernel::Span;
use crate::protocol::member::Port;
use crate::protocol::organization::Organization;
use crate::wire::message::{Address, Notify, Return};

/// The workload of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// How many more clients come.
    pub clients: u32,
    /// Between one client and the next.
    pub every: RangeInclusive<Span>,
    /// One in so many clients talks noise.
    pub noise_one_in: u32,
    /// One in so many bodies is larger than what rides with a change.
    pub large_one_in: u32,
}

/// Where the addresses are that no member knows.
const OUTSIDE_DOMAIN: &str = "outside.test";

/// The words from which noise is made.
const WORDS: &[&str] = &[
    "EHLO x",
    "HELO x",
    "LHLO x",
    "MAIL FROM:<>",
    "MAIL FROM:<a@b> SIZE=9",
    "RCPT TO:<postmaster>",
    "DATA",
    ".",
    "",
    "RSET",
    "NOOP",
    "VRFY a",
    "STARTTLS",
    "BDAT 3 LAST",
    "X-SUBMIT HELLO MEMBER=rg1-a",
    "X-SUBMIT COMMIT ID=rg1-a/0000000000000000/0 OFFER=0",
    "X-LINK2STATE FIRST CHUNK={0000000a}",
    "X-LINK2STATE LAST CHUNK=x",
    "Subject: noise",
    "AUTH PLAIN",
    "\u{fffd}\u{0}",
];

impl Workload {
    /// Draws the workload of a run of this length.
    pub fn draw(dice: &mut Dice<'_>, span: Span) -> Self {
        let clients = 5 + dice.below("workload.clients", 20);
        let mean = span.0 / u64::from(clients);
        let noise_one_in = *dice.pick("workload.noise", &[0, 10, 4]).unwrap_or(&0);
        let large_one_in = *dice.pick("workload.large", &[0, 0, 20]).unwrap_or(&0);
        Self { clients, every: Span::ZERO..=Span(mean), noise_one_in, large_one_in }
    }

    /// No clients but those of a script.
    #[must_use]
    pub const fn none() -> Self {
        Self { clients: 0, every: Span::ZERO..=Span::ZERO, noise_one_in: 0, large_one_in: 0 }
    }
}

impl World<'_> {
    /// The next client comes.
    pub(super) fn workload(&mut self) {
        if self.plan.clients == 0 {
            return;
        }
        self.plan.clients -= 1;
        let plan = self.plan.clone();
        let bound = u32::try_from(self.hosts.len()).expect("members are few");
        let mut dice = self.dice();
        let host = dice.below("workload.member", bound) as usize;
        let is_noise = dice.strikes("workload.noise.client", plan.noise_one_in);
        let next = dice.span("workload.next", &plan.every);
        let client = if is_noise {
            Client::noise(self.clients.len(), noise(&mut self.dice()))
        } else {
            let drafts = 1 + self.dice().below("workload.drafts", 3);
            let drafts = (0..drafts).map(|_| self.draft()).collect();
            let pipelines = self.dice().below("workload.pipelines", 2) == 1;
            Client::new(self.clients.len(), drafts, pipelines)
        };
        self.come(client, host);
        self.schedule(next, Happening::Workload);
    }

    /// A client connects to a member's SMTP port.
    pub fn come(&mut self, client: Client, host: HostIndex) {
        let number = self.clients.len();
        self.clients.push(client);
        self.connect(End::Client(number), Target::Member(host, Port::Smtp));
    }

    fn draft(&mut self) -> Draft {
        let token = self.checkers.name_message();
        let organization = alloc::sync::Arc::clone(&self.hosts[0].config.organization);
        let large_one_in = self.plan.large_one_in;
        let mut dice = self.dice();
        let sender = draw_sender(&mut dice, &organization, token);
        let count = 1 + dice.below("workload.recipients", 3);
        let mut recipients: Vec<(Address, Notify)> = Vec::new();
        for _ in 0..count {
            let address = draw_recipient(&mut dice, &organization, token);
            let notify = draw_notify(&mut dice);
            if recipients.iter().all(|(known, _)| *known != address) {
                recipients.push((address, notify));
            }
        }
        let ret = [None, Some(Return::Full), Some(Return::Headers)];
        let ret = dice.pick("workload.ret", &ret).copied().flatten();
        let envid = dice.strikes("workload.envid", 2).then(|| format!("envelope-{token}"));
        let lines = match dice.strikes("workload.large.body", large_one_in) {
            true => 5_000,
            false => dice.below("workload.lines", 10),
        };
        let letter = Letter { sender, recipients, ret, envid };
        Draft { token, letter, content: content(token, lines) }
    }
}

/// An address of `domain` that no other message has.
fn only_here(kind: &str, token: Token, domain: &str) -> Address {
    Address(format!("{kind}{token}@{domain}"))
}

fn draw_account(dice: &mut Dice<'_>, organization: &Organization) -> Address {
    let account = dice.pick("workload.account", &organization.accounts);
    account.map_or_else(|| Address::from("postmaster"), |account| account.address.clone())
}

/// Mostly somebody who reads notices; now and then nobody, or somebody whom they do not reach.
fn draw_sender(dice: &mut Dice<'_>, organization: &Organization, token: Token) -> Option<Address> {
    let domain = organization.domains.first().map_or("", String::as_str);
    match dice.below("workload.sender", 16) {
        13 => Some(only_here("stranger-", token, domain)),
        14 => Some(only_here("sender-", token, OUTSIDE_DOMAIN)),
        15 => Some(only_here(&format!("{REFUSED}sender-"), token, OUTSIDE_DOMAIN)),
        11 | 12 => None,
        _ => Some(draw_account(dice, organization)),
    }
}

/// Mostly an account; now and then nobody, or somebody outside.
fn draw_recipient(dice: &mut Dice<'_>, organization: &Organization, token: Token) -> Address {
    let domain = organization.domains.first().map_or("", String::as_str);
    match dice.below("workload.recipient", 16) {
        10 => only_here("stranger-", token, domain),
        11 | 12 => only_here("friend-", token, OUTSIDE_DOMAIN),
        13 => only_here(REFUSED, token, OUTSIDE_DOMAIN),
        14 => only_here(BUSY, token, OUTSIDE_DOMAIN),
        15 => only_here(UNWANTED, token, OUTSIDE_DOMAIN),
        _ => draw_account(dice, organization),
    }
}

fn draw_notify(dice: &mut Dice<'_>) -> Notify {
    const fn on(success: bool, failure: bool, delay: bool) -> Notify {
        Notify { success, failure, delay }
    }
    let all = [
        on(false, true, true),
        on(false, true, true),
        on(true, true, true),
        on(true, false, false),
        on(false, true, false),
        on(false, false, true),
        on(true, true, false),
        on(false, false, false),
    ];
    dice.pick("workload.notify", &all).copied().unwrap_or_default()
}

/// Header and text of a message; some lines begin with a dot.
#[must_use]
pub fn content(token: Token, lines: u32) -> Vec<u8> {
    let mut text = token.line();
    text.push_str(&format!("Subject: {token}\r\n\r\n"));
    for line in 0..lines {
        let dots = ".".repeat((line % 3) as usize);
        text.push_str(&format!(
            "{dots}line {line} of a message that was made up by the simulator\r\n"
        ));
    }
    text.into_bytes()
}

/// Lines without structure, and good-bye.
fn noise(dice: &mut Dice<'_>) -> Vec<Vec<u8>> {
    let count = 1 + dice.below("noise.count", 12);
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for _ in 0..count {
        let mut line = String::from(*dice.pick("noise.word", WORDS).unwrap_or(&""));
        if dice.strikes("noise.long", 12) {
            line.push_str(&"x".repeat(2_000));
        }
        let mut line = line.into_bytes();
        if dice.strikes("noise.octet", 6) {
            line.push(u8::try_from(dice.below("noise.value", 256)).unwrap_or(0));
        }
        let end: &[u8] =
            dice.pick("noise.end", &[&b"\r\n"[..], b"\r\n", b"\n", b"\r"]).unwrap_or(&&b""[..]);
        line.extend_from_slice(end);
        lines.push(line);
    }
    lines.push(b"\r\n.\r\nQUIT\r\n".to_vec());
    lines
}
