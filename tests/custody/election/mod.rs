//! MASTER, automatic mode: elections.

mod chaos;
mod clauses;
mod desk;
mod drains;
mod wires;
mod world;
