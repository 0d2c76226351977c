//! Reads the packet token by token, and notes what each one is.

use alloc::string::String;
use alloc::vec::Vec;

#[allow(clippy::wildcard_imports, reason = "every field has its one place here")]
use super::fields::*;
use super::{Connector, Counts, Edit, Group, Member, OrgInfo, SLACK};
use crate::wire::DecodeError;
use crate::wire::explain::{Field, Token};
use crate::wire::frame::{FRAME_LIMIT, HEADER_OCTETS, read_header};

/// A place in the packet, and what was noticed on the way.
pub(super) struct Reader<'a> {
    packet: &'a [u8],
    at: usize,
    counts: Counts,
    edits: Vec<Edit>,
    depth: usize,
    tokens: Vec<Token>,
}

/// Says whether the grammar can go on with these octets.
type Follow = fn(&[u8]) -> bool;

impl<'a> Reader<'a> {
    pub(super) const fn new(packet: &'a [u8], counts: Counts) -> Self {
        Self { packet, at: 0, counts, edits: Vec::new(), depth: 0, tokens: Vec::new() }
    }

    /// What was read so far.
    pub(super) fn tokens(self) -> Vec<Token> {
        self.tokens
    }

    /// The whole packet.
    pub(super) fn packet(&mut self) -> Result<OrgInfo, DecodeError> {
        let packet = self.packet;
        let error = |offset, expected| DecodeError { offset, expected };
        let octets = read_header(packet, FRAME_LIMIT)?
            .ok_or_else(|| error(packet.len(), "the count of the frame"))?;
        self.at = HEADER_OCTETS;
        self.token(0, &FRAME);
        let content = packet.len() - HEADER_OCTETS;
        if content != octets {
            self.tokens[0].counted = Some((octets, content));
            if self.counts == Counts::Exact {
                let offset = packet.len().min(HEADER_OCTETS + octets);
                return Err(error(offset, "the end of the frame exactly there"));
            }
        }
        if self.peek() == Some(b'O') {
            self.keyword("ORGINFO", "ORGINFO or 32 hexadecimal digits", &ORGINFO)?;
        }
        let digest = self.guid(&DIGEST)?;
        let mut groups = alloc::vec![self.group()?];
        while self.peek() == Some(b'(') {
            groups.push(self.group()?);
        }
        if self.peek().is_some() {
            return Err(self.expected("a routing group or the end of the packet"));
        }
        Ok(OrgInfo { digest, groups, edits: self.edits.clone() })
    }

    /// What was read from `offset` on is a token.
    fn token(&mut self, offset: usize, field: &'static Field) {
        assert!(offset <= self.at, "a token is behind the reader");
        let (octets, depth) = (self.at - offset, self.depth);
        self.tokens.push(Token { offset, octets, depth, field, counted: None });
    }

    fn rest(&self) -> &[u8] {
        &self.packet[self.at..]
    }

    const fn expected(&self, expected: &'static str) -> DecodeError {
        DecodeError { offset: self.at, expected }
    }

    /// The next octet that is no separator; separators are passed.
    fn peek(&mut self) -> Option<u8> {
        self.at = self.packet.len() - past_separators(self.rest()).len();
        self.packet.get(self.at).copied()
    }

    fn open(&mut self, field: &'static Field) -> Result<(), DecodeError> {
        self.punctuation(b'(', "`(`")?;
        self.token(self.at - 1, field);
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), DecodeError> {
        self.punctuation(b')', "`)`")?;
        self.depth -= 1;
        Ok(())
    }

