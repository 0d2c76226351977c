//! What must hold of `member.toml` beside its form.

use core::net::SocketAddr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::sections::{
    FilterSection, ListenSection, MemberFile, PeerSection, SecuritySection, ViaSection,
};
use crate::clause;
use crate::protocol::member::{LIMIT_RANGE, Policy, Security};
use crate::protocol::organization::Organization;
use crate::protocol::rules::{self, Kind};
use crate::server::clock::SCALE_LIMIT;
use crate::wire::ids::MemberName;

/// Every name exists, and none stands twice.
pub(super) fn check_names(
    member: &MemberFile,
    organization: &Organization,
    wrong: &mut impl FnMut(String, String),
) {
    if organization.group_of(&member.member).is_none() {
        wrong("member".into(), format!("`{}` is in no group of the organization", member.member));
    }
    for (place, peer) in member.peers.iter().enumerate() {
        let at = format!("peer[{place}].member");
        if organization.group_of(&peer.member).is_none() {
            wrong(at, format!("`{}` is in no group of the organization", peer.member));
        } else if peer.member == member.member {
            wrong(at, format!("`{}` is this member itself", peer.member));
        } else if member.peers[..place].iter().any(|other| other.member == peer.member) {
            wrong(at, format!("`{}` stands twice", peer.member));
        }
        let is_shared = |other: &PeerSection| other.address == peer.address;
        if peer.address.is_some() && member.peers[..place].iter().any(is_shared) {
            let problem = "stands twice, expected another one for each member".into();
            wrong(format!("peer[{place}].address"), problem);
        }
    }
    for (place, via) in member.vias.iter().enumerate() {
        match organization.connector(&via.connector) {
            None => wrong(
                format!("via[{place}].connector"),
                format!("`{}` is no connector of the organization", via.connector),
            ),
            Some(connector) if !connector.targets.contains(&via.target) => wrong(
                format!("via[{place}].target"),
                format!("`{}` is no target of `{}`", via.target, via.connector),
            ),
            Some(_) => {}
        }
        let is_same =
            |other: &ViaSection| other.connector == via.connector && other.target == via.target;
        if member.vias[..place].iter().any(is_same) {
            let problem = format!("`{}` over `{}` stands twice", via.target, via.connector);
            wrong(format!("via[{place}].target"), problem);
        }
    }
}

/// Whether a clock can run so many times as fast as the real one.
#[must_use]
pub fn is_time_scale(scale: f64) -> bool {
    scale > 0.0 && scale <= SCALE_LIMIT
}

/// Every number is in its range.
pub(super) fn check_values(member: &MemberFile, wrong: &mut impl FnMut(String, String)) {
    let Policy {
        first_retries_minutes,
        retry_interval_minutes,
        delay_notice_hours: _,
        expiry_hours,
        hop_limit,
        message_limit_octets,
        recipients_limit,
        queue_limit,
        rules,
        suspects: _,
        limits: _,
        outside: _,
        filter: _,
        journal_retention_days,
        relay_networks: _,
    } = &member.policy;
    let mut at_least_one = |name: &str, value: u64| {
        if value == 0 {
            wrong(format!("policy.{name}"), "is 0, expected at least 1".into());
        }
    };
    at_least_one("retry_interval_minutes", u64::from(*retry_interval_minutes));
    at_least_one("expiry_hours", u64::from(*expiry_hours));
    at_least_one("hop_limit", u64::from(*hop_limit));
    at_least_one("message_limit_octets", *message_limit_octets);
    at_least_one("recipients_limit", u64::from(*recipients_limit));
    at_least_one("queue_limit", u64::from(*queue_limit));
    for (place, minutes) in first_retries_minutes.iter().enumerate() {
        at_least_one(&format!("first_retries_minutes[{place}]"), u64::from(*minutes));
    }
    let (kept, needed) = (24 * u64::from(*journal_retention_days), 2 * u64::from(*expiry_hours));
    if kept <= needed {
        clause!(SV_062);
        // Where the days are the default, the hours are what somebody wrote.
        if *journal_retention_days == Policy::default().journal_retention_days {
            let least = format!("twice as long as that, and are {journal_retention_days} days");
            let problem =
                format!("is {expiry_hours}: `journal_retention_days` must be more than {least}");
            wrong("policy.expiry_hours".into(), problem);
        } else {
            let problem =
                format!("is {journal_retention_days}, expected more than twice the expiry");
            wrong("policy.journal_retention_days".into(), problem);
        }
    }
    for (place, problem) in rules::check(rules, "policy.rule", Kind::Queue) {
        wrong(place, problem);
    }
    for (name, value) in member.limits.values() {
        if !LIMIT_RANGE.contains(&value) {
            let (least, most) = LIMIT_RANGE.into_inner();
            wrong(format!("limits.{name}"), format!("is {value}, expected {least} to {most}"));
        }
    }
    let scale = member.clock.scale;
    if !is_time_scale(scale) {
        let expected = format!("expected a number above 0 and at most {SCALE_LIMIT}");
        wrong("clock.scale".into(), format!("is {scale}, {expected}"));
    }
}

