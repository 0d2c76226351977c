//! The OrgInfo packet of Exchange 2003, version (5) of the grammar, read only.
//!
//! Microsoft published one packet ("Understanding OrgInfo Packet Details"). A network monitor shows SP
//! and line ends as dots, so a dot counts as a separator here, and a dot inside of a counted string
//! stays a dot. The names in the packet were edited for print and the counts were not: [`Counts::Edited`]
//! takes the length nearest to the count, at most [`SLACK`] octets away, behind which the grammar goes
//! on as it must. [`Counts::Exact`] takes counts at their word, as a receiver would.

mod fields;
mod reader;

use alloc::string::String;
use alloc::vec::Vec;

use super::DecodeError;
use super::explain::Explanation;
use crate::clause;
use reader::Reader;

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
    Reader::new(packet, counts).packet()
}

/// Reads a packet and tells what each token is, as far as the grammar goes; and what the packet says, if it
/// goes to the end.
#[must_use]
pub fn explain(packet: &[u8], counts: Counts) -> (Explanation, Option<OrgInfo>) {
    clause!(WI_120);
    let mut reader = Reader::new(packet, counts);
    let (found, error) = match reader.packet() {
        Ok(found) => (Some(found), None),
        Err(error) => (None, Some(error)),
    };
    (Explanation { tokens: reader.tokens(), error }, found)
}
