//! MASTER, automatic mode: elections.

mod chaos;
mod clauses;
mod desk;
mod drains;
mod files;
mod seats;
mod store;
mod store_clauses;
mod wires;
mod world;
