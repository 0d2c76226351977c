//! What may change while a member runs.

use core::fmt::Display;
use core::net::SocketAddr;
use std::path::Path;

use super::file::TomlFile;
use super::member::load;
use super::sections::{EtcdSection, FilterConfiguration, MEMBER_FORMAT, MemberFile};
use super::{Configuration, ConfigurationError};
use crate::clause;
use crate::protocol::organization::Group;

/// Reads and checks both files as [`load`] does, and what they say against what holds now.
///
/// # Errors
/// Everything that is wrong, or that needs a restart.
pub fn reload(path: &Path, old: &Configuration) -> Result<Configuration, Vec<ConfigurationError>> {
    let mut new = load(path)?;
    let file = TomlFile::read(path).map_err(|error| vec![error])?;
    let mut errors: Vec<_> =
        (fixed(old, &new).into_iter()).map(|(place, problem)| file.at(&place, &problem)).collect();
    errors.extend(revision(&file, old, &new).map_err(|error| vec![error])?);
    errors.extend(back_end(&file, old, &new).map_err(|error| vec![error])?);
    errors.extend(store(&file, old, &new).map_err(|error| vec![error])?);
    if !errors.is_empty() {
        return Err(errors);
    }
    new.member.faults = old.member.faults.clone();
    Ok(new)
}

/// An error at a place of a file that was good when it was read.
#[must_use]
pub fn complaint(path: &Path, place: &str, problem: &str) -> ConfigurationError {
    TomlFile::read(path).map_or_else(
        |_| ConfigurationError::file(path, format!("{place}: {problem}")),
        |file| file.at(place, problem),
    )
}

/// The same in the organization that a member's file names.
#[must_use]
pub fn complaint_of_organization(path: &Path, place: &str, problem: &str) -> ConfigurationError {
    let found = TomlFile::read(path).and_then(|file| in_organization(&file, place, problem));
    found.unwrap_or_else(|_| ConfigurationError::file(path, format!("{place}: {problem}")))
}

fn in_organization(
    file: &TomlFile,
    place: &str,
    problem: &str,
) -> Result<ConfigurationError, ConfigurationError> {
    let member: MemberFile = file.parse(MEMBER_FORMAT)?;
    Ok(TomlFile::read(&file.relative(&member.organization))?.at(place, problem))
}

/// What stands fast for as long as the process lives, where it has changed.
fn fixed(old: &Configuration, new: &Configuration) -> Vec<(String, String)> {
    clause!(SV_086);
    let mut changed = Vec::new();
    let mut compare = |place: &str, old: &dyn Display, new: &dyn Display| {
        let (old, new) = (old.to_string(), new.to_string());
        if old != new {
            let problem = format!("is {new} and was {old}; that takes a restart");
            changed.push((place.to_owned(), problem));
        }
    };
    let path = |path: &Path| format!("`{}`", path.display());
    let admin = |of: &Configuration| of.listen.admin.as_deref().map_or_else(|| "none".into(), path);
    compare("member", &old.member.member, &new.member.member);
    compare("directory", &path(&old.directory), &path(&new.directory));
    compare("listen.smtp", &old.listen.smtp, &new.listen.smtp);
    compare("listen.deliver", &old.listen.deliver, &new.listen.deliver);
    compare("listen.group", &old.listen.group, &new.listen.group);
    compare("listen.admin", &admin(old), &admin(new));
    let port =
        |address: Option<SocketAddr>| address.map_or_else(|| "none".into(), |a| a.to_string());
    compare("listen.submission", &port(old.listen.submission), &port(new.listen.submission));
    compare("listen.submissions", &port(old.listen.submissions), &port(new.listen.submissions));
    compare("listen.health", &port(old.listen.health), &port(new.listen.health));
    let security = |of: &Configuration| format!("{:?}", of.member.security).to_lowercase();
    compare("security.members", &security(old), &security(new));
    compare("clock.scale", &old.time_scale, &new.time_scale);
    let named = |name: &Option<String>| {
        name.as_ref().map_or_else(|| "none".into(), |name| format!("`{name}`"))
    };
    compare("process.user", &named(&old.process.user), &named(&new.process.user));
    compare("process.group", &named(&old.process.group), &named(&new.process.group));
    let filter = |of: &Configuration| {
        of.filter.as_ref().map_or_else(
            || "none".into(),
            |FilterConfiguration { command, time_limit, at_once }| {
                format!("`{}` ({time_limit:?}, {at_once} at once)", command.join(" "))
            },
        )
    };
    compare("filter", &filter(old), &filter(new));
    clause!(SV_123);
    let etcd = |of: &Configuration| {
        of.etcd.as_ref().map_or_else(
            || "none".into(),
            |EtcdSection { endpoints, prefix }| {
                format!("{} below `{prefix}`", endpoints.join(", "))
            },
        )
    };
    compare("etcd", &etcd(old), &etcd(new));
    clause!(SV_127);
    let shared = |of: &Configuration| of.shared.as_deref().map_or_else(|| "none".into(), path);
    compare("accounts.shared", &shared(old), &shared(new));
    if old.member.member == new.member.member {
        let group = |of: &Configuration| {
            let group = of.member.organization.group_of(&of.member.member);
            group.map_or_else(String::new, |group| format!("of `{}` ({})", group.name, group.uuid))
        };
        compare("member", &group(old), &group(new));
    }
    changed
}

