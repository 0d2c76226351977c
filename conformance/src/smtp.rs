//! SMTP as the suite reads it: replies, strictly by RFC 5321 section 4.2.

/// A reply of one or more lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The three digits.
    pub(crate) code: u16,
    /// The text of each line, without code and separator.
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// The enhanced status code of RFC 3463, if the last line begins with one.
    pub(crate) fn status(&self) -> Option<&str> {
        let word = self.lines.last()?.split(' ').next()?;
        let mut parts = word.split('.');
        let is_number =
            |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let right = matches!(class, "2" | "4" | "5") && is_number(subject) && is_number(detail);
        (right && parts.next().is_none()).then_some(word)
    }

    /// As one line, for people.
    pub(crate) fn show(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" / "))
    }
}

/// The value of `NAME=value` among the words of a line.
pub(crate) fn parameter<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|word| {
        let (key, value) = word.split_once('=')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Whether a line begins with a prefix, compared without case.
pub(crate) fn starts_with(line: &str, prefix: &str) -> bool {
    line.as_bytes()
        .get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// What stands at the beginning of some octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A reply, and how many octets it took.
    Reply(Reply, usize),
    /// The beginning of one.
    More,
    /// No reply.
    Malformed(String),
}

/// The longest reply line that RFC 5321 section 4.5.3.1.5 allows, with room for `X-LINK2STATE`.
const LINE_LIMIT: usize = 1_024;

/// Reads a reply.
pub(crate) fn parse_reply(octets: &[u8]) -> Parsed {
    let mut reply: Option<Reply> = None;
    let mut used = 0;
    loop {
        let rest = &octets[used..];
        let Some(end) = rest.iter().position(|octet| *octet == b'\n') else {
            return if rest.len() > LINE_LIMIT {
                Parsed::Malformed("a reply line of more than 1,024 octets".into())
            } else {
                Parsed::More
            };
        };
        let line = &rest[..end];
        used += end + 1;
        let show = || String::from_utf8_lossy(line).into_owned();
        let Some((code, last, text)) = parse_line(line) else {
            return Parsed::Malformed(format!("`{}` is no reply line", show()));
        };
        let reply = reply.get_or_insert_with(|| Reply { code, lines: Vec::new() });
        if reply.code != code {
            return Parsed::Malformed(format!("`{}` changes the code within a reply", show()));
        }
        reply.lines.push(text);
        if last {
            return Parsed::Reply(reply.clone(), used);
        }
    }
}

fn parse_line(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = line.strip_suffix(b"\r")?;
    if line.len() > LINE_LIMIT - 2 || line.contains(&b'\r') {
        return None;
    }
    let (digits, rest) = line.split_at_checked(3)?;
    let in_range = (b'2'..=b'5').contains(&digits[0])
        && (b'0'..=b'5').contains(&digits[1])
        && digits[2].is_ascii_digit();
    if !in_range {
        return None;
    }
    let code = core::str::from_utf8(digits).ok()?.parse().ok()?;
    let (last, text) = match rest.split_first() {
        None => (true, &[][..]),
        Some((b' ', text)) => (true, text),
        Some((b'-', text)) => (false, text),
        Some(_) => return None,
    };
    Some((code, last, core::str::from_utf8(text).ok()?.to_owned()))
}

/// What a reply must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Want {
    codes: Vec<u16>,
    class: Option<u16>,
    status: Option<String>,
    any_status: bool,
    keyword: Vec<String>,
    lacks: Vec<String>,
    queue_id: bool,
    last: Option<String>,
    /// Codes that a server which follows the RFCs alone may choose as well.
    others: Vec<u16>,
}

impl Want {
    /// Exactly one of these codes.
    pub(crate) fn codes(codes: &[u16]) -> Self {
        assert!(!codes.is_empty(), "a reply with unmatched code proves nothing");
        Self { codes: codes.to_vec(), ..Self::default() }
    }

    /// Whether nothing but a refusal is wanted.
    pub(crate) fn refuses(&self) -> bool {
        let refusal = |code: &u16| (400..600).contains(code);
        let by_code = !self.codes.is_empty() && self.codes.iter().all(refusal);
        by_code || self.class.is_some_and(|class| class >= 4)
    }

    /// Exactly this code.
    pub(crate) fn code(code: u16) -> Self {
        Self::codes(&[code])
    }

    /// Any code of a class: 2, 3, 4 or 5.
    pub(crate) fn class(class: u16) -> Self {
        assert!((2..=5).contains(&class), "there are four classes");
        Self { class: Some(class), ..Self::default() }
    }

    /// With this enhanced status, or one that begins with it if it ends in a dot.
    pub(crate) fn status(mut self, status: &str) -> Self {
        self.status = Some(status.to_owned());
        self
    }

    /// With some enhanced status of the class of the code.
    pub(crate) const fn any_status(mut self) -> Self {
        self.any_status = true;
        self
    }

    /// With a line whose first word is this.
    pub(crate) fn keyword(mut self, keyword: &str) -> Self {
        self.keyword.push(keyword.to_owned());
        self
    }

    /// Without any line whose first word is this.
    pub(crate) fn lacks(mut self, keyword: &str) -> Self {
        self.lacks.push(keyword.to_owned());
        self
    }

    /// With a word of 16 hexadecimal digits somewhere.
    pub(crate) const fn queue_id(mut self) -> Self {
        self.queue_id = true;
        self
    }

    /// Of a server that has promised the RFCs alone these codes are as good, with a status of their own.
    pub(crate) fn or_of_others(mut self, codes: &[u16]) -> Self {
        self.others.extend(codes);
        self
    }

    /// With this text in the last line.
    pub(crate) fn last(mut self, text: &str) -> Self {
        self.last = Some(text.to_owned());
        self
    }

