//! The events of the machine in the log.

use crate::clause;
use crate::protocol::member::Event;
use crate::protocol::session::Tag;
use crate::wire::ids::MemberName;

/// Writes an event to the log of `member`.
pub(super) fn log_event(member: &MemberName, event: &Event) {
    let member = member.as_str();
    if let Event::Quarantined { queue, problem, .. } = event {
        tracing::error!(member, %queue, problem, "in quarantine: a stored body is damaged");
    }
    let (of_submission, is_alarm) = (of_submission(event), event.is_alarm());
    let event = serde_json::to_string(event).unwrap_or_default();
    match of_submission {
        Some(true) => tracing::warn!(target: "SUBMIT", member, event),
        Some(false) => tracing::info!(target: "SUBMIT", member, event),
        None if is_alarm => tracing::warn!(target: "bridgehead::event", member, event, "alarm"),
        None => tracing::info!(target: "bridgehead::event", member, event),
    }
}

/// Whether an event is about submissions, whose log level is their own; and then, whether it is trouble.
fn of_submission(event: &Event) -> Option<bool> {
    match event {
        Event::Submit(event) => Some(event.is_trouble()),
        Event::Session { tag: Tag::Submit, .. } => {
            clause!(CU_092);
            Some(false)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::session::SessionEvent;
    use crate::wire::ids::ConnectionId;

    /// CU-092: what a session says of a hand-over has the tag, and no other session's line.
    #[test]
    fn lines_with_the_tag_have_its_level() {
        for (tag, of) in [(Tag::Submit, Some(false)), (Tag::Smtp, None), (Tag::Submission, None)] {
            let event = SessionEvent::TimedOut;
            let event = Event::Session { connection: ConnectionId(1), tag, event };
            assert_eq!(of_submission(&event), of, "{tag}");
        }
    }
}
