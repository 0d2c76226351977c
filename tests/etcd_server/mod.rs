//! An etcd that a test starts for itself.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use bridgehead::cli::cluster::hold_free_port;

/// How long anything may take that is to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);

/// Waits until `found` has something.
pub(crate) fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(GLANCE);
    }
}

fn free_port() -> u16 {
    let held = hold_free_port().expect("a port is free");
    held.local_addr().expect("it is bound").port()
}

/// One server of etcd, which is a cluster alone.
pub(crate) struct Etcd {
    directory: PathBuf,
    client: u16,
    peer: u16,
    child: Option<Child>,
}

impl Etcd {
    pub(crate) fn start(directory: &Path) -> Self {
        let (client, peer) = (free_port(), free_port());
        let mut etcd = Self { directory: directory.join("etcd"), client, peer, child: None };
        etcd.start_again();
        etcd
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.client))
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    pub(crate) fn start_again(&mut self) {
        let (client, peer) = (self.endpoint(), format!("http://127.0.0.1:{}", self.peer));
        let log = File::create(self.directory.with_extension("log")).expect("a log");
        let child = Command::new("etcd")
            .arg("--data-dir")
            .arg(&self.directory)
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let child = child.expect(
            "these tests need the program `etcd` (Debian: etcd-server); without it, leave the feature `etcd` out",
        );
        self.child = Some(child);
        eventually("etcd answers", || self.is_healthy().then_some(()));
    }

    fn is_healthy(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address()) else { return false };
        let mut said = String::new();
        let request = b"GET /health HTTP/1.0\r\nHost: etcd\r\n\r\n";
        let asked = stream.write_all(request).and_then(|()| stream.read_to_string(&mut said));
        asked.is_ok() && said.contains("\"true\"")
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}
