//! Goes over the record of a conversation, step by step, as it was held.

use std::collections::BTreeMap;

use super::{
    FrameWant, LINK, Likeness, QUIET, Script, Step, Terms, leads, not_offered, parse_frame,
    secures, securing,
};
use crate::case::Findings;
use crate::event::{Event, How, Way};
use crate::net::Port;
use crate::smtp::{Parsed, Reply, Want, parse_reply, queue_id};
use crate::transcript::{Stream, Transcript};

impl Script {
    /// Why the record of the conversation shows that the case does not apply, if it does: at the reply
    /// with which the conversation ended, the server had not offered what the case uses.
    pub(crate) fn unoffered(&self, transcript: &Transcript<'_>) -> Option<String> {
        let mut cursor = self.cursor(transcript);
        cursor.go(&self.steps, &mut Replies::new(), &mut Findings::default());
        cursor.terms.missing(self).map(|missing| not_offered(&missing))
    }

    /// At the beginning of its only connection.
    fn cursor<'a>(&self, transcript: &'a Transcript<'a>) -> Cursor<'a> {
        Cursor::new(transcript, LINK, self.place.port)
    }

    /// Judges the record.
    pub(crate) fn judge(&self, transcript: &Transcript<'_>, findings: &mut Findings) {
        let mut cursor = self.cursor(transcript);
        if cursor.go(&self.steps, &mut Replies::new(), findings) {
            cursor.quiet(findings);
        }
    }
}

/// The replies of a case, by the check that judged them, each with its record.
pub(crate) type Replies = BTreeMap<String, (Reply, u64)>;

