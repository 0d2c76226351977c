//! Acts and looks as a person reads them.

use super::{Act, Answer, Cue, Look, On, When};
use crate::event::Way;
use crate::script;

/// One act; a conversation is several lines.
pub(crate) fn show_act(act: &Act) -> Vec<String> {
    let line = match act {
        Act::Talk(name, script) => {
            let place = script.place;
            let head = format!("{name}: to the {} port, as {:?}", place.port.name(), place.seat);
            let steps = script.steps.iter().map(|step| format!("    {}", script::show(step)));
            return core::iter::once(head).chain(steps).collect();
        }
        Act::Leave(name) => format!("{name}: closes the connection"),
        Act::Cast(link, port, cues) if cues.is_empty() => {
            format!("behind {link} ({}): as the specification wants it", port.name())
        }
        Act::Cast(link, port, cues) => {
            let head = format!("behind {link} ({}), instead of the ordinary:", port.name());
            let cues = cues.iter().map(show_cue);
            return core::iter::once(head).chain(cues).collect();
        }
        Act::Tell(link, port, content) => {
            format!("behind {link} ({}), unasked: `{content}`", port.name())
        }
        Act::SayNow(link, port) => {
            format!("behind {link} ({}): says what it was to say later", port.name())
        }
        Act::Rule(link, rule) => format!("link {link}: {}", rule.name()),
        Act::Wait(span_us) => format!("{} s pass", span_us / 1_000_000),
        Act::Await(on, count, limit_us) => {
            let seconds = limit_us / 1_000_000;
            format!("time passes until {count} of {} have come, at most {seconds} s", lines(on))
        }
        Act::Until(on, number, span_us) => {
            format!("time passes until {span_us} us after number {number} of {}", lines(on))
        }
        Act::Mark(name) => format!("mark {name}"),
        Act::Inspect(what) => format!("look at the {what} of the node"),
        Act::Bury(group, force) => {
            let forced = if *force { ", and means it" } else { "" };
            format!("the operator of the node buries the group {group}{forced}")
        }
        Act::Drain(true) => "the operator of the node has it drain".into(),
        Act::Drain(false) => "the operator of the node has it drain no more".into(),
        Act::Release(account) => {
            format!("the operator of the node has the account {account} released")
        }
        Act::Transfer(None) => "the operator of the node has the mastership move".into(),
        Act::Transfer(Some(to)) => {
            format!("the operator of the node has the mastership move to {to}")
        }
        Act::Restart => "the node is killed, and starts again with its files".into(),
        Act::Away(span_us) => {
            let seconds = span_us / 1_000_000;
            format!("the node is killed, and starts again with its files after {seconds} s")
        }
        Act::LoseDisk => "the node is killed, and starts again without its files".into(),
    };
    vec![line]
}

fn show_cue(cue: &Cue) -> String {
    let when = match cue.when {
        When::Always => "whenever it is heard".to_owned(),
        When::Time(1) => "the first time".to_owned(),
        When::Time(time) => format!("at time {time}"),
    };
    let does = match cue.does {
        Answer::Say(text) => format!("says `{}`", text.escape_debug()),
        Answer::Lose => "does as ever, and the reply is lost with the connection".to_owned(),
        Answer::Close => "takes nothing, and closes the connection".to_owned(),
        Answer::Hang => "says nothing".to_owned(),
        Answer::Later => "does as ever, and says its reply later".to_owned(),
        Answer::Contest => "answers with another content under the same version".to_owned(),
        Answer::Nodes(nodes) => format!("answers the news with the nodes `{nodes}`"),
        Answer::Differs => "answers the news with nodes that differ everywhere".to_owned(),
        Answer::Merged(digest, records) => {
            format!("answers the news with {} records, digest: {digest:?}", records.len())
        }
    };
    format!("    at `{}`, {when}: {does}", cue.at)
}

fn lines(on: &On) -> String {
    let who = if on.way == Way::Forward { "on" } else { "back on" };
    let has = if on.has.is_empty() { String::new() } else { format!(" with `{}`", on.has) };
    let also = if on.also.is_empty() { String::new() } else { format!(" and `{}`", on.also) };
    format!("`{}…`{has}{also} {who} {}", on.begins, on.link)
}

