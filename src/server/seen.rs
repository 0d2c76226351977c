//! The newest organization that a member has run with: a restart does not go back behind it unnoticed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::spool::sync_directory;
use crate::clause;
use crate::protocol::organization::Organization;
use crate::wire::envelope::sha256;

/// The only value of `format` that this version reads.
const SEEN_FORMAT: u32 = 1;
/// The name of the file, in the directory of the member.
const FILE: &str = "organization.seen";

/// What is kept of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    format: u32,
    revision: u32,
    sha256: String,
}

impl Seen {
    fn of(organization: &Organization) -> Self {
        let text = serde_json::to_vec(organization).expect("an organization is JSON");
        let (revision, sha256) = (organization.revision, sha256(&text).to_string());
        Self { format: SEEN_FORMAT, revision, sha256 }
    }

    /// What was kept; nothing at the first start. A file that cannot be read stops no mail.
    fn read(path: &Path) -> Option<Self> {
        let problem = match fs::read(path) {
            Ok(text) => match serde_json::from_slice::<Self>(&text) {
                Ok(seen) if seen.format == SEEN_FORMAT => return Some(seen),
                Ok(seen) => format!("format {}, expected {SEEN_FORMAT}", seen.format),
                Err(error) => error.to_string(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => error.to_string(),
        };
        tracing::warn!(path = %path.display(), problem, "the revision is not compared");
        None
    }
}

fn path_in(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// What is wrong with the `revision` of an organization, for a member that keeps its state in `directory`.
///
/// # Errors
/// The member has run with a later one.
pub(crate) fn compare(directory: &Path, organization: &Organization) -> Result<(), String> {
    clause!(SV_091);
    let path = path_in(directory);
    let (now, shown) = (Seen::of(organization), path.display());
    let Some(seen) = Seen::read(&path) else { return Ok(()) };
    if now.revision < seen.revision {
        return Err(format!(
            "is {}, expected at least {}, with which this member has run; to go back all the same, remove {shown}",
            now.revision, seen.revision
        ));
    }
    if now.revision == seen.revision && now != seen {
        tracing::warn!(
            revision = now.revision,
            "the organization is not the one that had this revision: the other members cannot tell"
        );
    }
    Ok(())
}

/// Keeps that the member runs with this organization. Where that cannot be kept, the next start compares
/// with what was kept before.
pub(crate) fn remember(directory: &Path, organization: &Organization) {
    let path = path_in(directory);
    let now = Seen::of(organization);
    if Seen::read(&path).as_ref() == Some(&now) {
        return;
    }
    if let Err(error) = write(&path, &now) {
        tracing::warn!(path = %path.display(), %error, "the revision is not kept");
    }
}

fn write(path: &Path, seen: &Seen) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let temporary = path.with_extension("part");
    fs::write(&temporary, serde_json::to_vec(seen)?)?;
    fs::File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_directory(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(revision: u32, name: &str) -> Organization {
        let text = fs::read_to_string("examples/five-groups.toml").expect("an example");
        let mut organization: Organization = toml::from_str(&text).expect("it is one");
        (organization.revision, organization.name) = (revision, name.into());
        organization
    }

    // SV-091
    #[test]
    fn an_older_organization_is_noticed() {
        let directory = tempfile::tempdir().expect("a directory");
        let compare = |organization: &Organization| compare(directory.path(), organization);
        assert_eq!(compare(&organization(3, "first")), Ok(()), "nothing was seen yet");
        remember(directory.path(), &organization(3, "first"));
        for (revision, name) in [(3, "first"), (3, "another"), (4, "another")] {
            assert_eq!(compare(&organization(revision, name)), Ok(()));
        }
        let problem = compare(&organization(2, "first")).expect_err("it is older");
        assert!(problem.starts_with("is 2, expected at least 3"), "{problem}");
        remember(directory.path(), &organization(4, "another"));
        assert!(compare(&organization(3, "first")).is_err());
        // As the line says.
        fs::remove_file(path_in(directory.path())).expect("it is there");
        assert_eq!(compare(&organization(2, "first")), Ok(()));
        fs::write(path_in(directory.path()), "{").expect("a file");
        assert_eq!(compare(&organization(2, "first")), Ok(()), "damage stops no mail");
    }
}
