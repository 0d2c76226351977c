//! The OrgInfo packet of Exchange 2003, version (5) of the grammar, read only.
//!
//! Microsoft published one packet ("Understanding OrgInfo Packet Details"). A network monitor shows SP
//! and line ends as dots, so a dot counts as a separator here, and a dot inside of a counted string
//! stays a dot. The names in the packet were edited for print and the counts were not: [`Counts::Edited`]
//! takes the length nearest to the count, at most [`SLACK`] octets away, behind which the grammar goes
//! on as it must. [`Counts::Exact`] takes counts at their word, as a receiver would.

use alloc::string::String;
use alloc::vec::Vec;

use super::DecodeError;
use super::frame::{FRAME_LIMIT, HEADER_OCTETS, read_header};
use crate::clause;

/// The most octets by which an edited string may differ from its count.
pub const SLACK: usize = 8;

/// Whether counts are taken at their word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counts {
    /// Every count is right.
    Exact,
    /// Names were edited and their counts were not.
    Edited,
}

/// A counted string whose text has another length than its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edit {
    /// Where its text begins.
    pub offset: usize,
    /// Its count.
    pub counted: usize,
    /// The octets that it has.
    pub octets: usize,
}

/// The packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrgInfo {
    /// MD5 of the table, 32 hexadecimal digits.
    pub digest: String,
    /// The routing groups.
    pub groups: Vec<Group>,
    /// The strings whose counts are off; none with [`Counts::Exact`].
    pub edits: Vec<Edit>,
}

/// A routing group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// Its GUID.
    pub guid: String,
    /// The GUID of its master.
    pub master: String,
    /// Major, minor and user version.
    pub version: (u32, u32, u32),
    /// 128 bits that no source explains.
    pub unexplained: String,
    /// Its SMTP, X.400 and X.500 addresses.
    pub addresses: [String; 3],
    /// Its members.
    pub members: Vec<Member>,
    /// The connectors that leave it.
    pub connectors: Vec<Connector>,
}

/// A member of a routing group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its GUID.
    pub guid: String,
    /// Whether it is connected to the master.
    pub attached: bool,
    /// A number that no source explains.
    pub unexplained: u32,
    /// The build of its software.
    pub build: u32,
    /// Flags, hexadecimal.
    pub flags: String,
}

/// A connector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connector {
    /// Its GUID.
    pub guid: String,
    /// `SMTP` and the like.
    pub kind: String,
    /// The address of its own end.
    pub source: String,
    /// The address of the group that it leads to; empty where it leads outside.
    pub target: String,
    /// Its distinguished name.
    pub name: String,
    /// Schedule, size, priority and other restrictions; `ffffffff` is no limit.
    pub restrictions: [u32; 8],
    /// Four lists of distinguished names: who may and who may not use it.
    pub users: [Vec<String>; 4],
    /// Address spaces: type, pattern, cost.
    pub arrows: Vec<(String, String, u32)>,
    /// Source bridgeheads: GUID, state, host name.
    pub bridgeheads: Vec<(String, String, String)>,
    /// GUIDs of the target bridgeheads.
    pub targets: Vec<String>,
    /// Whether its state is UP.
    pub up: bool,
}

/// Reads a packet from its counted frame on.
///
/// # Errors
/// What was expected where. With [`Counts::Exact`], an edited name is an error.
pub fn decode(packet: &[u8], counts: Counts) -> Result<OrgInfo, DecodeError> {
    clause!(WI_120);
    let error = |offset, expected| DecodeError { offset, expected };
    let octets = read_header(packet, FRAME_LIMIT)?
        .ok_or_else(|| error(packet.len(), "the count of the frame"))?;
    let content = packet.len() - HEADER_OCTETS;
    if counts == Counts::Exact && content != octets {
        let offset = packet.len().min(HEADER_OCTETS + octets);
        return Err(error(offset, "the end of the frame exactly there"));
    }
    let mut reader = Reader { packet, at: HEADER_OCTETS, counts, edits: Vec::new() };
    let digest = reader.guid()?;
    let mut groups = alloc::vec![reader.group()?];
    while reader.peek() == Some(b'(') {
        groups.push(reader.group()?);
    }
    if reader.peek().is_some() {
        return Err(reader.expected("a routing group or the end of the packet"));
    }
    Ok(OrgInfo { digest, groups, edits: reader.edits })
}

/// A place in the packet, and what was noticed on the way.
struct Reader<'a> {
    packet: &'a [u8],
    at: usize,
    counts: Counts,
    edits: Vec<Edit>,
}

/// Says whether the grammar can go on with these octets.
type Follow = fn(&[u8]) -> bool;

