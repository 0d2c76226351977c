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
//! | [`accounts`] | moves an account to another member |
//! | [`maildir`] | the accounts of this member |
//! | [`shared`] | the accounts that the members of a group share |
//! | [`notices`] | writes delivery status notifications |
//! | [`identity`] | certificates: who a member is |
//! | [`outside_tls`] | whose certificates are good enough outside |
//! | [`configuration`] | `member.toml` and `organization.toml` |
//! | [`store`] | etcd, where it decides who is the master |
//! | [`privileges`] | gives up what only root may do |
//! | [`sync`] | the queue in front of the disk, the one object that threads share |
#![allow(clippy::disallowed_types, reason = "the shell is where the operating system is met")]

pub mod accounts;
pub mod adapter;
pub mod admin;
pub mod bodies;
pub mod clock;
pub mod configuration;
pub mod filter;
pub mod health;
pub mod identity;
pub mod maildir;
pub mod net;
pub mod notices;
pub mod outside_tls;
mod passwords;
pub(crate) mod private;
pub mod privileges;
pub mod report;
pub mod runtime;
pub(crate) mod seen;
pub mod shared;
pub mod spool;
pub mod store;
pub mod sync;
pub mod tokens;
