//! The commands, as a shell runs them.

mod cluster;
mod cluster_killed;
mod commands;
mod snapshots;
mod support;
mod walk;
