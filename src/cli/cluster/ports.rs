//! Ports for processes that listen later.
//!
//! The system gives port 0 out of the range from which every outgoing connection gets its port too: once released, any
//! connection of the host may have it before the process that it was meant for listens. So ports are picked below that range.

use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU32, Ordering};
use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::process;

/// The ports of the services that a host is known for lie below.
const LOWEST: u16 = 10_000;
/// So many ports a process tries before it comes to those of the next process.
const WINDOW: u16 = 100;
/// Where Linux says which ports it gives to outgoing connections: the first one and the last.
const EPHEMERAL_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// The first of them unless somebody has set it.
const USUAL_EPHEMERAL: u16 = 32_768;

/// How many ports this process has tried: what it has picked and released it does not pick again at once.
static TRIED: AtomicU32 = AtomicU32::new(0);

/// A port of the loopback interface that no outgoing connection gets, held until the listener is dropped.
///
/// # Errors
/// In words: none is free.
pub fn hold_free_port() -> Result<TcpListener, String> {
    let range = fs::read_to_string(EPHEMERAL_RANGE).unwrap_or_default();
    hold(process::id(), &TRIED, first_ephemeral(&range))
}

fn hold(process: u32, tried: &AtomicU32, end: u16) -> Result<TcpListener, String> {
    for _ in LOWEST..end {
        let port = candidate(process, tried.fetch_add(1, Ordering::Relaxed), end);
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match TcpListener::bind(wanted) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(format!("{wanted}: cannot listen: {error}")),
        }
    }
    Err(format!("127.0.0.1: no port from {LOWEST} to {} is free", end - 1))
}

/// The ports of a process begin at a place that depends on its number, so that two that are started side by side do not
/// meet between the release of a port and its use.
fn candidate(process: u32, tried: u32, end: u16) -> u16 {
    let ports = u32::from(end - LOWEST);
    let windows = ports / u32::from(WINDOW);
    let first = process % windows * u32::from(WINDOW);
    let place = (first + tried % ports) % ports;
    LOWEST + u16::try_from(place).expect("it is below the count of ports")
}

/// A host that gives nearly every port to connections has none that is safe; then the usual ones are as good as any.
fn first_ephemeral(range: &str) -> u16 {
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    first.filter(|first| *first >= LOWEST + WINDOW).unwrap_or(USUAL_EPHEMERAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn port(listener: &TcpListener) -> u16 {
        listener.local_addr().expect("it is bound").port()
    }

    #[test]
    fn no_connection_gets_a_port_that_a_process_is_to_listen_on() {
        let end = first_ephemeral(&fs::read_to_string(EPHEMERAL_RANGE).unwrap_or_default());
        let mut picked = BTreeSet::new();
        for _ in 0..WINDOW {
            let released = port(&hold_free_port().expect("a port is free"));
            assert!((LOWEST..end).contains(&released), "{released}");
            assert!(picked.insert(released), "{released} is picked again while its process starts");
        }
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let (process, end) = (process::id() + 1, USUAL_EPHEMERAL);
        let first = hold(process, &AtomicU32::new(0), end).expect("a port is free");
        let second = hold(process, &AtomicU32::new(0), end).expect("another is free");
        assert!(port(&second) > port(&first), "{second:?} after {first:?}");
        let error = hold(0, &AtomicU32::new(0), LOWEST).expect_err("there is none to try");
        assert_eq!(error, "127.0.0.1: no port from 10000 to 9999 is free");
    }

    #[test]
    fn processes_side_by_side_begin_a_window_apart() {
        let windows = u32::from((USUAL_EPHEMERAL - LOWEST) / WINDOW);
        let mut picked = BTreeSet::new();
        for process in 7_000..7_000 + windows {
            for tried in 0..u32::from(WINDOW) {
                let port = candidate(process, tried, USUAL_EPHEMERAL);
                assert!((LOWEST..USUAL_EPHEMERAL).contains(&port), "{port}");
                assert!(picked.insert(port), "{process} meets another one at {port}");
            }
        }
        let last = u32::from(USUAL_EPHEMERAL - LOWEST) - 1;
        assert_eq!(candidate(0, last, USUAL_EPHEMERAL), USUAL_EPHEMERAL - 1);
        assert_eq!(candidate(0, last + 1, USUAL_EPHEMERAL), LOWEST, "from the start again");
    }

    #[test]
    fn the_range_of_the_system_is_obeyed_where_it_leaves_room() {
        assert_eq!(first_ephemeral("20000\t60999\n"), 20_000);
        for odd in ["", "1024\t65535\n", "10099 60999", "many"] {
            assert_eq!(first_ephemeral(odd), USUAL_EPHEMERAL, "{odd:?}");
        }
    }
}