/// How far the judge is on one connection.
pub(crate) struct Cursor<'a> {
    link: String,
    transcript: &'a Transcript<'a>,
    back: Stream,
    sent: Vec<u64>,
    place: usize,
    sends: usize,
    last_send: u64,
    terms: Terms,
    /// Whether STARTTLS is said where a step has both sides prove their names.
    secures: bool,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a connection.
    pub(crate) fn new(transcript: &'a Transcript<'a>, link: &str, port: Port) -> Self {
        // The record of each sending.
        let mut sent = transcript.stream(link, Way::Forward).numbers;
        sent.dedup();
        Self {
            transcript,
            back: transcript.stream(link, Way::Back),
            sent,
            place: 0,
            sends: 0,
            link: link.to_owned(),
            secures: secures(port, transcript.security()),
            // Only a bare target has no way in which members prove their names.
            terms: Terms::new(transcript.security().is_none()),
            last_send: transcript.attempts(link).first().map_or(u64::MAX, |open| open.n),
        }
    }

    /// Goes over some steps; `false` where the conversation went astray.
    pub(crate) fn go(
        &mut self,
        steps: &[Step],
        replies: &mut Replies,
        findings: &mut Findings,
    ) -> bool {
        steps.iter().all(|step| match step {
            Step::Send(octets) => {
                self.terms.ask(octets);
                self.next_send()
            }
            Step::Refused(check, _, want) => self.refused(check, want, replies, findings),
            Step::Secure(check, _) => self.secure(check, findings),
            Step::Barred(check, tries) => self.barred(check, tries, replies, findings),
            Step::Same(check, ends, same) => judge_same(check, ends, *same, replies, findings),
            Step::Reply(check, want) => self.reply(check, want, replies, findings),
            Step::Repeat(check, _, times, want) => {
                (0..*times).all(|_| self.next_send() && self.reply(check, want, replies, findings))
            }
            Step::Series(check, lines) => lines.iter().all(|(line, want)| {
                (line.is_empty() || self.next_send()) && self.reply(check, want, replies, findings)
            }),
            Step::Frame(check, want) => self.frame(check, want, findings),
            Step::Closed(check, any) => self.closed(check, *any, findings),
        })
    }

    fn next_send(&mut self) -> bool {
        let Some(n) = self.sent.get(self.sends) else { return false };
        self.last_send = *n;
        self.sends += 1;
        true
    }

    /// Goes over the dialogue of STARTTLS. That it went well shows in what comes after it.
    fn secure(&mut self, check: &str, findings: &mut Findings) -> bool {
        if !self.secures {
            return true;
        }
        let goes_on = securing().iter().all(|(line, want)| {
            let mut found = Findings::default();
            self.terms.ask(line);
            let goes_on =
                self.next_send() && self.reply(check, want, &mut Replies::new(), &mut found);
            if !goes_on {
                findings.merge(found);
            }
            goes_on
        });
        if goes_on {
            self.terms.secured();
        }
        goes_on
    }

    fn barred(
        &mut self,
        check: &str,
        tries: &[(String, Want)],
        replies: &mut Replies,
        findings: &mut Findings,
    ) -> bool {
        for (line, want) in tries {
            if !line.is_empty() && !self.next_send() {
                return false;
            }
            let rest = &self.back.octets[self.place..];
            let end = self.transcript.end(&self.link, Way::Back);
            if let (true, Some((n, _))) = (rest.is_empty(), end) {
                findings.holds(check, "the connection was ended", &[n]);
                return true;
            }
            if !self.reply(check, want, replies, findings) {
                return false;
            }
        }
        true
    }

    fn reply(
        &mut self,
        check: &str,
        want: &Want,
        replies: &mut Replies,
        findings: &mut Findings,
    ) -> bool {
        match parse_reply(&self.back.octets[self.place..]) {
            Parsed::Reply(reply, used) => {
                self.terms.hear(&reply);
                let holds = self.replied(check, want, &reply, used, findings);
                let last = self.back.numbers[self.place - 1];
                replies.insert(check.to_owned(), (reply, last));
                holds
            }
            Parsed::More => self.nothing(check, findings),
            Parsed::Malformed(problem) => {
                findings.fails(check, problem, &self.evidence(1));
                false
            }
        }
    }

    fn refused(
        &mut self,
        check: &str,
        want: &Want,
        replies: &mut Replies,
        findings: &mut Findings,
    ) -> bool {
        if let Parsed::Reply(reply, used) = parse_reply(&self.back.octets[self.place..])
            && reply.code == 354
        {
            self.place += used;
            if !self.next_send() {
                return false;
            }
        }
        self.reply(check, want, replies, findings)
    }

    fn replied(
        &mut self,
        check: &str,
        want: &Want,
        reply: &Reply,
        used: usize,
        findings: &mut Findings,
    ) -> bool {
        let evidence = self.evidence(used);
        let early = evidence.first().is_some_and(|n| *n < self.last_send);
        let problem = if early {
            Some(format!("`{}` came before it was asked for", reply.show()))
        } else {
            let problem = self.terms.want(want).problem(reply);
            problem.map(|problem| format!("{problem}{}", self.asked()))
        };
        self.place += used;
        match &problem {
            Some(problem) => findings.fails(check, problem.clone(), &evidence),
            None => findings.holds(check, format!("`{}`", reply.show()), &evidence),
        }
        problem.is_none()
    }

    /// What the suite had said last, as far as it is one line.
    fn asked(&self) -> String {
        /// The most characters of it.
        const SHOWN: usize = 60;
        let said = self.transcript.records().iter().find(|record| record.n == self.last_send);
        let Some(Event::Octets { data, .. }) = said.map(|record| &record.event) else {
            return String::new();
        };
        let text = String::from_utf8_lossy(&data.bytes()).into_owned();
        match text.strip_suffix("\r\n").filter(|line| !line.contains(['\r', '\n'])) {
            Some(line) => {
                let shown: String = line.chars().take(SHOWN).collect();
                let rest = if shown.len() < line.len() { "…" } else { "" };
                format!(" to `{shown}{rest}`")
            }
            None => format!(" to the {} octets of record {}", data.bytes().len(), self.last_send),
        }
    }

    fn frame(&mut self, check: &str, want: &FrameWant, findings: &mut Findings) -> bool {
        match parse_frame(&self.back.octets[self.place..]) {
            Ok(Some((content, used))) => {
                let evidence = self.evidence(used);
                self.place += used;
                let shown = String::from_utf8_lossy(&content).into_owned();
                let begins = self.expected(&want.begins, &evidence);
                let holds = content.starts_with(begins.as_bytes());
                findings.is(check, holds, &format!("frame `{}`", shown.trim_end()), &evidence);
                holds
            }
            Ok(None) => self.nothing(check, findings),
            Err(problem) => {
                findings.fails(check, problem, &self.evidence(1));
                false
            }
        }
    }

    /// How a frame must begin: with the term that the node had told by then, where that stands in it.
    fn expected(&self, begins: &str, evidence: &[u64]) -> String {
        if !leads::names(begins) {
            return begins.to_owned();
        }
        let until = evidence.last().copied().unwrap_or_default();
        let term = leads::told(self.transcript, until).unwrap_or_default();
        begins.replace(leads::THEIR_TERM, &term)
    }

    fn closed(&self, check: &str, any: bool, findings: &mut Findings) -> bool {
        if self.place < self.back.octets.len() {
            let rest = String::from_utf8_lossy(&self.back.octets[self.place..]);
            findings.fails(check, format!("expected the end, got `{}`", rest.trim_end()), &[]);
            return false;
        }
        match self.transcript.end(&self.link, Way::Back) {
            Some((n, _)) if n < self.last_send => {
                findings.fails(check, "ended before the last line was sent", &[n]);
                false
            }
            Some((n, how)) if how == How::Eof || any => {
                findings.holds(check, "ended", &[n]);
                true
            }
            Some((n, _)) => {
                findings.fails(check, "was reset, expected an end in order", &[n]);
                false
            }
            None => {
                findings.fails(check, "is still open", &[]);
                false
            }
        }
    }

    /// No whole answer came: says which kind of nothing it was.
    fn nothing(&self, check: &str, findings: &mut Findings) -> bool {
        let (problem, evidence) = match self.transcript.end(&self.link, Way::Back) {
            Some((n, How::Eof)) => ("the connection ended instead of an answer", vec![n]),
            Some((n, How::Reset)) => ("the connection was reset instead of an answer", vec![n]),
            None if self.transcript.silent(&self.link) => ("no answer in time", Vec::new()),
            None => ("no answer was waited for", Vec::new()),
        };
        findings.fails(check, problem, &evidence);
        false
    }

    /// Nothing came that was not asked for.
    pub(crate) fn quiet(&self, findings: &mut Findings) {
        if self.place < self.back.octets.len() {
            let rest = String::from_utf8_lossy(&self.back.octets[self.place..]);
            findings.fails(QUIET, format!("unsolicited: `{}`", rest.trim_end()), &[]);
        } else {
            // Whoever throws a stranger out says nothing but the end.
            let end = || self.transcript.end(&self.link, Way::Back).map(|(n, _)| n);
            let last = self.back.numbers.last().copied().or_else(end);
            findings.shown(QUIET, last, "nothing came at all");
        }
    }

    fn evidence(&self, used: usize) -> Vec<u64> {
        let end = (self.place + used).min(self.back.numbers.len());
        let mut numbers = self.back.numbers[self.place..end].to_vec();
        numbers.dedup();
        numbers
    }
}

/// Whether two replies name the same queue id, or different ones.
fn judge_same(
    check: &str,
    (one, other): &(String, String),
    how: Likeness,
    replies: &Replies,
    findings: &mut Findings,
) -> bool {
    let (Some((one, n)), Some((other, m))) = (replies.get(one), replies.get(other)) else {
        return false;
    };
    if how == Likeness::Words {
        let holds = one == other;
        findings.is(check, holds, &format!("`{}` and `{}`", one.show(), other.show()), &[*n, *m]);
        return holds;
    }
    let ids = (queue_id(one), queue_id(other));
    let wanted = how == Likeness::Id;
    let holds = ids.0.is_some() && ids.1.is_some() && (ids.0 == ids.1) == wanted;
    findings.is(check, holds, &format!("the ids {:?} and {:?}", ids.0, ids.1), &[*n, *m]);
    holds
}