    /// What of it may be asked of a server that has promised RFC 5321 alone: no queue id and no words of
    /// ours, and a status only where it said that its replies have one.
    pub(crate) fn of_anyone(self, has_status: bool) -> Self {
        let Self { status, any_status, mut codes, others, .. } = self;
        let is_free = !others.is_empty();
        codes.extend(&others);
        let any_status = (any_status || (is_free && status.is_some())) && has_status;
        let status = status.filter(|_| has_status && !is_free);
        Self { status, any_status, codes, others, queue_id: false, last: None, ..self }
    }

    /// The words that lines must begin with.
    pub(crate) fn keywords(&self) -> &[String] {
        &self.keyword
    }

    /// Says what is wrong with a reply.
    pub(crate) fn problem(&self, reply: &Reply) -> Option<String> {
        let seen = reply.show();
        if !self.codes.is_empty() && !self.codes.contains(&reply.code) {
            return Some(format!("expected {}, got `{seen}`", self.show_codes()));
        }
        if let Some(class) = self.class
            && reply.code / 100 != class
        {
            return Some(format!("expected {class}yz, got `{seen}`"));
        }
        let status = reply.status();
        if let Some(wanted) = &self.status {
            let fits = status.is_some_and(|got| {
                got == wanted || (wanted.ends_with('.') && got.starts_with(wanted))
            });
            if !fits {
                return Some(format!("expected enhanced status {wanted}, got `{seen}`"));
            }
        }
        let class = (reply.code / 100).to_string();
        if self.any_status && !status.is_some_and(|got| got.starts_with(&class)) {
            return Some(format!("expected an enhanced status {class}.y.z, got `{seen}`"));
        }
        let has = |word: &str| {
            let mut words = reply.lines.iter().flat_map(|line| keywords(line));
            words.any(|got| got == word.to_ascii_uppercase())
        };
        if let Some(missing) = self.keyword.iter().find(|word| !has(word)) {
            return Some(format!("expected a line `{missing}`, got `{seen}`"));
        }
        if let Some(present) = self.lacks.iter().find(|word| has(word)) {
            return Some(format!("expected no line `{present}`, got `{seen}`"));
        }
        if self.queue_id && queue_id(reply).is_none() {
            return Some(format!("expected a queue id of 16 hexadecimal digits, got `{seen}`"));
        }
        if let Some(text) = &self.last
            && !reply.lines.last().is_some_and(|line| line.contains(text.as_str()))
        {
            return Some(format!("expected `{text}` in the last line, got `{seen}`"));
        }
        None
    }

    fn show_codes(&self) -> String {
        let codes: Vec<_> = self.codes.iter().map(u16::to_string).collect();
        codes.join(" or ")
    }
}

/// The keyword of a line, in upper case; behind AUTH each mechanism with it, as `AUTH PLAIN`.
pub(crate) fn keywords(line: &str) -> Vec<String> {
    let mut words = line.split([' ', '=']).map(str::to_ascii_uppercase);
    let Some(first) = words.next() else { return Vec::new() };
    let is_auth = first == "AUTH";
    let mechanisms = words.filter(|_| is_auth).map(|mechanism| format!("AUTH {mechanism}"));
    let mechanisms: Vec<String> = mechanisms.collect();
    core::iter::once(first).chain(mechanisms).collect()
}

/// The first word of 16 hexadecimal digits, also as `QUEUE=`.
pub(crate) fn queue_id(reply: &Reply) -> Option<String> {
    reply.lines.last()?.split([' ', '=', '<', '>', '(', ')', '[', ']', ',']).find_map(|word| {
        let is_id = word.len() == 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
        is_id.then(|| word.to_owned())
    })
}

impl core::fmt::Display for Want {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.class {
            Some(class) => write!(f, "{class}yz")?,
            None => f.write_str(&self.show_codes())?,
        }
        if let Some(status) = &self.status {
            write!(f, " {status}")?;
        }
        for word in &self.keyword {
            write!(f, " with `{word}`")?;
        }
        for word in &self.lacks {
            write!(f, " without `{word}`")?;
        }
        if self.queue_id {
            f.write_str(" with a queue id")?;
        }
        if let Some(text) = &self.last {
            write!(f, " saying `{text}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Parsed, Want, parse_reply};

    #[test]
    fn a_reply_is_read_strictly() {
        let two = b"250-a.test\r\n250 SIZE 10\r\nrest";
        let Parsed::Reply(reply, used) = parse_reply(two) else { panic!("a reply") };
        assert_eq!((reply.code, reply.lines.len(), used), (250, 2, 25));
        assert_eq!(parse_reply(b"250 hal"), Parsed::More);
        assert_eq!(parse_reply(b"250-a\r\n"), Parsed::More);
        for bad in
            ["250 a\n", "2500 a\r\n", "99 a\r\n", "250-a\r\n550 b\r\n", "QUIT\r\n", "650 a\r\n"]
        {
            let parsed = parse_reply(bad.as_bytes());
            assert!(matches!(parsed, Parsed::Malformed(_)), "{bad:?}: {parsed:?}");
        }
    }

    #[test]
    fn a_want_names_what_is_missing() {
        let Parsed::Reply(reply, _) = parse_reply(b"250 2.1.5 ok 00000000000000af\r\n") else {
            panic!("a reply")
        };
        assert_eq!(Want::code(250).status("2.1.").any_status().queue_id().problem(&reply), None);
        for want in [
            Want::code(550),
            Want::class(5),
            Want::code(250).status("2.1.50"),
            Want::code(250).keyword("SIZE"),
            Want::code(250).last("other"),
        ] {
            assert!(want.problem(&reply).is_some(), "{want:?}");
        }
    }
}
