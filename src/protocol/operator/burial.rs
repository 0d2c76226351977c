//! The order to bury a group that was deleted.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Item, Ordered};
use crate::clause;
use crate::protocol::linkstate::{LinkCommand, REASON_LIMIT_OCTETS};
use crate::protocol::member::{Member, Turn};
use crate::wire::ids::{GroupName, is_uuid};

/// The group that is meant, and why it is buried.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Burial {
    /// Its name or its UUID.
    pub group: String,
    /// Why.
    pub reason: Option<String>,
    /// Also where the configuration still has it.
    #[serde(default)]
    pub force: bool,
    /// Also where nobody here has ever heard of the UUID.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub unknown: bool,
}

impl Member {
    pub(super) fn order_burial(&mut self, burial: Burial, turn: &mut Turn<'_, '_>) -> Ordered {
        let mut answer = Ordered::default();
        match self.grave(&burial, turn) {
            Ok((uuid, group)) => {
                let text = alloc::format!("{group} is buried, whoever may tell of it");
                answer.done.push(Item::whole(&uuid, &text));
                let reason = burial.reason.unwrap_or_default();
                self.command_link(LinkCommand::Bury { uuid, group, reason }, turn);
            }
            Err(problem) => answer.refused.push(Item::whole(&burial.group, &problem)),
        }
        answer
    }

    /// The UUID and the name of the group that is to be buried, or why it is not.
    fn grave(&self, burial: &Burial, turn: &Turn<'_, '_>) -> Result<(String, GroupName), String> {
        clause!(LS_133);
        let reason = burial.reason.as_deref().unwrap_or_default();
        if reason.len() > REASON_LIMIT_OCTETS || reason.chars().any(char::is_control) {
            let problem =
                alloc::format!("a reason is one line of at most {REASON_LIMIT_OCTETS} octets");
            return Err(problem);
        }
        let table = self.link().table();
        let named = GroupName(burial.group.clone());
        let found: Vec<_> = table.named(&named).collect();
        let (uuid, group) = match &found[..] {
            [record] => (record.uuid.clone(), named),
            [] if is_uuid(&burial.group) => {
                let known = table.of(&burial.group).map(|record| record.group.clone());
                (burial.group.clone(), known.unwrap_or(named))
            }
            [] if table.every(&named).next().is_some() => {
                return Err(String::from("it is buried already"));
            }
            [] => {
                let problem = "no record has this name; a UUID that is not known can be buried by `--unknown`";
                return Err(String::from(problem));
            }
            several => {
                let uuids: Vec<_> = several.iter().map(|record| record.uuid.as_str()).collect();
                return Err(alloc::format!("several groups, name one of {}", uuids.join(", ")));
            }
        };
        let is_lax = turn.fault("burial-not-checked");
        if let Some(problem) = self.link().refuses_burial(&uuid).filter(|_| !is_lax) {
            return Err(String::from(problem));
        }
        let configured = turn.config.organization.groups.iter().find(|group| group.uuid == uuid);
        match configured {
            Some(group) if !burial.force && !is_lax => {
                Err(alloc::format!("the configuration has it as {}", group.name))
            }
            // It may be a slip, and a tombstone is for ever.
            None if table.of(&uuid).is_none() && !burial.unknown => Err(String::from(
                "no record has this UUID; if it is the right one, bury it by `--unknown`",
            )),
            _ => Ok((uuid, group)),
        }
    }
}
