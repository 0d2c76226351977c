//! LINK STATE: the machine of one member, and several joined by a network.

mod bench;
mod burial;
mod chaos;
mod compare;
mod converge;
mod laws;
mod master;
mod member;
mod network;
mod reference;
mod scenarios;
