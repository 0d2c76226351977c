//! One member among strangers: TLS with outside servers, a changed configuration, dropped privileges.

mod outside_tls;
mod privileges;
mod reload;

use std::path::Path;

use crate::serve::FOR_TESTS;
use crate::support::write_configuration;

/// A member with these sections besides the usual ones.
fn configured(directory: &Path, sections: &str) -> std::path::PathBuf {
    let file = write_configuration(directory, "127.0.0.1:0", FOR_TESTS);
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + sections).unwrap();
    file
}
