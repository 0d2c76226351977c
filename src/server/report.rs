//! What a member shows of itself, as JSON: for the admin socket and for the adapter.

use serde_json::{Value, json};

use super::maildir::{AccountListing, Letter, Maildirs};
use super::shared::SharedMaildirs;
use crate::clause;
use crate::kernel::Time;
use crate::protocol::member::{Member, MemberConfig};
use crate::protocol::operator::Selection;
use crate::protocol::server::Server;
use crate::wire::message::Address;

/// What can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The member as a whole.
    Status,
    /// The messages in its custody that are meant.
    Queue(Selection),
    /// Everything about the messages that are meant.
    Messages(Selection),
    /// Its list of members.
    Members,
    /// Its link-state table.
    LinkState,
    /// The accounts that it has open.
    Accounts,
    /// Who has this account, by what it knows.
    Owner(Address),
    /// Whether it takes mail, for those who watch it.
    Health,
}

impl What {
    /// From its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "status" => Some(Self::Status),
            "queue" => Some(Self::Queue(Selection::default())),
            "linkstate" => Some(Self::LinkState),
            "accounts" => Some(Self::Accounts),
            "members" => Some(Self::Members),
            _ => None,
        }
    }
}

/// What the machine shows at `now`.
#[must_use]
pub fn of(server: &Server, configuration: &MemberConfig, now: Time, what: &What) -> Value {
    let member = server.member();
    match what {
        What::Status => status(server, configuration, now),
        What::Queue(which) => json!({ "messages": member.rows(which, now, configuration) }),
        What::Messages(which) => json!({ "messages": member.shown(which, now, configuration) }),
        What::LinkState => {
            clause!(SV_100);
            let link = member.link();
            let group = configuration.organization.group_of(&configuration.member);
            json!({
                "member": configuration.member,
                "group": group.map(|group| &group.name),
                "time": now,
                "digest": link.table().digest(),
                "records": link.table(),
                "rows": link.rows(now),
                "attached": link.attachments(&configuration.link()),
            })
        }
        What::Health => health(server, configuration),
        What::Members => {
            clause!(MA_054);
            let group = configuration.organization.group_of(&configuration.member);
            json!({
                "member": configuration.member,
                "group": group.map(|group| &group.name),
                "list": member.member_report(now),
            })
        }
        What::Owner(account) => {
            clause!(MA_105);
            let known = member.owner_report_of(account, configuration);
            let filed = configuration.organization.account(account);
            json!({
                "member": configuration.member,
                "master": member.link().master(),
                "group": filed.and_then(|filed| filed.group.as_ref()),
                "known": known,
            })
        }
        What::Accounts => json!({ "accounts": member.account_report(configuration) }),
    }
}

fn status(server: &Server, configuration: &MemberConfig, now: Time) -> Value {
    let member = server.member();
    let group = configuration.organization.group_of(&configuration.member);
    let durable = member.spool();
    json!({
        "member": configuration.member,
        "group": group.map(|group| &group.name),
        "master": member.link().master(),
        "master_by": master_by(member, configuration),
        "attached": attached(member, configuration),
        "elections": member.election_rows(),
        "record": own_record(member, configuration, now),
        "time": now,
        "store": member.store().to_string(),
        "connections": server.connections().count(),
        "submit": configuration.policy_of_submission(),
        "draining": durable.draining,
        "resting": member.resting().collect::<Vec<_>>(),
        "messages": durable.queue.len(),
        "quarantined": durable.queue.values().filter(|message| message.damage.is_some()).count(),
    })
}

/// Why this member takes somebody for the master of its group.
fn master_by(member: &Member, configuration: &MemberConfig) -> Value {
    clause!(MA_075);
    let link = configuration.link();
    match (&link.group().master, member.link().appointment(&link)) {
        (None, _) => json!("election"),
        (Some(named), Some(appointment))
            if appointment.term.member != *named || member.link().is_by_order(&link) =>
        {
            json!("order")
        }
        (Some(_), _) => json!("file"),
    }
}

