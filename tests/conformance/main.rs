//! The suite against this implementation: with certificates, and with bugs planted.

mod mutants;
mod tls;
