//! The store that decides who is the master of the member's group: etcd, where the program was built with it.

#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "etcd")]
mod keys;

#[cfg(feature = "etcd")]
pub use keys::{Keys, StoreError};

use std::sync::Arc;

use crate::kernel::Ticket;
use crate::protocol::master::election::StoreQuery;
use crate::server::configuration::EtcdSection;
use crate::server::net::Network;
use crate::server::tokens::Token;

/// A question of the machine.
#[derive(Debug)]
#[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "nobody is there to be asked"))]
pub(crate) struct Asked {
    pub(crate) ticket: Ticket,
    /// The identity of the group.
    pub(crate) group: String,
    pub(crate) query: StoreQuery,
    pub(crate) token: Token,
}

/// The way to the store.
#[derive(Debug)]
pub(crate) struct Store {
    #[cfg(feature = "etcd")]
    way: Arc<etcd::Way>,
    #[cfg(not(feature = "etcd"))]
    never: core::convert::Infallible,
}

#[cfg(feature = "etcd")]
impl Store {
    /// The way to the etcd of this section; nothing is asked yet.
    pub(crate) fn start(section: Option<&EtcdSection>, network: &Arc<Network>) -> Option<Self> {
        let way = etcd::Way::new(section?.clone(), Arc::clone(network));
        Some(Self { way: Arc::new(way) })
    }

    /// Asks; the answer comes to the host loop.
    pub(crate) fn ask(&self, asked: Asked) {
        drop(tokio::spawn(Arc::clone(&self.way).answer(asked)));
    }
}

#[cfg(not(feature = "etcd"))]
impl Store {
    /// There is none: a configuration that needs one was refused.
    pub(crate) const fn start(_: Option<&EtcdSection>, _: &Arc<Network>) -> Option<Self> {
        None
    }

    /// There is nobody to be asked.
    pub(crate) fn ask(&self, _: Asked) {
        match self.never {}
    }
}