/// Two that are elected by different back ends do not exclude each other.
fn back_end(
    file: &TomlFile,
    old: &Configuration,
    new: &Configuration,
) -> Result<Option<ConfigurationError>, ConfigurationError> {
    let decides = |of: &Configuration| {
        let group = of.member.organization.group_of(&of.member.member)?;
        Some(group.election.as_ref()?.back_end)
    };
    let (Some(before), Some(after)) = (decides(old), decides(new)) else { return Ok(None) };
    if before == after {
        return Ok(None);
    }
    clause!(MA_089);
    let problem = format!(
        "is {} and was {}; that takes a restart, with every voter of the group stopped meanwhile",
        after.name(),
        before.name()
    );
    Ok(Some(in_organization(file, &place_in_group(new, "election.back_end"), &problem)?))
}

/// A place in the table of the member's group.
#[must_use]
pub fn place_in_group(of: &Configuration, place: &str) -> String {
    let is_own = |group: &Group| group.members.contains(&of.member.member);
    let groups = &of.member.organization.groups;
    let own = groups.iter().position(is_own).expect("each member has a group");
    format!("group[{own}].{place}")
}

/// Who uses a store goes on with it: another one takes a restart, and the name of this one does not.
fn store(
    file: &TomlFile,
    old: &Configuration,
    new: &Configuration,
) -> Result<Option<ConfigurationError>, ConfigurationError> {
    let Some(named) = new.named_store().filter(|named| old.named_store() != Some(*named)) else {
        return Ok(None);
    };
    clause!(SV_128);
    let problem = match new.used_store() {
        Ok(Some(used)) if used == named => return Ok(None),
        Ok(Some(used)) => format!("is `{named}`, and this member has used `{used}`"),
        Ok(None) => {
            format!("is `{named}`, and this member has used none yet; that takes a restart")
        }
        Err(error) => format!("cannot be compared with what this member has used: {error}"),
    };
    Ok(Some(in_organization(file, &place_in_group(new, "accounts.store"), &problem)?))
}

/// Another organization has to say that it is a later one: members compare what they know by it.
fn revision(
    file: &TomlFile,
    old: &Configuration,
    new: &Configuration,
) -> Result<Option<ConfigurationError>, ConfigurationError> {
    let (old, new) = (&old.member.organization, &new.member.organization);
    if old == new || new.revision > old.revision {
        return Ok(None);
    }
    clause!(SV_087);
    let problem = format!(
        "is {}, expected more than {}: the organization is not the one that has this revision",
        new.revision, old.revision
    );
    Ok(Some(in_organization(file, "revision", &problem)?))
}
