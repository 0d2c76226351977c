//! The shell around the pure server: disk, sockets, clocks, certificates and configuration.
//!
//! | module | what it is |
//! |---|---|
//! | [`runtime`] | the host loop, which drives the machine; `serve` |
//! | [`net`] | listeners, connections, TLS |
//! | [`clock`] | the seam of time, and the timers |
//! | [`tokens`] | what is under way |
//! | [`adapter`] | the conformance adapter |
//! | [`admin`] | the admin socket |
//! | [`report`] | what a member shows of itself |
//! | [`spool`] | what survives a crash: the changes, their snapshot, the bodies |
//! | [`bodies`] | takes a body in, piece by piece |
//! | [`maildir`] | the accounts of this member |
//! | [`notices`] | writes delivery status notifications |
//! | [`identity`] | certificates: who a member is |
//! | [`configuration`] | `member.toml` and `organization.toml` |
//! | [`sync`] | the queue in front of the disk, the one object that threads share |
//!
//! Under `cfg(loom)` only [`sync`] is built.
#![allow(clippy::disallowed_types, reason = "the shell is where the operating system is met")]

#[cfg(not(loom))]
pub mod adapter;
#[cfg(not(loom))]
pub mod admin;
#[cfg(not(loom))]
pub mod bodies;
#[cfg(not(loom))]
pub mod clock;
#[cfg(not(loom))]
pub mod configuration;
#[cfg(not(loom))]
pub mod identity;
#[cfg(not(loom))]
pub mod maildir;
#[cfg(not(loom))]
pub mod net;
#[cfg(not(loom))]
pub mod notices;
#[cfg(not(loom))]
pub mod report;
#[cfg(not(loom))]
pub mod runtime;
#[cfg(not(loom))]
pub mod spool;
pub mod sync;
#[cfg(not(loom))]
pub mod tokens;