    fn punctuation(&mut self, octet: u8, expected: &'static str) -> Result<(), DecodeError> {
        if self.peek() != Some(octet) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// A word of upper-case letters and underscores; empty where there is none.
    fn word(&mut self, field: &'static Field) -> String {
        self.peek();
        let start = self.at;
        let is_letter = |octet: &&u8| octet.is_ascii_uppercase() || **octet == b'_';
        let word: String =
            self.rest().iter().take_while(is_letter).map(|o| char::from(*o)).collect();
        self.at += word.len();
        self.token(start, field);
        word
    }

    fn keyword(
        &mut self,
        word: &str,
        expected: &'static str,
        field: &'static Field,
    ) -> Result<(), DecodeError> {
        self.peek();
        let at = self.at;
        if self.word(field) == word { Ok(()) } else { Err(DecodeError { offset: at, expected }) }
    }

    fn number(&mut self, field: &'static Field) -> Result<u32, DecodeError> {
        self.peek();
        let start = self.at;
        let Some((number, rest)) = number(self.rest()) else {
            return Err(self.expected("a hexadecimal number"));
        };
        self.at = self.packet.len() - rest.len();
        self.token(start, field);
        Ok(number)
    }

    fn guid(&mut self, field: &'static Field) -> Result<String, DecodeError> {
        self.peek();
        let start = self.at;
        let Some(guid) = guid(self.rest()) else {
            return Err(self.expected("32 hexadecimal digits"));
        };
        self.at += guid.len();
        self.token(start, field);
        Ok(guid)
    }

    /// A counted string behind which `follow` must hold.
    fn counted(&mut self, field: &'static Field, follow: Follow) -> Result<String, DecodeError> {
        self.punctuation(b'{', "a counted string")?;
        let start = self.at - 1;
        let counted = match (self.packet.get(self.at), self.number_or_none()) {
            (Some(b'}'), _) => 0,
            (_, Some(count)) => count as usize,
            _ => return Err(self.expected("the count of a string")),
        };
        if self.packet.get(self.at) != Some(&b'}') {
            return Err(self.expected("`}`"));
        }
        self.at += 1;
        let Some(octets) = self.length(counted, follow) else {
            return Err(self.expected("a counted string and what must follow it"));
        };
        let text = String::from_utf8_lossy(&self.rest()[..octets]).into_owned();
        let offset = self.at;
        self.at += octets;
        self.token(start, field);
        if octets != counted {
            self.edits.push(Edit { offset, counted, octets });
            let token = self.tokens.last_mut().expect("it was pushed just now");
            token.counted = Some((counted, octets));
        }
        Ok(text)
    }

    fn number_or_none(&mut self) -> Option<u32> {
        let (number, rest) = number(self.rest())?;
        self.at = self.packet.len() - rest.len();
        Some(number)
    }

    /// The length nearest to the count behind which the grammar can go on.
    fn length(&self, counted: usize, follow: Follow) -> Option<usize> {
        let fits = |octets: usize| self.rest().get(octets..).is_some_and(follow);
        if self.counts == Counts::Exact {
            return Some(counted).filter(|octets| fits(*octets));
        }
        let near = |by: usize| [counted.checked_sub(by), counted.checked_add(by)];
        (0..=SLACK).flat_map(near).flatten().find(|octets| fits(*octets))
    }

    /// Items in parentheses.
    fn list<T>(
        &mut self,
        field: &'static Field,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.open(field)?;
        let mut items = Vec::new();
        while self.peek() != Some(b')') {
            items.push(item(self)?);
        }
        self.close()?;
        Ok(items)
    }

    fn group(&mut self) -> Result<Group, DecodeError> {
        self.open(&GROUP)?;
        let group = Group {
            guid: self.guid(&GROUP_GUID)?,
            master: self.guid(&MASTER)?,
            version: (self.number(&MAJOR)?, self.number(&MINOR)?, self.number(&USER)?),
            unexplained: self.guid(&UNEXPLAINED)?,
            addresses: [
                self.counted(&SMTP_ADDRESS, before_string)?,
                self.counted(&X400_ADDRESS, before_string)?,
                self.counted(&X500_ADDRESS, before_list)?,
            ],
            members: self.list(&MEMBERS, Self::member)?,
            connectors: self.list(&CONNECTORS, Self::connector)?,
        };
        self.close()?;
        Ok(group)
    }

    fn member(&mut self) -> Result<Member, DecodeError> {
        Ok(Member {
            guid: self.guid(&MEMBER)?,
            attached: self.yes_or_no()?,
            unexplained: self.number(&NUMBER)?,
            build: self.number(&BUILD)?,
            flags: self.counted(&FLAGS, before_guid_or_end)?,
        })
    }

    fn yes_or_no(&mut self) -> Result<bool, DecodeError> {
        self.peek();
        let at = self.at;
        match self.word(&ATTACHED).as_str() {
            "YES" => Ok(true),
            "NO" => Ok(false),
            _ => Err(DecodeError { offset: at, expected: "YES or NO" }),
        }
    }

    fn connector(&mut self) -> Result<Connector, DecodeError> {
        let guid = self.guid(&CONNECTOR)?;
        self.open(&CONFIGURATION)?;
        self.keyword("CONFIG", "CONFIG", &CONFIG)?;
        let kind = self.counted(&KIND, before_string)?;
        let source = self.counted(&SOURCE, before_string)?;
        let target = self.counted(&TARGET, before_string)?;
        let name = self.counted(&NAME, before_restrictions)?;
        let mut restrictions = [0; 8];
        for restriction in &mut restrictions {
            *restriction = self.number(&RESTRICTION)?;
        }
        let users = [self.users()?, self.users()?, self.users()?, self.users()?];
        self.keyword("ARROWS", "ARROWS", &ARROWS)?;
        let arrows = self.list(&SPACES, |reader| {
            let kind = reader.counted(&SPACE_KIND, before_string)?;
            Ok((kind, reader.counted(&SPACE, before_cost)?, reader.number(&COST)?))
        })?;
        self.keyword("BH", "BH", &BH)?;
        let bridgeheads = self.list(&BRIDGEHEADS, |reader| {
            let guid = reader.guid(&BRIDGEHEAD)?;
            let state = reader.word(&AVAILABILITY);
            Ok((guid, state, reader.counted(&HOST, before_guid_or_end)?))
        })?;
        self.keyword("TARGBH", "TARGBH", &TARGBH)?;
        let targets = self.list(&TARGETS, |reader| reader.guid(&TARGET_GUID))?;
        self.keyword("STATE", "STATE", &STATE_WORD)?;
        let up = self.up_or_down()?;
        self.close()?;
        Ok(Connector {
            guid,
            kind,
            source,
            target,
            name,
            restrictions,
            users,
            arrows,
            bridgeheads,
            targets,
            up,
        })
    }

    fn up_or_down(&mut self) -> Result<bool, DecodeError> {
        self.peek();
        let at = self.at;
        match self.word(&STATE).as_str() {
            "UP" => Ok(true),
            "DOWN" => Ok(false),
            _ => Err(DecodeError { offset: at, expected: "UP or DOWN" }),
        }
    }

    /// A number and as many names.
    fn users(&mut self) -> Result<Vec<String>, DecodeError> {
        let count = self.number(&USERS_COUNT)?;
        let at = self.at;
        let users = self.list(&USERS, |reader| reader.counted(&USER_NAME, before_string_or_end))?;
        if users.len() == count as usize {
            return Ok(users);
        }
        Err(DecodeError { offset: at, expected: "as many names as the number says" })
    }
}

fn past_separators(octets: &[u8]) -> &[u8] {
    let is_separator = |octet: &u8| matches!(octet, b' ' | b'.' | b'\r' | b'\n');
    let count = octets.iter().take_while(|octet| is_separator(octet)).count();
    &octets[count..]
}

/// One hexadecimal number of at most eight digits, and what is behind it.
fn number(octets: &[u8]) -> Option<(u32, &[u8])> {
    let count = octets.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
    let (digits, rest) = octets.split_at(count);
    let digits = core::str::from_utf8(digits).ok().filter(|digits| digits.len() <= 8)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

fn guid(octets: &[u8]) -> Option<String> {
    let guid = octets.get(..32).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    Some(guid.iter().copied().map(char::from).collect())
}

/// At least one separator, and then something.
fn separated(octets: &[u8]) -> Option<&[u8]> {
    let rest = past_separators(octets);
    (rest.len() < octets.len()).then_some(rest)
}

fn before_string(octets: &[u8]) -> bool {
    separated(octets).is_some_and(|rest| rest.starts_with(b"{"))
}

fn before_list(octets: &[u8]) -> bool {
    separated(octets).is_some_and(|rest| rest.starts_with(b"("))
}

fn before_string_or_end(octets: &[u8]) -> bool {
    before_string(octets) || separated(octets).is_some_and(|rest| rest.starts_with(b")"))
}

fn before_guid_or_end(octets: &[u8]) -> bool {
    separated(octets).is_some_and(|rest| rest.starts_with(b")") || guid(rest).is_some())
}

fn before_cost(octets: &[u8]) -> bool {
    let behind = separated(octets).and_then(number).map(|(_, rest)| rest);
    behind.is_some_and(before_string_or_end)
}

/// Eight restrictions, the number of the first users, and their list.
fn before_restrictions(octets: &[u8]) -> bool {
    let mut rest = octets;
    for _ in 0..9 {
        let Some((_, behind)) = separated(rest).and_then(number) else { return false };
        rest = behind;
    }
    before_list(rest)
}
