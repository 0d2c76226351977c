//! `organization.toml`.

use std::path::Path;

use super::ConfigurationError;
use super::file::TomlFile;
use crate::protocol::organization::{ORGANIZATION_FORMAT, Organization};

/// Reads and checks an organization.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
pub fn load_organization(path: &Path) -> Result<Organization, Vec<ConfigurationError>> {
    let file = TomlFile::read(path).map_err(|error| vec![error])?;
    let organization: Organization =
        file.parse(ORGANIZATION_FORMAT).map_err(|error| vec![error])?;
    let wrong = organization.check();
    if wrong.is_empty() {
        return Ok(organization);
    }
    Err(wrong.iter().map(|error| file.at(&error.place, &error.problem)).collect())
}
