//! What is known of the fields of the historic packet, and what is only inferred.
//!
//! Known is what Microsoft has written: its list of fields (which is cut behind the digest), what it says of
//! identities, addresses and versions, and what keywords say themselves. The rest is read off the one packet.

use crate::wire::explain::Field;

pub(super) const FRAME: Field = Field::known("frame", "octets behind the brace, hexadecimal");
pub(super) const ORGINFO: Field = Field::known("ORGINFO", "tells the receiver what follows");
pub(super) const DIGEST: Field = Field::known("digest", "MD5 of the table");
pub(super) const GROUP: Field = Field::known("routing group", "its members, then its connectors");
pub(super) const GROUP_GUID: Field = Field::known("group GUID", "identity of the routing group");
pub(super) const MASTER: Field = Field::inferred(
    "master GUID",
    "the routing group master; in the published packet the first member, too",
);
pub(super) const MAJOR: Field =
    Field::inferred("major", "version of the configuration, hexadecimal");
pub(super) const MINOR: Field =
    Field::inferred("minor", "version of connector states, hexadecimal");
pub(super) const USER: Field = Field::inferred("user", "version of membership, hexadecimal");
pub(super) const UNEXPLAINED: Field = Field::unknown("128 bits", "no source explains them");
pub(super) const SMTP_ADDRESS: Field = Field::inferred("SMTP address", "of the routing group");
pub(super) const X400_ADDRESS: Field = Field::known("X.400 address", "of the routing group");
pub(super) const X500_ADDRESS: Field = Field::known("X.500 address", "of the routing group");
pub(super) const MEMBERS: Field = Field::known("members", "of the routing group");
pub(super) const MEMBER: Field = Field::known("member GUID", "identity of a server");
pub(super) const ATTACHED: Field = Field::inferred("attached", "YES: connected to the master");
pub(super) const NUMBER: Field = Field::unknown("number", "no source explains it");
pub(super) const BUILD: Field = Field::inferred("build", "of the server's software, hexadecimal");
pub(super) const FLAGS: Field = Field::unknown("flags", "no source explains them");
pub(super) const CONNECTORS: Field = Field::known("connectors", "that leave the routing group");
pub(super) const CONNECTOR: Field = Field::known("connector GUID", "identity of the connector");
pub(super) const CONFIGURATION: Field = Field::known("configuration", "of the connector");
pub(super) const CONFIG: Field = Field::known("CONFIG", "keyword");
pub(super) const KIND: Field = Field::inferred("type", "of the connector");
pub(super) const SOURCE: Field = Field::inferred("source address", "of its own end");
pub(super) const TARGET: Field =
    Field::inferred("target address", "of the group that it leads to; empty leads outside");
pub(super) const NAME: Field = Field::known("legacyExchangeDN", "name of the connector");
pub(super) const RESTRICTION: Field =
    Field::inferred("restriction", "schedule, size, priority, content; ffffffff is no limit");
pub(super) const USERS_COUNT: Field = Field::inferred("count", "of the names that follow");
pub(super) const USERS: Field =
    Field::inferred("restricted users", "who may or may not use the connector");
pub(super) const USER_NAME: Field = Field::known("user", "distinguished name of a restricted user");
pub(super) const ARROWS: Field = Field::inferred("ARROWS", "address spaces follow");
pub(super) const SPACES: Field =
    Field::inferred("address spaces", "type, pattern and cost of each");
pub(super) const SPACE_KIND: Field = Field::inferred("type", "of the addresses");
pub(super) const SPACE: Field = Field::inferred("pattern", "of the addresses");
pub(super) const COST: Field = Field::inferred("cost", "of the address space, hexadecimal");
pub(super) const BH: Field = Field::inferred("BH", "source bridgeheads follow");
pub(super) const BRIDGEHEADS: Field = Field::inferred("source bridgeheads", "GUID, state and name");
pub(super) const BRIDGEHEAD: Field =
    Field::known("bridgehead GUID", "identity of a virtual server");
pub(super) const AVAILABILITY: Field =
    Field::known("availability", "of the connector at this bridgehead");
pub(super) const HOST: Field = Field::known("host", "name of the bridgehead");
pub(super) const TARGBH: Field = Field::inferred("TARGBH", "target bridgeheads follow");
pub(super) const TARGETS: Field = Field::inferred("target bridgeheads", "their GUIDs");
pub(super) const TARGET_GUID: Field = Field::inferred("bridgehead GUID", "a target bridgehead");
pub(super) const STATE_WORD: Field = Field::known("STATE", "keyword");
pub(super) const STATE: Field = Field::known("state", "UP or DOWN, there are no others");
