//! What a server needs of the custody level: [`Member`], or in tests of the sessions a script.

use crate::kernel::Machine;
use crate::protocol::member::{
    Change, Command, Durable, Endpoint, Event, Member, MemberConfig, Pdu, Timer,
};
use crate::wire::ids::{ConnectionId, StoreId};

/// A machine that speaks custody.
pub trait Custody:
    Machine<
        Config = MemberConfig,
        Peer = ConnectionId,
        Endpoint = Endpoint,
        Pdu = Pdu,
        Timer = Timer,
        Command = Command,
        Event = Event,
    >
{
    /// Which disk survived; zero before the first boot.
    fn store(durable: &Self::Durable) -> StoreId;

    /// Which disk the member says from this change on that it has.
    fn store_drawn(change: &Self::Change) -> Option<StoreId>;

    /// Whether it knows of no newer list of the accounts than its own.
    fn knows_the_list(&self, _config: &MemberConfig) -> bool {
        true
    }
}

impl Custody for Member {
    fn store(durable: &Durable) -> StoreId {
        durable.store
    }

    fn store_drawn(change: &Change) -> Option<StoreId> {
        match change {
            Change::Boot { store, .. } | Change::DiskRolledBack { store } => Some(*store),
            _ => None,
        }
    }

    fn knows_the_list(&self, config: &MemberConfig) -> bool {
        Self::knows_the_list(self, config)
    }
}
