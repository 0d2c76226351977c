//! MASTER, automatic mode: elections.

mod chaos;
mod clauses;
mod desk;
mod wires;
mod world;
