//! The daemon as a process: sockets, signals, disks.

mod adapter;
mod among_strangers;
mod durability;
mod filter;
mod full_disk;
mod health;
mod interop_dovecot;
mod leased;
mod moves;
mod quarantine;
mod real_and_virtual;
mod serve;
mod support;
mod write_faults;
