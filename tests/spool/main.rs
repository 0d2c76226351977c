//! The spool and the stores, on real files.

mod damage;
mod shared;
mod sqlite;
mod stores;
mod support;
