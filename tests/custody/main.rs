//! Custody: members and hosts as pure machines, joined by a network of messages.

mod accounts;
mod appointed;
mod elected;
mod election;
mod exits;
mod forget;
mod host;
mod hours;
mod list_machine;
mod member_list;
mod network;
mod offers;
mod orders;
mod policies;
mod queue;
mod queue_rules;
mod quota;
mod random;
mod reasons;
mod receiver;
mod release;
mod rules;
mod rules_once;
mod scenarios;
mod success;
mod verify;
