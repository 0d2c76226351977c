//! Accounts that the master of a group leases to its members: the clauses one by one, and random schedules in
//! true time.

mod chaos;
mod desk;
mod granting;
mod holding;
mod wires;
mod world;
