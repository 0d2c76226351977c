//! What every TCP connection is set to.

use core::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;

use crate::clause;

/// How long a connection is silent before the system asks whether the far end is still there.
pub(crate) const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// From one such question to the next.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// The questions without an answer after which the connection is lost.
pub(crate) const KEEPALIVE_PROBES: u32 = 4;

/// Has small writes leave at once, and the system notice a far end that went without a word. On a real
/// host that is real time: the far end's TCP answers, whatever the virtual clocks show.
pub(super) fn prepare(socket: &TcpStream) {
    clause!(MA_020);
    // A system that knows one of these not leaves the connection as good as it was.
    let _ = socket.set_nodelay(true);
    let _ = sockopt::set_tcp_keepidle(socket, KEEPALIVE_IDLE);
    let _ = sockopt::set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL);
    let _ = sockopt::set_tcp_keepcnt(socket, KEEPALIVE_PROBES);
    let _ = sockopt::set_socket_keepalive(socket, true);
}