/// The member knows where everybody is whom it has to reach.
pub(super) fn check_reach(
    member: &MemberFile,
    organization: &Organization,
    wrong: &mut impl FnMut(String, String),
) {
    let peer = |name: &MemberName| member.peers.iter().find(|peer| peer.member == *name);
    let home = organization.group_of(&member.member);
    for neighbour in home.iter().flat_map(|group| &group.members) {
        if *neighbour == member.member {
            continue;
        }
        let known = peer(neighbour).is_some_and(|peer| {
            peer.smtp.is_some() && peer.deliver.is_some() && peer.group.is_some()
        });
        if !known {
            let expected = "expected a [[peer]] with `smtp`, `deliver` and `group` for each member";
            wrong("peer".into(), format!("`{neighbour}` is of our group; {expected} of it"));
        }
    }
    for connector in &organization.connectors {
        if !connector.sources.contains(&member.member) {
            continue;
        }
        for target in &connector.targets {
            let is_via =
                |via: &ViaSection| via.connector == connector.name && via.target == *target;
            let known = peer(target).is_some_and(|peer| peer.smtp.is_some());
            if !known && !member.vias.iter().any(is_via) {
                let expected = "expected a [[peer]] with `smtp` for it";
                let problem = format!("`{target}` is a target of `{}`; {expected}", connector.name);
                wrong("peer".into(), problem);
            }
        }
    }
}

/// No two listeners want the same address. Port 0 is another one each time.
pub(super) fn check_listeners(listen: &ListenSection, wrong: &mut impl FnMut(String, String)) {
    let listeners: Vec<_> = listen.all().collect();
    for (place, (name, address)) in listeners.iter().enumerate() {
        let same = listeners[..place].iter().find(|(_, other)| is_shared(*other, *address));
        if let Some((other, _)) = same {
            let problem =
                format!("{address} is taken by `{other}`, expected another address or port");
            wrong(format!("listen.{name}"), problem);
        }
    }
}

/// Whether one of two listeners is in the way of the other: an unspecified address is all addresses.
pub(super) fn is_shared(one: SocketAddr, other: SocketAddr) -> bool {
    let holds = |all: SocketAddr, part: SocketAddr| {
        all.ip().is_unspecified() && (all.is_ipv6() || part.is_ipv4())
    };
    let is_same_host = one.ip() == other.ip() || holds(one, other) || holds(other, one);
    one.port() != 0 && one.port() == other.port() && is_same_host
}

/// That addresses prove names must not be so by oversight.
pub(super) fn check_permission(security: &SecuritySection, wrong: &mut impl FnMut(String, String)) {
    if security.members == Security::Address && !security.allow_development_ca {
        let problem = "is \"address\": members prove their names by address only, which anybody can \
                       claim; expected \"tls\", or `allow_development_ca = true` for tests";
        wrong("security.members".into(), problem.into());
    }
}

/// The filter can be started.
pub(super) fn check_filter(filter: Option<&FilterSection>, wrong: &mut impl FnMut(String, String)) {
    let Some(FilterSection { command, time_limit_s, at_once }) = filter else { return };
    clause!(SV_067);
    for (name, value) in [("time_limit_s", *time_limit_s), ("at_once", *at_once)] {
        if value == 0 {
            wrong(format!("filter.{name}"), "is 0, expected at least 1".into());
        }
    }
    let expected = "expected the absolute path of a program, and its arguments";
    let Some(program) = command.first() else {
        return wrong("filter.command".into(), format!("is empty, {expected}"));
    };
    let path = Path::new(program);
    let problem = match fs::metadata(path) {
        _ if !path.is_absolute() => "is no absolute path".into(),
        Err(error) => format!("cannot be examined: {error}"),
        Ok(metadata) if !metadata.is_file() => "is no file".into(),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => "cannot be executed".into(),
        Ok(_) => return,
    };
    wrong("filter.command".into(), format!("`{program}` {problem}, {expected}"));
}
