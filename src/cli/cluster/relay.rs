//! A relay for one directed connector: it passes octets on until it is cut.
//!
//! A cut link looks to the members like a host that is there and refuses: no listener, and a reset on
//! every connection that was open.

use alloc::sync::Arc;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::io;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::PlannedRelay;

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
    connections: AtomicUsize,
}

impl Relay {
    /// Starts a relay that is open.
    pub(super) async fn start(planned: PlannedRelay) -> io::Result<Self> {
        let listener = TcpListener::bind(planned.listen).await?;
        let (orders, taken) = mpsc::channel(1);
        let is_open = AtomicBool::new(true);
        let state = Arc::new(State { is_open, connections: AtomicUsize::new(0) });
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
            pass(client, forward, &mut cut).await;
            state.connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Passes octets both ways until both sides have ended, one has failed, or the link is cut.
async fn pass(mut client: TcpStream, forward: SocketAddr, cut: &mut watch::Receiver<()>) {
    let connected = tokio::select! {
        connected = TcpStream::connect(forward) => connected,
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

/// The stream is closed with a reset when it is dropped.
fn reset(stream: &TcpStream) {
    // A stream that is dead already needs no reset.
    let _ = stream.set_zero_linger();
}
