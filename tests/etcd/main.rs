//! Against a real etcd, which each test starts for itself. Only with the feature `etcd`; then etcd must be there.

#![allow(clippy::disallowed_types, reason = "real processes are waited for")]

mod contract;
#[path = "../etcd_server/mod.rs"]
mod etcd_server;
mod members;
mod support;
