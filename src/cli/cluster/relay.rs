//! A relay for one directed connector: it passes octets on until it is cut.
//!
//! A cut link looks to the members like a host that is there and refuses: no listener, and a reset on
//! every connection that was open. Members start one after the other; until a target has been reached for
//! the first time, a relay holds the connections to it for a while, so that nobody takes a link for broken
//! whose far end has not started yet.

use alloc::sync::Arc;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::io;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::PlannedRelay;

/// How often a target that was never reached is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// How long a connection is held for a target that was never reached.
const HOLDING_LIMIT: Duration = Duration::from_secs(10);

type Order = (bool, oneshot::Sender<io::Result<()>>);

/// The handle of a relay that runs.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) planned: PlannedRelay,
    orders: mpsc::Sender<Order>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    is_open: AtomicBool,
    /// Whether the target was reached at least once.
    was_reached: AtomicBool,
    connections: AtomicUsize,
}

impl Relay {
    /// Starts a relay that is open.
    pub(super) async fn start(planned: PlannedRelay) -> io::Result<Self> {
        let listener = TcpListener::bind(planned.listen).await?;
        let (orders, taken) = mpsc::channel(1);
        let state = Arc::new(State {
            is_open: AtomicBool::new(true),
            was_reached: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let task = Task {
            listen: planned.listen,
            forward: planned.forward,
            state: Arc::clone(&state),
            cut: watch::Sender::new(()),
            passing: JoinSet::new(),
        };
        tokio::spawn(task.run(listener, taken));
        Ok(Self { planned, orders, state })
    }

    /// Opens or cuts the link; returns when it is done.
    pub(super) async fn set(&self, is_open: bool) -> io::Result<()> {
        let (done, doing) = oneshot::channel();
        let gone = || io::Error::other("the relay has ended");
        self.orders.send((is_open, done)).await.map_err(|_| gone())?;
        doing.await.map_err(|_| gone())?
    }

    pub(super) fn is_open(&self) -> bool {
        self.state.is_open.load(Ordering::Relaxed)
    }

    pub(super) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

struct Task {
    listen: SocketAddr,
    forward: SocketAddr,
    state: Arc<State>,
    cut: watch::Sender<()>,
    passing: JoinSet<()>,
}

impl Task {
    /// Until the handle is dropped.
    async fn run(mut self, listener: TcpListener, mut orders: mpsc::Receiver<Order>) {
        let mut listener = Some(listener);
        loop {
            let order = match &listener {
                None => orders.recv().await,
                Some(open) => tokio::select! {
                    order = orders.recv() => order,
                    accepted = open.accept() => {
                        // A client that is gone again before it was accepted is no concern.
                        if let Ok((client, _)) = accepted {
                            self.pass(client);
                        }
                        continue;
                    }
                    Some(_) = self.passing.join_next() => continue,
                },
            };
            let Some((is_open, done)) = order else { return };
            let outcome = self.obey(is_open, &mut listener).await;
            self.state.is_open.store(listener.is_some(), Ordering::Relaxed);
            // Who gave the order may not wait for it.
            let _ = done.send(outcome);
        }
    }

    async fn obey(&mut self, is_open: bool, listener: &mut Option<TcpListener>) -> io::Result<()> {
        if is_open {
            if listener.is_none() {
                *listener = Some(TcpListener::bind(self.listen).await?);
            }
            return Ok(());
        }
        *listener = None;
        self.cut.send_replace(());
        while self.passing.join_next().await.is_some() {}
        assert_eq!(self.state.connections.load(Ordering::Relaxed), 0, "a cut link passes nothing");
        Ok(())
    }

    fn pass(&mut self, client: TcpStream) {
        let (state, forward) = (Arc::clone(&self.state), self.forward);
        let mut cut = self.cut.subscribe();
        self.passing.spawn(async move {
            state.connections.fetch_add(1, Ordering::Relaxed);
            pass(client, forward, &state, &mut cut).await;
            state.connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Passes octets both ways until both sides have ended, one has failed, or the link is cut.
async fn pass(
    mut client: TcpStream,
    forward: SocketAddr,
    state: &State,
    cut: &mut watch::Receiver<()>,
) {
    let connected = tokio::select! {
        connected = reach(forward, state) => connected,
        _ = cut.changed() => Err(io::ErrorKind::ConnectionReset.into()),
    };
    let Ok(mut target) = connected else {
        reset(&client);
        return;
    };
    // Small frames must not wait for each other; a system that cannot do it is slower, not wrong.
    let _ = (client.set_nodelay(true), target.set_nodelay(true));
    let is_whole = tokio::select! {
        copied = copy_bidirectional(&mut client, &mut target) => copied.is_ok(),
        _ = cut.changed() => false,
    };
    if !is_whole {
        reset(&client);
        reset(&target);
    }
}

/// Connects to the target. One that was never reached is given time to start.
async fn reach(forward: SocketAddr, state: &State) -> io::Result<TcpStream> {
    let started = Instant::now();
    loop {
        let connected = TcpStream::connect(forward).await;
        if connected.is_ok() {
            state.was_reached.store(true, Ordering::Relaxed);
            return connected;
        }
        if state.was_reached.load(Ordering::Relaxed) || started.elapsed() >= HOLDING_LIMIT {
            return connected;
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

/// The stream is closed with a reset when it is dropped.
fn reset(stream: &TcpStream) {
    // A stream that is dead already needs no reset.
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use super::super::ports::hold_free_port;
    use super::*;
    use crate::wire::ids::{ConnectorName, GroupName, MemberName};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// An address where nobody listens now.
    fn free() -> SocketAddr {
        let held = hold_free_port().expect("a port is free");
        held.local_addr().expect("it is bound")
    }

    async fn relay() -> Relay {
        let planned = PlannedRelay {
            connector: ConnectorName::from("A-B"),
            from: GroupName::from("A"),
            to: GroupName::from("B"),
            target: MemberName::from("b"),
            listen: free(),
            forward: free(),
        };
        Relay::start(planned).await.expect("the port is free")
    }

    /// Sends an octet from the target to the client.
    async fn pass_one(relay: &Relay, client: &mut TcpStream, target: &TcpListener) {
        let accepted = tokio::time::timeout(HOLDING_LIMIT / 2, target.accept()).await;
        let (mut accepted, _) = accepted.expect("in time").expect("the relay connects");
        accepted.write_all(b"x").await.expect("it is open");
        assert_eq!(client.read_u8().await.expect("it is passed on"), b'x');
        assert_eq!(relay.connections(), 1);
    }

    async fn assert_reset(mut client: TcpStream) {
        let error = client.read_u8().await.expect_err("it is reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_connection_is_held_until_the_target_starts_for_the_first_time() {
        let relay = relay().await;
        let (listen, forward) = (relay.planned.listen, relay.planned.forward);
        let mut client = TcpStream::connect(listen).await.expect("the link is open");
        tokio::time::sleep(3 * RETRY_INTERVAL).await;
        let target = TcpListener::bind(forward).await.expect("the port is free");
        pass_one(&relay, &mut client, &target).await;
        drop(target);
        let client = TcpStream::connect(listen).await.expect("the link is open");
        let end = tokio::time::timeout(HOLDING_LIMIT / 2, assert_reset(client)).await;
        end.expect("a target that is gone again is not waited for");
    }

    #[tokio::test]
    async fn a_cut_resets_what_is_held() {
        let relay = relay().await;
        let listen = relay.planned.listen;
        let client = TcpStream::connect(listen).await.expect("the link is open");
        tokio::time::sleep(3 * RETRY_INTERVAL).await;
        assert_eq!(relay.connections(), 1);
        let cutting = tokio::time::timeout(HOLDING_LIMIT / 2, relay.set(false));
        cutting.await.expect("a cut waits for nobody").expect("it is cut");
        assert_reset(client).await;
        assert_eq!(relay.connections(), 0);
        let refused = TcpStream::connect(listen).await.expect_err("a new one is refused");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
