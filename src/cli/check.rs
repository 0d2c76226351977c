//! `bridgehead check`.

use std::path::Path;
use std::process::ExitCode;

use super::refused;
use super::table::count;
use crate::clause;
use crate::protocol::organization::{MemberSettings, Organization, SubmitPolicy};
use crate::server::configuration::{
    self, Configuration, ConfigurationError, Kind, complaint, complaint_of_organization,
    place_in_group, report,
};
use crate::server::privileges::check_user;
use crate::server::seen::compare;
use crate::server::shared::{MEMORY, identity_in};
use crate::wire::ids::MemberName;

/// Checks a file of either kind; prints what it holds, or all that is wrong with it.
pub(super) fn run(file: &Path) -> ExitCode {
    match summary(file) {
        Ok(summary) => {
            say!("{}: good: {summary}", file.display());
            ExitCode::SUCCESS
        }
        Err(errors) => refused(&report(&errors)),
    }
}

fn summary(file: &Path) -> Result<String, Vec<ConfigurationError>> {
    match configuration::kind_of(file).map_err(|error| vec![error])? {
        Kind::Organization => {
            let organization = configuration::load_organization(file)?;
            let members: usize = organization.groups.iter().map(|group| group.members.len()).sum();
            Ok(format!(
                "organization `{}`, {}, {}, {}, {}{}{}{}{}",
                organization.name,
                count(organization.groups.len(), "group"),
                count(members, "member"),
                count(organization.connectors.len(), "connector"),
                count(organization.accounts.len(), "account"),
                leased(&organization),
                stored(&organization),
                submission(&organization),
                voters(&organization),
            ))
        }
        Kind::Member => {
            let configuration = configuration::load(file)?;
            check_user(&configuration.process)
                .map_err(|error| vec![complaint(file, error.place, &error.problem)])?;
            let organization = &configuration.member.organization;
            compare(&configuration.directory, organization)
                .map_err(|problem| vec![complaint_of_organization(file, "revision", &problem)])?;
            check_shared(file, &configuration).map_err(|error| vec![error])?;
            let policy = configuration.member.policy_of_submission();
            Ok(format!(
                "member `{}` of organization `{}`, {}, submit {}{}",
                configuration.member.member,
                organization.name,
                count(configuration.peers.len(), "peer"),
                policy.as_str(),
                store(&configuration),
            ))
        }
    }
}

/// What a member of a group that leases accounts shares with the others is there. One that starts does not ask: its
/// mail waits until it is.
fn check_shared(file: &Path, configuration: &Configuration) -> Result<(), ConfigurationError> {
    let Some(shared) = configuration.shared.as_deref() else { return Ok(()) };
    if !configuration.leases_accounts() {
        return Ok(());
    }
    clause!(SV_124);
    if !shared.is_dir() {
        let problem = format!(
            "{}: is no directory, expected one that all members of the group reach",
            shared.display()
        );
        return Err(complaint(file, "accounts.shared", &problem));
    }
    clause!(SV_128);
    let wrong = |problem: String| complaint(file, "accounts.shared", &problem);
    let used = configuration.used_store().map_err(|error| {
        let memory = configuration.directory.join(MEMORY);
        wrong(format!("{}: cannot be read: {error}", memory.display()))
    })?;
    let found = identity_in(shared).map_err(|error| wrong(error.to_string()))?;
    let named = configuration.named_store();
    if let (Some(named), Some(used)) = (named, &used)
        && named != used
    {
        let problem = format!("is `{named}`, and this member has used `{used}`");
        let place = place_in_group(configuration, "accounts.store");
        return Err(complaint_of_organization(file, &place, &problem));
    }
    let expected = named.or(used.as_deref());
    match (expected, &found) {
        (Some(expected), Some(found)) if expected != found => {
            let shared = shared.display();
            Err(wrong(format!("{shared}: is the store `{found}`, expected `{expected}`")))
        }
        (Some(expected), None) => {
            let shared = shared.display();
            Err(wrong(format!("{shared}: there is no store, expected `{expected}`")))
        }
        _ => Ok(()),
    }
}

/// Which store the accounts are in, and that nothing says so to the other members; nothing where there is none yet.
fn store(configuration: &Configuration) -> String {
    let shared = configuration.shared.as_deref().filter(|_| configuration.leases_accounts());
    // That it could be read was just seen.
    let Some(found) = shared.and_then(|shared| identity_in(shared).ok().flatten()) else {
        return String::new();
    };
    match configuration.named_store() {
        Some(_) => format!("\n  leased accounts are in the store {found}"),
        None => format!(
            "\n  leased accounts are in the store {found}; with `store = \"{found}\"` in `[group.accounts]` no \
             member takes another one for it"
        ),
    }
}

/// How many accounts belong to no member for good; nothing where there are none.
fn leased(organization: &Organization) -> String {
    match organization.accounts.iter().filter(|account| account.is_leased()).count() {
        0 => String::new(),
        leased => format!(" ({leased} by lease)"),
    }
}

/// What is promised less to the accounts in mail stores; nothing where there are none.
fn stored(organization: &Organization) -> String {
    let accounts = organization.accounts.iter();
    let is_stored = |host: &MemberName| organization.store(host).is_some();
    match accounts.filter(|account| account.host.as_ref().is_some_and(is_stored)).count() {
        0 => String::new(),
        stored => format!(
            " ({stored} in mail stores, where a copy may be double after a lost reply unless the store \
             offers X-DELIVER)"
        ),
    }
}

/// Where one voter more bears no failure more: a majority of four are three.
fn voters(organization: &Organization) -> String {
    let mut lines = String::new();
    for group in &organization.groups {
        let Some(election) = &group.election else { continue };
        let count = election.electors().count();
        if election.back_end.is_embedded() && count.is_multiple_of(2) {
            lines.push_str(&format!(
                "\n  `{}`: {count} vote, and no more of them may fail than of {}",
                group.name,
                count - 1
            ));
        }
    }
    lines
}

/// Who queues what is born at each member of which something is said, one line each.
fn submission(organization: &Organization) -> String {
    let mut lines = String::new();
    for group in &organization.groups {
        for MemberSettings { name, weight, relay, .. } in &group.settings {
            let policy = group.submit_policy(name);
            lines.push_str(&format!("\n  {name}: submit {}", policy.as_str()));
            if policy == SubmitPolicy::LocalForOthers {
                lines.push_str(&format!(", weight {weight}"));
            }
            if relay.is_some() {
                lines.push_str(", relay *");
            }
        }
        let submits = |member: &&MemberName| group.submit_policy(member) == SubmitPolicy::Remote;
        if group.acceptors().next().is_none() && group.members.iter().any(|m| submits(&m)) {
            lines.push_str(&format!("\n  nobody in `{}` queues for others", group.name));
        }
    }
    lines
}
