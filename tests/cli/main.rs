//! The commands, as a shell runs them.

mod cluster;
mod cluster_killed;
mod commands;

mod linkstate;

mod route;

#[allow(dead_code, reason = "the outside server of the daemon's tests serves here, too")]
#[path = "../shell/support/mod.rs"]
mod shell_support;
mod snapshots;
mod support;
mod walk;