/// One look.
pub(crate) fn show_look(look: &Look) -> String {
    let what = match look {
        Look::Count(_, on, times) => format!("exactly {times} of {}", lines(on)),
        Look::Never(_, on, None) => format!("never {}", lines(on)),
        Look::Never(_, on, Some(mark)) => format!("never {} behind mark {mark}", lines(on)),
        Look::Next(_, on, words) => {
            format!("behind {}, of {words:?} the first one comes first", lines(on))
        }
        Look::Before(_, one, other) => format!("{} before {}", lines(one), lines(other)),
        Look::Minutes(_, on, mark, at) => format!("{} at minutes {at:?} of {mark}", lines(on)),
        Look::Routed(_, on, mark, at) => {
            format!("{} by the routes computed after seconds {at:?} of {mark}", lines(on))
        }
        Look::Seconds(_, on, mark, at) => format!("{} at seconds {at:?} of {mark}", lines(on)),
        Look::Millis(_, on, mark, at) => format!("{} at milliseconds {at:?} of {mark}", lines(on)),
        Look::Within(_, on, mark, (least, most)) => {
            format!("the first of {} {least} to {most} us after {mark}", lines(on))
        }
        Look::Gaps(_, on, mark, gaps) => {
            format!("behind {mark} {} after each other by these us: {gaps:?}", lines(on))
        }
        Look::NeverBetween(_, on, (from, to)) => {
            format!("never {} between the marks {from} and {to}", lines(on))
        }
        Look::HungUp(_, link) => format!("the node has ended its first connection on {link}"),
        Look::Rounds(_, on) => format!("consecutive numbers in {}", lines(on)),
        Look::SameTerm(_, ends) => {
            format!("the same term in {} and {}", lines(&ends[0]), lines(&ends[1]))
        }
        Look::Nonces(_, on, least) => {
            format!("at least {least} of {}, each with a nonce of its own", lines(on))
        }
        Look::Drawn(_, on, mark, (least, most), count) => format!(
            "{count} times at least, behind {mark} and then each other, after {least} to {most} s, not always \
             the same: {}",
            lines(on)
        ),
        Look::Nodes(_, on, (most, all)) => {
            format!("{} with at most {most} nodes each, and {all} in all", lines(on))
        }
        Look::Attempts(_, link, mark, at) => {
            format!("attempts on {link} at seconds {at:?} of {mark}")
        }
        Look::NoAttempt(_, link, (from, to)) => {
            format!("no attempt on {link} between the marks {from} and {to}")
        }
        Look::Paced(_, link, mark) => {
            format!("attempts on {link} behind mark {mark} whole minutes apart")
        }
        Look::Digests(_, ends, equal) => {
            let how = if *equal { "the same" } else { "different" };
            format!("{how} digests in {} and {}", lines(&ends[0]), lines(&ends[1]))
        }
        Look::Records(_, on, counts) => format!("{} with {counts:?} records", lines(on)),
        Look::AtMost(_, on, (most, all)) => {
            format!("{} with at most {most} records each, and {all} in all", lines(on))
        }
        Look::EachMinute(_, on, mark, count) => {
            format!("{} in each of {count} minutes behind mark {mark}", lines(on))
        }
        Look::Values(_, on, name, wanted) => {
            format!("{name} of {}: {} values in order", lines(on), wanted.len())
        }
        Look::Distinct(_, on, name, count) => {
            format!("{name} of {}: {count} different values", lines(on))
        }
        Look::Ended(_, name) => format!("the node has ended {name}"),
        Look::Some(_, on) => format!("at least one of {}", lines(on)),
        Look::Envelope(_, link, place, pointer, wanted) => {
            format!("offer {place} on {link}: {pointer} of the envelope is {wanted}")
        }
        Look::Body(_, link, place, octets) => {
            format!("offer {place} on {link}: the body is these {} octets", octets.len())
        }
        Look::Digest(_, link) => format!("each offer on {link} names the digest of its octets"),
        Look::Notices(_, link, count) => format!("exactly {count} notices on {link}"),
        Look::NoNotice(_, link) => format!("no notice on {link}"),
        Look::Notice(_, link, (place, part), wanted) => {
            format!("notice {place} on {link}, {part:?}: has {wanted:?}")
        }
        Look::NoticeLacks(_, link, (place, part), lack) => {
            format!("notice {place} on {link}, {part:?}: has no {lack:?}")
        }
        Look::Letters(_, place, count) => format!("look {place}: {count} letters in all accounts"),
        Look::Shown(_, place, pointer, wanted) => format!("look {place}: {pointer} is {wanted}"),
    };
    format!("{what}   [{}]", look.check())
}