impl Reader<'_> {
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

    fn open(&mut self) -> Result<(), DecodeError> {
        self.punctuation(b'(', "`(`")
    }

    fn close(&mut self) -> Result<(), DecodeError> {
        self.punctuation(b')', "`)`")
    }

    fn punctuation(&mut self, octet: u8, expected: &'static str) -> Result<(), DecodeError> {
        if self.peek() != Some(octet) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// A word of upper-case letters and underscores; empty where there is none.
    fn word(&mut self) -> String {
        self.peek();
        let is_letter = |octet: &&u8| octet.is_ascii_uppercase() || **octet == b'_';
        let word: String =
            self.rest().iter().take_while(is_letter).map(|o| char::from(*o)).collect();
        self.at += word.len();
        word
    }

    fn keyword(&mut self, word: &str, expected: &'static str) -> Result<(), DecodeError> {
        self.peek();
        let at = self.at;
        if self.word() == word { Ok(()) } else { Err(DecodeError { offset: at, expected }) }
    }

    fn number(&mut self) -> Result<u32, DecodeError> {
        self.peek();
        let Some((number, rest)) = number(self.rest()) else {
            return Err(self.expected("a hexadecimal number"));
        };
        self.at = self.packet.len() - rest.len();
        Ok(number)
    }

    fn guid(&mut self) -> Result<String, DecodeError> {
        self.peek();
        let Some(guid) = guid(self.rest()) else {
            return Err(self.expected("32 hexadecimal digits"));
        };
        self.at += guid.len();
        Ok(guid)
    }

    /// A counted string behind which `follow` must hold.
    fn counted(&mut self, follow: Follow) -> Result<String, DecodeError> {
        self.punctuation(b'{', "a counted string")?;
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
        if octets != counted {
            self.edits.push(Edit { offset: self.at, counted, octets });
        }
        let text = String::from_utf8_lossy(&self.rest()[..octets]).into_owned();
        self.at += octets;
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
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.open()?;
        let mut items = Vec::new();
        while self.peek() != Some(b')') {
            items.push(item(self)?);
        }
        self.close()?;
        Ok(items)
    }

    fn group(&mut self) -> Result<Group, DecodeError> {
        self.open()?;
        let group = Group {
            guid: self.guid()?,
            master: self.guid()?,
            version: (self.number()?, self.number()?, self.number()?),
            unexplained: self.guid()?,
            addresses: [
                self.counted(before_string)?,
                self.counted(before_string)?,
                self.counted(before_list)?,
            ],
            members: self.list(Self::member)?,
            connectors: self.list(Self::connector)?,
        };
        self.close()?;
        Ok(group)
    }

    fn member(&mut self) -> Result<Member, DecodeError> {
        Ok(Member {
            guid: self.guid()?,
            attached: self.yes_or_no()?,
            unexplained: self.number()?,
            build: self.number()?,
            flags: self.counted(before_guid_or_end)?,
        })
    }

    fn yes_or_no(&mut self) -> Result<bool, DecodeError> {
        self.peek();
        let at = self.at;
        match self.word().as_str() {
            "YES" => Ok(true),
            "NO" => Ok(false),
            _ => Err(DecodeError { offset: at, expected: "YES or NO" }),
        }
    }

    fn connector(&mut self) -> Result<Connector, DecodeError> {
        let guid = self.guid()?;
        self.open()?;
        self.keyword("CONFIG", "CONFIG")?;
        let kind = self.counted(before_string)?;
        let source = self.counted(before_string)?;
        let target = self.counted(before_string)?;
        let name = self.counted(before_restrictions)?;
        let mut restrictions = [0; 8];
        for restriction in &mut restrictions {
            *restriction = self.number()?;
        }
        let users = [self.users()?, self.users()?, self.users()?, self.users()?];
        self.keyword("ARROWS", "ARROWS")?;
        let arrows = self.list(|reader| {
            let kind = reader.counted(before_string)?;
            Ok((kind, reader.counted(before_cost)?, reader.number()?))
        })?;
        self.keyword("BH", "BH")?;
        let bridgeheads = self.list(|reader| {
            let guid = reader.guid()?;
            Ok((guid, reader.word(), reader.counted(before_guid_or_end)?))
        })?;
        self.keyword("TARGBH", "TARGBH")?;
        let targets = self.list(Self::guid)?;
        self.keyword("STATE", "STATE")?;
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
        match self.word().as_str() {
            "UP" => Ok(true),
            "DOWN" => Ok(false),
            _ => Err(DecodeError { offset: at, expected: "UP or DOWN" }),
        }
    }

    /// A number and as many names.
    fn users(&mut self) -> Result<Vec<String>, DecodeError> {
        let count = self.number()?;
        let at = self.at;
        let users = self.list(|reader| reader.counted(before_string_or_end))?;
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
