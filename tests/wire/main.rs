//! The grammars: what they read, what they write, and what they refuse.

mod accounts;
mod chunks;
mod corpus;
mod election;
mod envelopes;
mod exits;
mod framer;
mod historic;
mod lifetimes;
mod links;
mod member_list;
mod members;
mod restrictions;
mod smtp;
mod sources;
mod store;
mod support;
mod verify;
