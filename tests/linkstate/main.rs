//! LINK STATE: the machine of one member, and several joined by a network.

mod bench;
mod chaos;
mod compare;
mod laws;
mod master;
mod member;
mod network;
mod routes;
mod scenarios;
