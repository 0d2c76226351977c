//! `[accounts]`: what must hold where the master of the group leases accounts.

use std::path::{Component, Path, PathBuf};

use super::sections::MemberFile;
use crate::clause;
use crate::protocol::organization::Organization;

/// Whether both lead to the same directory, also by a link; where one is not there yet, whether they say the same.
fn is_same(one: &Path, other: &Path) -> bool {
    fn names(path: &Path) -> impl Iterator<Item = Component<'_>> {
        path.components().filter(|part| *part != Component::CurDir)
    }
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => names(one).eq(names(other)),
    }
}

/// The member knows where the accounts are that its group leases. Where none is leased yet the section may stand
/// already: it takes a restart, and leasing does not.
pub(super) fn check_accounts(
    member: &MemberFile,
    organization: &Organization,
    relative: &dyn Fn(&Path) -> PathBuf,
    wrong: &mut impl FnMut(String, String),
) {
    clause!(SV_124);
    let group = organization.group_of(&member.member);
    let leasing = group.filter(|group| group.accounts.is_some());
    match (&member.accounts, leasing) {
        (None, Some(group)) => {
            let problem = format!(
                "is missing: `{}`, the group of this member, leases accounts (`[group.accounts]`), expected a \
                 section `[accounts]` with `shared`, a directory that all members of the group reach",
                group.name
            );
            wrong("accounts".into(), problem);
        }
        (Some(section), _) if section.shared.as_os_str().is_empty() => {
            let problem = "is empty, expected a directory that all members of the group reach";
            wrong("accounts.shared".into(), problem.into());
        }
        (Some(section), _) if is_same(&relative(&section.shared), &relative(&member.directory)) => {
            let problem = format!(
                "is `{}`, which is the `directory` of this member alone; expected one that all members of the \
                 group reach",
                section.shared.display()
            );
            wrong("accounts.shared".into(), problem);
        }
        _ => {}
    }
}
