//! Against a real etcd, which each test starts for itself. Only with the feature `etcd`; then etcd must be there.

mod contract;
mod members;
mod support;
