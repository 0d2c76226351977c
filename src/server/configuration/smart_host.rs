//! A smart host must not be this member itself: mail for foreign domains would never leave it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::net::UdpSocket;

use super::ConfigurationError;
use super::checks::is_shared;
use super::file::TomlFile;
use super::sections::{ListenSection, MemberFile};
use crate::clause;
use crate::protocol::organization::{Organization, smart_host_parts};
use crate::wire::ids::MemberName;

/// The organization's smart host, and those of the exits that the member carries, are none of its own ports.
pub(super) fn check_smart_host(
    file: &TomlFile,
    member: &MemberFile,
    organization: &Organization,
    errors: &mut Vec<ConfigurationError>,
) {
    clause!(SV_089);
    clause!(SV_098);
    let mut hosts: Vec<(String, &String)> = Vec::new();
    hosts.extend(organization.smart_host.as_ref().map(|host| ("smart_host".into(), host)));
    for (place, group) in organization.groups.iter().enumerate() {
        for (number, exit) in group.exits.iter().enumerate() {
            let host = exit.smart_host.as_ref().filter(|_| exit.sources.contains(&member.member));
            let at = || format!("group[{place}].exit[{number}].smart_host");
            hosts.extend(host.map(|host| (at(), host)));
        }
    }
    for (place, host) in hosts {
        let Some(listener) = own_listener(host, &member.member, &member.listen) else { continue };
        let problem = format!(
            "is `{host}`, which is `listen.{listener}` of this member; expected a server outside the organization"
        );
        errors.push(match TomlFile::read(&file.relative(&member.organization)) {
            Ok(organization) => organization.at(&place, &problem),
            Err(error) => error,
        });
    }
}

/// The name of the listener that `smart_host` leads to.
fn own_listener(
    smart_host: &str,
    member: &MemberName,
    listen: &ListenSection,
) -> Option<&'static str> {
    let (host, port) = smart_host_parts(smart_host)?;
    let mut listeners = listen.all();
    if host.eq_ignore_ascii_case(member.as_str()) {
        return listeners.find(|(_, own)| own.port() == port).map(|(name, _)| name);
    }
    let addresses: Vec<IpAddr> = match host.parse::<IpAddr>() {
        Ok(address) => vec![address.to_canonical()],
        Err(_) if host.eq_ignore_ascii_case("localhost") => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        // Who has another name is known when it is asked for, not before.
        Err(_) => return None,
    };
    let is_own = |own: SocketAddr| {
        let own = SocketAddr::new(own.ip().to_canonical(), own.port());
        let leads = |ip: &IpAddr| is_shared(own, SocketAddr::new(*ip, port)) && is_here(*ip);
        addresses.iter().any(leads)
    };
    listeners.find(|(_, own)| is_own(*own)).map(|(name, _)| name)
}

/// Whether an address is one of this machine: only there a socket can be bound to it.
fn is_here(address: IpAddr) -> bool {
    address.is_unspecified() || address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(smtp: &str) -> ListenSection {
        let [deliver, group] = ["127.0.0.1:24", "127.0.0.1:2503"].map(|a| a.parse().unwrap());
        let submission = Some("127.0.0.1:587".parse().unwrap());
        let smtp = smtp.parse().unwrap();
        ListenSection {
            smtp,
            deliver,
            group,
            admin: None,
            submission,
            submissions: None,
            health: None,
        }
    }

    /// SV-089: own ports, by address and by name; other ports and other machines are nobody's loop.
    #[test]
    fn a_member_knows_its_own_ports() {
        let member = MemberName::from("mx1.example.org");
        for (smtp, smart_host, listener) in [
            ("0.0.0.0:25", "127.0.0.1:25", Some("smtp")),
            ("0.0.0.0:25", "127.9.9.9:25", Some("smtp")),
            ("[::]:25", "[::1]:25", Some("smtp")),
            ("[::]:25", "127.0.0.1:25", Some("smtp")),
            ("127.0.0.1:25", "[::ffff:127.0.0.1]:25", Some("smtp")),
            ("0.0.0.0:25", "[::ffff:127.0.0.1]:25", Some("smtp")),
            ("[::ffff:127.0.0.1]:25", "127.0.0.1:25", Some("smtp")),
            ("127.0.0.1:25", "localhost:25", Some("smtp")),
            ("[::1]:25", "LOCALHOST:25", Some("smtp")),
            ("127.0.0.1:25", "0.0.0.0:25", Some("smtp")),
            ("192.0.2.1:25", "MX1.example.org:25", Some("smtp")),
            ("127.0.0.1:25", "127.0.0.1:587", Some("submission")),
            ("127.0.0.1:25", "127.0.0.2:25", None),
            ("0.0.0.0:25", "127.0.0.1:26", None),
            ("0.0.0.0:25", "192.0.2.77:25", None),
            ("0.0.0.0:25", "mail.example.net:25", None),
            ("0.0.0.0:25", "mx1.example.org:2525", None),
            ("127.0.0.1:0", "127.0.0.1:25", None),
        ] {
            let found = own_listener(smart_host, &member, &listen(smtp));
            assert_eq!(found, listener, "{smart_host} at {smtp}");
        }
    }
}
