//! Who the suite is on a connection of its own, and what it shows there.

use crate::net::Port;
use crate::parameters::OUTSIDE;
use crate::security::Shown;

/// Who the suite is on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    /// Anyone.
    Outside,
    /// A member of another group.
    Member,
    /// A member of the node's own group.
    Fellow,
    /// Another member, by its name.
    Named(&'static str),
}

/// Where the suite sits on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Who it is.
    pub(crate) seat: Seat,
    /// To which port.
    pub(crate) port: Port,
    /// What it proves that with, where certificates are the proof.
    pub(crate) shown: Shown,
}

impl Seat {
    /// The name under which the suite greets from there.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Outside => OUTSIDE,
            Self::Member => "rg2-a",
            Self::Fellow => "rg1-c",
            Self::Named(name) => name,
        }
    }
}
