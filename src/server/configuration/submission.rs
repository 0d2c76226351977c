//! What `member.toml` says of the submission ports.

use std::path::Path;

use super::file::{TomlFile, read_text};
use super::{ConfigurationError, MemberFile, SecuritySection};
use crate::clause;
use crate::protocol::member::Security;
use crate::server::identity::ClientCredentials;

/// What the submission ports need is there.
pub(super) fn check_submission(member: &MemberFile, wrong: &mut impl FnMut(String, String)) {
    clause!(SV_071);
    let SecuritySection { members, client_certificate, client_key, .. } = &member.security;
    let is_clear = *members == Security::Address;
    if is_clear && member.listen.submissions.is_some() {
        let problem = "needs TLS, and security.members is \"address\"; expected `submission` only";
        wrong("listen.submissions".into(), problem.into());
    }
    let pair = [
        ("client_certificate", client_certificate, "client_key", client_key),
        ("client_key", client_key, "client_certificate", client_certificate),
    ];
    for (name, one, other_name, other) in pair {
        if one.is_some() && is_clear {
            let problem = "is given, and security.members is \"address\": there is no TLS";
            wrong(format!("security.{name}"), problem.into());
        } else if one.is_some() && other.is_none() {
            wrong(format!("security.{name}"), format!("expected `{other_name}` besides"));
        }
    }
}

/// The text of a PEM file of `[security]`.
pub(super) fn read_pem(
    file: &TomlFile,
    name: &str,
    path: &Path,
    errors: &mut Vec<ConfigurationError>,
) -> String {
    let path = file.relative(path);
    read_text(&path).unwrap_or_else(|error| {
        errors.push(file.at(&format!("security.{name}"), &format!("{}: {error}", path.display())));
        String::new()
    })
}

/// Reads and checks what the submission ports show in place of the member's own certificate.
pub(super) fn client_credentials(
    file: &TomlFile,
    security: &SecuritySection,
    errors: &mut Vec<ConfigurationError>,
) -> Option<ClientCredentials> {
    clause!(SV_072);
    let SecuritySection { client_certificate, client_key, .. } = security;
    let (Some(certificate), Some(key)) = (client_certificate, client_key) else { return None };
    let before = errors.len();
    let credentials = ClientCredentials {
        certificate_pem: read_pem(file, "client_certificate", certificate, errors),
        key_pem: read_pem(file, "client_key", key, errors),
    };
    if errors.len() == before
        && let Err(error) = credentials.server()
    {
        errors.push(file.at(&format!("security.{}", error.part), &error.problem));
    }
    Some(credentials)
}
