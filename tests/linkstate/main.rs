//! LINK STATE: the machine of one member, and several joined by a network.

mod absence;
mod age;
mod bench;
mod burial;
mod chaos;
mod collect;
mod compare;
mod converge;
mod damping;
mod exits;
mod flapping;
mod laws;
mod master;
mod member;
mod network;
mod port;
mod reference;
mod restart;
mod routes;
mod scenarios;
mod sources;
mod traces;
