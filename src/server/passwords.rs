//! Logins are checked on threads of their own, a few at a time: a check takes memory and a while.

use alloc::sync::Arc;
use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::sync::Semaphore;

use super::net::Network;
use super::runtime::ToHost;
use super::tokens::{Kind, Token};
use crate::clause;
use crate::protocol::organization::{Organization, Verdict};
use crate::protocol::server::Wire;
use crate::wire::ids::ConnectionId;
use crate::wire::smtp::auth::Login;

/// How many logins are checked at a time.
const CHECKS_AT_ONCE: usize = 2;
/// How many more may wait for that; whoever comes then is told to try again.
const CHECKS_WAITING_LIMIT: usize = 64;

/// How many of one client address are checked or wait: whoever guesses leaves room for the others.
const CHECKS_OF_A_CLIENT_LIMIT: usize = 8;

/// The desk where logins are checked.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    free: Arc<Semaphore>,
    under_way: Arc<Mutex<Crowd>>,
}

/// Those that are checked, and those that wait.
#[derive(Debug, Default)]
struct Crowd {
    all: usize,
    /// By the address that each is counted under, if it is.
    of_clients: BTreeMap<IpAddr, usize>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(CHECKS_AT_ONCE)), under_way: Arc::default() }
    }
}

/// Counts one check until it is dropped.
struct UnderWay {
    crowd: Arc<Mutex<Crowd>>,
    client: Option<IpAddr>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut crowd = self.crowd.lock().expect("no holder of this lock panics");
        crowd.all -= 1;
        let Some(client) = self.client else { return };
        let count = crowd.of_clients.get_mut(&client).expect("whoever is under way is counted");
        *count -= 1;
        if *count == 0 {
            crowd.of_clients.remove(&client);
        }
    }
}

impl Passwords {
    /// A place among those that are checked or wait, unless there are too many, of all or of this client.
    fn enter(&self, client: Option<IpAddr>) -> Option<UnderWay> {
        let mut crowd = self.under_way.lock().expect("no holder of this lock panics");
        if crowd.all >= CHECKS_AT_ONCE + CHECKS_WAITING_LIMIT {
            return None;
        }
        if let Some(client) = client {
            clause!(SV_090);
            let count = crowd.of_clients.entry(client).or_default();
            if *count >= CHECKS_OF_A_CLIENT_LIMIT {
                return None;
            }
            *count += 1;
        }
        crowd.all += 1;
        Some(UnderWay { crowd: Arc::clone(&self.under_way), client })
    }

    /// Checks a login; its session hears of it. `client` is the address that it is counted under.
    pub(crate) fn check(
        &self,
        (network, organization): (&Arc<Network>, &Arc<Organization>),
        (connection, client): (ConnectionId, Option<IpAddr>),
        (attempt, login): (u32, Login),
        token: &Token,
    ) {
        clause!(SV_073);
        let (network, organization) = (Arc::clone(network), Arc::clone(organization));
        let (token, free) = (token.also(Kind::Ask), Arc::clone(&self.free));
        let entered = self.enter(client);
        tokio::spawn(async move {
            let verdict = match entered {
                Some(_entered) => verify(&free, organization, login).await,
                None => Verdict::Unavailable,
            };
            let wire = Wire::Checked { attempt, verdict };
            let token = token.into_kind(Kind::Input);
            network.tell(ToHost::Said { connection, wire, token });
        });
    }
}

async fn verify(free: &Semaphore, organization: Arc<Organization>, login: Login) -> Verdict {
    let Ok(_permit) = free.acquire().await else { return Verdict::Unavailable };
    let checked = tokio::task::spawn_blocking(move || organization.verify(&login));
    checked.await.unwrap_or(Verdict::Unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    // SV-073
    #[test]
    fn a_crowd_at_the_desk_is_sent_away() {
        let desk = Passwords::default();
        let mut inside = Vec::new();
        for _ in 0..CHECKS_AT_ONCE + CHECKS_WAITING_LIMIT {
            inside.push(desk.enter(None).expect("there is room"));
        }
        assert!(desk.enter(None).is_none(), "there is no room");
        inside.pop();
        assert!(desk.enter(None).is_some(), "there is room again");
    }

    // SV-090
    #[test]
    fn a_client_fills_its_own_share_and_no_more() {
        let desk = Passwords::default();
        let one = Some("192.0.2.1".parse().unwrap());
        let mut inside: Vec<_> =
            (0..CHECKS_OF_A_CLIENT_LIMIT).map(|_| desk.enter(one).expect("its share")).collect();
        assert!(desk.enter(one).is_none(), "its share is used up");
        let others = [Some("192.0.2.2".parse().unwrap()), None].map(|other| desk.enter(other));
        assert!(others.iter().all(Option::is_some), "the others have theirs");
        inside.pop();
        inside.push(desk.enter(one).expect("there is room again"));
        drop((inside, others));
        let crowd = desk.under_way.lock().unwrap();
        assert!(crowd.all == 0 && crowd.of_clients.is_empty(), "nobody is left: {crowd:?}");
    }
}
