//! The spool and the stores, on real files.

mod damage;
mod sqlite;
mod stores;
mod support;
