//! `member.toml`.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;
use std::path::{Path, PathBuf};

use super::accounts::check_accounts;
use super::checks::{
    check_filter, check_listeners, check_names, check_permission, check_reach, check_values,
};
use super::etcd::check_etcd;
use super::file::{TomlFile, read_text};
use super::outside::{OutsideTrust, outside};
use super::sections::{
    FilterConfiguration, ListenSection, MEMBER_FORMAT, MemberFile, PeerSection, SecuritySection,
};
use super::smart_host::check_smart_host;
use super::submission::{check_submission, client_credentials, read_pem, relaying_members};
use super::{Configuration, ConfigurationError, Listen, Peer, load_organization};
use crate::clause;
use crate::protocol::faults::Faults;
use crate::protocol::member::{MemberConfig, OutsidePolicy, Policy, Security};
use crate::protocol::networks::Network;
use crate::protocol::organization::Organization;
use crate::server::identity::{ClientCredentials, Credentials};

/// Reads and checks a member and its organization.
///
/// # Errors
/// Everything that is wrong, in the order of the files.
pub fn load(path: &Path) -> Result<Configuration, Vec<ConfigurationError>> {
    let file = TomlFile::read(path).map_err(|error| vec![error])?;
    let member: MemberFile = file.parse(MEMBER_FORMAT).map_err(|error| vec![error])?;
    let organization = organization(&file, &member)?;
    let mut errors = Vec::new();
    let mut wrong = |place: String, problem: String| errors.push(file.at(&place, &problem));
    check_names(&member, &organization, &mut wrong);
    check_values(&member, &mut wrong);
    check_reach(&member, &organization, &mut wrong);
    check_listeners(&member.listen, &mut wrong);
    check_submission(&member, &mut wrong);
    check_permission(&member.security, &mut wrong);
    check_filter(member.filter.as_ref(), &mut wrong);
    check_etcd(&member, &organization, &mut wrong);
    check_accounts(&member, &organization, &|path| file.relative(path), &mut wrong);
    check_smart_host(&file, &member, &organization, &mut errors);
    let credentials = credentials(&file, &member.security, &mut errors);
    let client_credentials = client_credentials(&file, &member.security, &mut errors);
    check_identity(&file, &member, credentials.as_ref(), &mut errors);
    let outside = outside(&file, &member.outside, &mut errors);
    if errors.is_empty() {
        let credentials = (credentials, client_credentials);
        Ok(configuration(&file, member, organization, credentials, outside))
    } else {
        Err(errors)
    }
}

/// The organization. Where its file cannot be read, the line that names it is wrong.
fn organization(
    file: &TomlFile,
    member: &MemberFile,
) -> Result<Organization, Vec<ConfigurationError>> {
    clause!(SV_041);
    let path = file.relative(&member.organization);
    if let Err(error) = read_text(&path) {
        let expected = "expected the path of an organization.toml, from the directory of this file";
        let problem = format!("{}: cannot be read: {error}; {expected}", path.display());
        return Err(vec![file.at("organization", &problem)]);
    }
    load_organization(&path)
}

/// Reads the PEM files where TLS is on.
fn credentials(
    file: &TomlFile,
    security: &SecuritySection,
    errors: &mut Vec<ConfigurationError>,
) -> Option<Credentials> {
    let SecuritySection { members, ca, certificate, key, .. } = security;
    if *members == Security::Address {
        return None;
    }
    let mut read = |name: &str, path: &Option<PathBuf>| match path {
        Some(path) => read_pem(file, name, path, errors),
        None => {
            let problem = "is missing, expected the path of a PEM file";
            errors.push(file.at(&format!("security.{name}"), problem));
            String::new()
        }
    };
    Some(Credentials {
        ca_pem: read("ca", ca),
        certificate_pem: read("certificate", certificate),
        key_pem: read("key", key),
    })
}

/// The certificate can be used, is this member's, and comes from an authority that is good enough.
fn check_identity(
    file: &TomlFile,
    member: &MemberFile,
    credentials: Option<&Credentials>,
    errors: &mut Vec<ConfigurationError>,
) {
    let Some(credentials) = credentials else { return };
    if !errors.is_empty() {
        return;
    }
    let identity = match credentials.identity() {
        Ok(identity) => identity,
        Err(error) => {
            errors.push(file.at(&format!("security.{}", error.part), &error.problem));
            return;
        }
    };
    if credentials.names([&member.member]).ok().flatten().is_none() {
        let problem = format!("does not name `{}`", member.member);
        errors.push(file.at("security.certificate", &problem));
    }
    clause!(SV_032);
    if identity.is_development && !member.security.allow_development_ca {
        let problem = "is a development authority; a real one is expected, or \
                       `allow_development_ca = true`";
        errors.push(file.at("security.ca", problem));
    }
}

fn configuration(
    file: &TomlFile,
    member: MemberFile,
    organization: Organization,
    (credentials, client_credentials): (Option<Credentials>, Option<ClientCredentials>),
    (outside, trust): (Vec<OutsidePolicy>, OutsideTrust),
) -> Configuration {
    let directory = file.relative(&member.directory);
    let shared = member.accounts.as_ref().map(|section| file.relative(&section.shared));
    let relaying = relaying_members(&member, &organization);
    let ListenSection { smtp, deliver, group, admin, submission, submissions, health } =
        member.listen;
    // Where addresses prove names, a member has to come from the address where it is expected.
    let is_name = member.security.members == Security::Address && !smtp.ip().is_unspecified();
    let source = is_name.then_some(smtp.ip());
    let peers = member.peers.into_iter().map(|section| {
        let PeerSection { member, smtp, deliver, group, address } = section;
        (member, Peer { smtp, deliver, group, address })
    });
    let peers: BTreeMap<_, _> = peers.collect();
    let mut policy = member.policy;
    policy.relay_networks.extend(relaying);
    (policy.limits, policy.outside) = (member.limits, outside);
    let known = peers.values().flat_map(|peer: &Peer| {
        let listens = [peer.smtp, peer.deliver, peer.group].into_iter().flatten();
        listens.map(|address| address.ip()).chain(peer.address)
    });
    policy.limits.client.exempt.extend(known.map(Network::from));
    let vias = member.vias.into_iter().map(|via| ((via.connector, via.target), via.address));
    Configuration {
        member: MemberConfig {
            organization: Arc::new(organization),
            member: member.member,
            security: member.security.members,
            policy: Policy { filter: member.filter.is_some(), ..policy },
            faults: Faults::none(),
        },
        listen: Listen {
            smtp,
            deliver,
            group,
            admin: admin.map(|admin| directory.join(admin)),
            submission,
            submissions,
            health,
        },
        directory,
        peers,
        via: vias.collect::<BTreeMap<_, _>>(),
        credentials,
        client_credentials,
        allow_development_ca: member.security.allow_development_ca,
        trust,
        process: member.process,
        source,
        time_scale: member.clock.scale,
        etcd: member.etcd,
        shared,
        filter: member.filter.map(|section| FilterConfiguration {
            command: section.command,
            time_limit: Duration::from_secs(u64::from(section.time_limit_s)),
            at_once: usize::try_from(section.at_once).unwrap_or(usize::MAX),
        }),
    }
}
