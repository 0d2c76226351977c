//! How many connections each client address has open.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::clause;
use crate::protocol::member::ClientLimits;

/// What a client is told that has too many connections open.
pub(super) const TOO_MANY_CONNECTIONS: &[u8] =
    b"421 4.7.0 Too many connections from your address\r\n";

type Counts = BTreeMap<IpAddr, u32>;

/// The open connections by address. No larger than the number of open sockets.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    counts: Arc<Mutex<Counts>>,
}

/// Held for as long as a connection is open; counted only where it is not exempt.
#[derive(Debug)]
pub(super) struct Present {
    crowd: Crowd,
    address: Option<IpAddr>,
}

impl Crowd {
    /// Lets a connection in; `None` where its address has as many as it may.
    pub(super) fn enter(&self, remote: IpAddr, limits: &ClientLimits) -> Option<Present> {
        clause!(SV_080);
        let address = limits.counted(remote);
        if let Some(address) = address {
            let has_entered = self.counts(|counts| {
                let count = counts.get(&address).copied().unwrap_or(0);
                let may_enter = count < limits.connections;
                if may_enter {
                    counts.insert(address, count + 1);
                }
                may_enter
            });
            if !has_entered {
                return None;
            }
        }
        Some(Present { crowd: self.clone(), address })
    }

    fn counts<R>(&self, change: impl FnOnce(&mut Counts) -> R) -> R {
        change(&mut self.counts.lock().expect("no holder of this lock panics"))
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        self.crowd.counts(|counts| {
            let count = counts.get_mut(&address).expect("whoever is present is counted");
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SV-080: as many as the limit, each address by itself; whoever goes makes room.
    #[test]
    fn an_address_fills_only_its_own_place() {
        let crowd = Crowd::default();
        let limits = ClientLimits { connections: 2, ..ClientLimits::default() };
        let enter = |address: &str| crowd.enter(address.parse().unwrap(), &limits);
        let first = enter("2001:db8::1");
        let second = enter("2001:db8::2");
        assert!(first.is_some() && second.is_some());
        assert!(enter("2001:db8::3").is_none(), "the same /64");
        let other = enter("192.0.2.1");
        assert!(other.is_some());
        let exempt: Vec<_> = (0..9).map(|_| enter("127.0.0.1")).collect();
        assert!(exempt.iter().all(Option::is_some));
        drop(second);
        assert!(enter("2001:db8::3").is_some());
        drop((first, other, exempt));
        assert!(crowd.counts(|counts| counts.is_empty()));
    }
}
