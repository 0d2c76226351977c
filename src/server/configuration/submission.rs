//! What `member.toml` says of the submission ports.

use std::path::Path;

use super::file::{TomlFile, read_text};
use super::{ConfigurationError, MemberFile, SecuritySection};
use crate::clause;
use crate::protocol::member::Security;
use crate::protocol::networks::Network;
use crate::protocol::organization::Organization;
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

/// Where the members of its group are that relay to a frontend by `*`: plain SMTP proves no name.
pub(super) fn relaying_members(member: &MemberFile, organization: &Organization) -> Vec<Network> {
    clause!(SM_113);
    let home = organization.group_of(&member.member);
    let is_frontend = home.is_some_and(|group| group.frontends().any(|own| *own == member.member));
    let settings = home.into_iter().flat_map(|group| &group.settings);
    let relaying = settings.filter(|settings| is_frontend && settings.relay.is_some());
    let peers = relaying.filter_map(|settings| {
        let peer = member.peers.iter().find(|peer| peer.member == settings.name)?;
        peer.address.or_else(|| Some(peer.smtp?.ip()))
    });
    peers.map(Network::from).collect()
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

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::server::configuration::load;

    const ORGANIZATION: &str = r#"
format = 1
revision = 1
name = "Test"
domains = ["example.org"]
[[group]]
name = "G"
uuid = "00000000000000000000000000000001"
members = ["fe", "be1", "be2"]
master = "be1"
member = [{ name = "fe", role = "frontend" }, { name = "be1", role = "backend", relay = "*" }]
"#;

    // SM-113
    #[test]
    fn a_frontend_knows_who_relays_to_it() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("organization.toml"), ORGANIZATION).unwrap();
        let names = ["fe", "be1", "be2"];
        let listed = names.map(|name| {
            let mut text = format!(
                "format = 1\nmember = \"{name}\"\norganization = \"organization.toml\"\n\
                 directory = \"state\"\n[listen]\nsmtp = \"127.0.0.1:0\"\ndeliver = \"127.0.0.1:0\"\n\
                 group = \"127.0.0.1:0\"\n[security]\nmembers = \"address\"\n\
                 allow_development_ca = true\n[policy]\nrelay_networks = [\"192.0.2.0/24\"]\n"
            );
            for (place, peer) in names.iter().enumerate().filter(|(_, peer)| **peer != name) {
                let address = format!("\"127.0.1.{place}:25\"");
                text += &format!("[[peer]]\nmember = \"{peer}\"\nsmtp = {address}\n");
                text += &format!("deliver = {address}\ngroup = {address}\n");
            }
            let path = directory.path().join(format!("{name}.toml"));
            fs::write(&path, text).unwrap();
            let networks = load(&path).unwrap().member.policy.relay_networks;
            networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(listed, ["192.0.2.0/24 127.0.1.1/32", "192.0.2.0/24", "192.0.2.0/24"]);
    }
}
