//! What it takes to stop a process in the middle of what it does, and to talk to it meanwhile.

use core::net::SocketAddr;
use std::fs;

use bridgehead::server::identity::{Credentials, Identity};
use bridgehead::wire::ids::MemberName;

use crate::kill_support::Cluster;

impl Cluster {
    /// Whether the process of a member stands still, as the system tells.
    pub(crate) fn is_stopped(&self, at: usize) -> bool {
        let running = self.running[at].lock().expect("no panic");
        let process = running.as_ref().expect("it runs").id();
        let status = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
        // Behind the name, which stands in brackets.
        status.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    }

    /// What a member proves itself with.
    pub(crate) fn identity(&self, at: usize) -> Identity {
        let directory = self.plan.members[at].directory(&self.directory);
        let read = |name| fs::read_to_string(directory.join(name)).expect("it was written");
        let (ca_pem, certificate_pem) = (read("ca.pem"), read("certificate.pem"));
        let credentials = Credentials { ca_pem, certificate_pem, key_pem: read("key.pem") };
        credentials.identity().expect("they are right")
    }

    pub(crate) fn name(&self, at: usize) -> &MemberName {
        &self.plan.members[at].name
    }

    pub(crate) fn group_port(&self, at: usize) -> SocketAddr {
        self.plan.members[at].group_port
    }
}