/// Whether this member is attached to the master that it knows; `null` at the master itself, and without one.
fn attached(member: &Member, configuration: &MemberConfig) -> Value {
    let link = configuration.link();
    let is_other = member.link().master().is_some_and(|master| *master != configuration.member);
    let row = member.link().attachments(&link).into_iter().next().filter(|_| is_other);
    row.map_or(Value::Null, |row| json!(row.attached))
}

/// How old what this member knows of its own group is.
fn own_record(member: &Member, configuration: &MemberConfig, now: Time) -> Value {
    let link = configuration.link();
    let (group, uuid) = (&link.group().name, &link.group().uuid);
    let row = member.link().rows(now).into_iter().find(|row| row.group == *group);
    let term = member.link().table().of(uuid).map(|record| &record.version.term);
    row.map_or(
        Value::Null,
        |row| json!({ "version": row.version, "term": term, "age_s": row.age_s, "stale": row.stale }),
    )
}

/// Why the member takes no mail, as far as its machine knows; the host may know more.
fn health(server: &Server, configuration: &MemberConfig) -> Value {
    clause!(SV_105);
    let member = server.member();
    let link = configuration.link();
    let group = link.group();
    let record = member.link().table().of(&group.uuid);
    let elected = member.election(&group.name).and_then(|election| election.known());
    let mut reasons = Vec::new();
    if member.spool().draining {
        reasons.push("draining");
    }
    if record.is_none() {
        reasons.push("no_table");
    }
    json!({
        "member": configuration.member,
        "group": group.name,
        "ready": reasons.is_empty(),
        "reasons": reasons,
        // Mail goes on without a master: who it is makes no difference here.
        "master": member.link().master(),
        "term": elected.max(record.map(|record| &record.version.term)),
    })
}

/// Adds a reason that the host knows to a report of [`What::Health`].
pub fn add_reason(report: &mut Value, reason: &str) {
    report["ready"] = json!(false);
    if let Some(reasons) = report["reasons"].as_array_mut() {
        reasons.push(json!(reason));
    }
}

/// Adds what lies on the disk to the accounts that the machine has shown. Blocks.
pub(crate) fn add_letters(report: &mut Value, own: &Maildirs, shared: Option<&SharedMaildirs>) {
    let leased = |account: &Value| account["leased"].as_bool() == Some(true);
    let has_leased = report["accounts"].as_array().is_some_and(|all| all.iter().any(leased));
    let mut read = |listed: Result<Vec<AccountListing>, String>| {
        listed.unwrap_or_else(|error| {
            report["error"] = json!(error);
            Vec::new()
        })
    };
    let list = |maildirs: &Maildirs| maildirs.list().map_err(|error| error.to_string());
    let here = read(list(own));
    let together = shared.filter(|_| has_leased).map_or(Ok(Vec::new()), |shared| {
        shared.located().map_err(|error| error.to_string()).and_then(list)
    });
    let together = read(together);
    let accounts = report["accounts"].as_array_mut();
    for account in accounts.into_iter().flatten() {
        let address = account["address"].as_str().unwrap_or_default().to_ascii_lowercase();
        let is_leased = account["leased"].as_bool() == Some(true);
        let meant = Address::from(address.as_str());
        let (listed, directory) = match shared.filter(|_| is_leased) {
            Some(shared) => (&together, shared.directory(&meant)),
            None => (&here, own.directory(&meant)),
        };
        let found = listed.iter().find(|listing| listing.address.0 == address);
        let letter = |letter: &Letter| json!({ "name": letter.name, "path": letter.path, "octets": letter.octets });
        let letters: Vec<Value> =
            found.iter().flat_map(|listing| &listing.letters).map(letter).collect();
        account["letters"] = json!(letters);
        account["unpublished"] = json!(found.map_or(0, |listing| listing.unpublished));
        account["directory"] = json!(directory);
    }
}
