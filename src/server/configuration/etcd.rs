//! `[etcd]`: what must hold where etcd decides who is the master.

use super::sections::{EtcdSection, MemberFile};
use crate::clause;
use crate::protocol::organization::{BackEnd, Organization};

/// The most endpoints that are tried.
const ENDPOINTS_LIMIT: usize = 16;

/// Whether this program can speak with etcd.
const HAS_ETCD: bool = cfg!(feature = "etcd");

/// Where etcd decides, the member knows where it is and can ask it.
pub(super) fn check_etcd(
    member: &MemberFile,
    organization: &Organization,
    wrong: &mut impl FnMut(String, String),
) {
    if let Some(section) = &member.etcd {
        check_section(section, wrong);
    }
    let group = organization.group_of(&member.member);
    let election = group.and_then(|group| group.election.as_ref());
    if election.is_none_or(|election| election.back_end != BackEnd::Etcd) {
        return;
    }
    if !HAS_ETCD {
        clause!(SV_121);
        let problem = "the group of this member has etcd decide (`back_end = \"etcd\"`), and this program was \
                       built without it; expected one built by `cargo build --release --features etcd`, which \
                       needs protoc and libprotobuf-dev";
        wrong("etcd".into(), problem.into());
    }
    clause!(SV_120);
    if member.etcd.is_none() {
        let problem = "is missing: the group of this member has etcd decide, expected a section `[etcd]` with \
                       `endpoints`";
        wrong("etcd".into(), problem.into());
    }
    if member.clock.scale.to_bits() != 1.0_f64.to_bits() {
        let scale = member.clock.scale;
        let problem = format!("is {scale} and etcd's clock is the real one, expected 1");
        wrong("clock.scale".into(), problem);
    }
}

fn check_section(section: &EtcdSection, wrong: &mut impl FnMut(String, String)) {
    clause!(SV_120);
    let count = section.endpoints.len();
    if !(1..=ENDPOINTS_LIMIT).contains(&count) {
        let problem = format!("are {count}, expected 1 to {ENDPOINTS_LIMIT}");
        wrong("etcd.endpoints".into(), problem);
    }
    for (place, endpoint) in section.endpoints.iter().enumerate() {
        if !is_endpoint(endpoint) {
            let problem = format!(
                "`{endpoint}` is not of the form http://HOST:PORT; etcd is asked without TLS"
            );
            wrong(format!("etcd.endpoints[{place}]"), problem);
        }
    }
    let is_prefix = section.prefix.starts_with('/')
        && !section.prefix.ends_with('/')
        && section.prefix.bytes().all(|octet| octet.is_ascii_graphic());
    if !is_prefix {
        let problem = format!(
            "is `{}`, expected printable ASCII that begins with `/` and does not end with one",
            section.prefix
        );
        wrong("etcd.prefix".into(), problem);
    }
}

/// `http://HOST:PORT`, and nothing behind it.
fn is_endpoint(endpoint: &str) -> bool {
    let Some((host, port)) =
        endpoint.strip_prefix("http://").and_then(|rest| rest.rsplit_once(':'))
    else {
        return false;
    };
    let is_host = |octet: u8| octet.is_ascii_alphanumeric() || b".-_:[]".contains(&octet);
    !host.is_empty() && host.bytes().all(is_host) && port.parse::<u16>().is_ok_and(|port| port > 0)
}
