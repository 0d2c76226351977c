//! `queue list`, `queue show` and the orders about the queue, to all members or to one.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::refused;
use super::table::{field, items, plain, row, table};
use super::whom::{Answers, Whom};
use crate::kernel::{Span, Time};
use crate::protocol::operator::{Action, Burial, Order, Selection, State};
use crate::protocol::session::date;
use crate::wire::ids::{MemberName, OriginId, QueueId};

/// The commands below `queue`.
#[derive(Debug, Subcommand)]
pub(super) enum Queue {
    /// Print the messages of every member, or of one
    #[command(
        after_help = "Examples:\n  bridgehead queue list\n  bridgehead queue list --member rg2-a --json\n  \
                      bridgehead queue list --recipient '*@example.test' --older 2h --state doubt"
    )]
    List(Selected),
    /// Print everything that is known of messages
    #[command(after_help = "Example:\n  bridgehead queue show rg2-a/000000000000002a")]
    Show(Selected),
    /// Begin no attempt any more before the release; the time of a message runs on
    #[command(
        after_help = "Examples:\n  bridgehead queue hold rg2-a/000000000000002a --reason 'under review'\n  \
                      bridgehead queue hold --sender 'news@example.test'"
    )]
    Hold {
        #[command(flatten)]
        ordered: Ordered,
        /// Why, for whoever looks at the queue
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Go on with held messages, and at once
    #[command(after_help = "Example:\n  bridgehead queue release --all")]
    Release(Ordered),
    /// Try now what waits for its next attempt, and ask now about what is in doubt
    #[command(after_help = "Example:\n  bridgehead queue retry --next-hop RG1-RG2")]
    Retry(Ordered),
    /// Return the recipients to the sender, as after a permanent refusal; nobody who is in doubt
    #[command(
        after_help = "Example:\n  bridgehead queue bounce --recipient '*@closed.test' --text 'the domain is closed'"
    )]
    Bounce {
        #[command(flatten)]
        ordered: Ordered,
        /// What the sender is told
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// Tell the sender nothing: the same as `queue remove`
        #[arg(long, conflicts_with = "text")]
        no_dsn: bool,
    },
    /// Remove the recipients and tell nobody but the log; nobody who is in doubt
    #[command(after_help = "Example:\n  bridgehead queue remove --member rg2-a 000000000000002a")]
    Remove(Ordered),
}

/// The commands below `member`.
#[derive(Debug, Subcommand)]
pub(super) enum Member {
    /// A member will not come back: free everything that is in doubt with it, marked as possibly double
    #[command(
        after_help = "Example:\n  bridgehead member forget rg2-a\n\nMail that the lost member had \
                      accepted and passed on may arrive twice; it carries a line that says so."
    )]
    Forget {
        /// The member that is lost for good
        #[arg(value_name = "NAME")]
        lost: String,
        #[command(flatten)]
        whom: Whom,
    },
}

/// Which messages and recipients, of whom.
#[derive(Debug, Args)]
pub(super) struct Selected {
    /// Messages, as MEMBER/QUEUE-ID; the bare QUEUE-ID with --member or --socket
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// The message with this origin id, wherever it is
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    origin: Option<OriginId>,
    /// Messages from this sender; `*` stands for any letters, <> is the null sender
    #[arg(long, value_name = "PATTERN")]
    sender: Option<String>,
    /// Recipients with this address; `*` stands for any letters
    #[arg(long, value_name = "PATTERN")]
    recipient: Option<String>,
    /// Messages of at least this age, such as 90s, 15m, 2h, 3d
    #[arg(long, value_name = "AGE", value_parser = age)]
    older: Option<Span>,
    /// Messages below this age
    #[arg(long, value_name = "AGE", value_parser = age)]
    younger: Option<Span>,
    /// Recipients that go next by this connector, or to this member or outside server
    #[arg(long, value_name = "NAME")]
    next_hop: Option<String>,
    /// Recipients that stand there: table, line, underway, retry, notice, doubt or held
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
    #[command(flatten)]
    whom: Whom,
}

/// What an order is about.
#[derive(Debug, Args)]
pub(super) struct Ordered {
    #[command(flatten)]
    selected: Selected,
    /// Everything, where no message and no filter is given
    #[arg(long)]
    all: bool,
}

/// Runs a command below `queue`.
///
/// Exit codes: 0 everything that was meant is done, 1 nothing fits what was given, something is refused,
/// or a member does not answer, 2 the arguments are wrong.
pub(super) fn run(command: Queue) -> ExitCode {
    match command {
        Queue::List(selected) => look(&selected, "queue", list),
        Queue::Show(selected) if selected.is_open() => refused("name messages, or a filter"),
        Queue::Show(selected) => look(&selected, "show", show),
        Queue::Hold { ordered, reason } => order(&ordered, &Action::Hold { reason }),
        Queue::Release(ordered) => order(&ordered, &Action::Release),
        Queue::Retry(ordered) => order(&ordered, &Action::Retry),
        Queue::Bounce { ordered, no_dsn: true, .. } => order(&ordered, &Action::Remove),
        Queue::Bounce { ordered, text, .. } => order(&ordered, &Action::Bounce { text }),
        Queue::Remove(ordered) => order(&ordered, &Action::Remove),
    }
}

fn look(selected: &Selected, op: &str, text: fn(&Value) -> String) -> ExitCode {
    let answers = selected.ask(false, |which| json!({"op": op, "which": which}));
    let is_meant = |answers: &Answers| {
        let found = answers.members.values().any(|answer| !items(answer, "messages").is_empty());
        (!selected.is_open() && !found).then(|| "nothing fits".to_owned())
    };
    selected.whom.print(answers, text, is_meant)
}

/// Runs a command below `member`, with the exit codes of [`run`]. The lost member itself is not asked.
pub(super) fn tell(command: &Member) -> ExitCode {
    let Member::Forget { lost, whom } = command;
    let order = Order::Forget { member: MemberName::from(lost.as_str()) };
    let ask = |name: &str| (name != lost).then(|| json!({"op": "order", "order": order}));
    whom.print(whom.ask(ask), answered, judged)
}

/// Which group is no more.
#[derive(Debug, Args)]
pub(super) struct Bury {
    /// Its name, or its UUID where several have the name
    group: String,
    /// Why; whoever looks at the table reads it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Also when the configuration of the member still has the group
    #[arg(long)]
    force: bool,
    /// Also a UUID of which the member has never heard
    #[arg(long)]
    unknown: bool,
    #[command(flatten)]
    whom: Whom,
}

/// Buries a group, with the exit codes of [`run`].
pub(super) fn bury(bury: &Bury) -> ExitCode {
    let Bury { group, reason, force, unknown, whom } = bury;
    if !whom.is_one() {
        return refused("name one member, which tells the others: --member NAME or --socket PATH");
    }
    let (group, reason) = (group.clone(), reason.clone());
    let burial = Burial { group, reason, force: *force, unknown: *unknown };
    let order = Order::Bury(burial);
    whom.print(whom.ask(|_| Some(json!({"op": "order", "order": order}))), answered, judged)
}

fn order(ordered: &Ordered, action: &Action) -> ExitCode {
    let Ordered { selected, all } = ordered;
    if selected.is_open() && !all {
        return refused("name messages, a filter, or --all");
    }
    let answers = selected.ask(
        *all,
        |which| json!({"op": "order", "order": Order::Queue { action: action.clone(), which }}),
    );
    selected.whom.print(answers, answered, judged)
}

/// What speaks against saying that an order was carried out.
pub(super) fn judged(answers: &Answers) -> Option<String> {
    let count = |name: &str| -> usize {
        answers.members.values().map(|answer| items(answer, name).len()).sum()
    };
    match (count("done"), count("refused")) {
        (0, 0) => Some("nothing fits".into()),
        (_, 0) => None,
        (_, refused) => Some(format!("refused: {refused}")),
    }
}

impl Selected {
    fn selection(&self, ids: Vec<String>, all: bool) -> Selection {
        Selection {
            ids,
            origin: self.origin.clone(),
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            older: self.older,
            younger: self.younger,
            next_hop: self.next_hop.clone(),
            state: self.state,
            all,
        }
    }

    /// Whether nothing is selected.
    fn is_open(&self) -> bool {
        self.selection(self.ids.clone(), false).is_open()
    }

    /// Asks those who may have what is meant: where messages are named, the members that have them.
    fn ask(&self, all: bool, question: impl Fn(Selection) -> Value) -> Result<Answers, String> {
        if self.ids.is_empty() {
            return self.whom.ask(|_| Some(question(self.selection(Vec::new(), all))));
        }
        let ids = self.ids_of_members()?;
        self.whom.ask(|name| Some(question(self.selection(ids.get(name)?.clone(), all))))
    }

    fn ids_of_members(&self) -> Result<BTreeMap<String, Vec<String>>, String> {
        let names = self.whom.names()?;
        let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for given in &self.ids {
            let (member, id) = match (given.rsplit_once('/'), self.whom.is_one()) {
                (Some((member, id)), _) => (member.to_owned(), id),
                (None, true) => (names.first().cloned().unwrap_or_default(), given.as_str()),
                (None, false) => {
                    let hint = "a queue id is known at its member only: write MEMBER/QUEUE-ID";
                    return Err(format!("`{given}`: {hint}, or add --member"));
                }
            };
            if !names.contains(&member) {
                return Err(format!("`{given}`: no member `{member}` is asked"));
            }
            if id.parse::<QueueId>().is_err() {
                return Err(format!("`{id}` is no queue id: expected 16 hexadecimal digits"));
            }
            ids.entry(member).or_default().push(id.to_owned());
        }
        Ok(ids)
    }
}

fn origin(text: &str) -> Result<OriginId, String> {
    text.parse().map_err(|_| "expected MEMBER/INCARNATION/NUMBER".into())
}

fn age(text: &str) -> Result<Span, String> {
    let expected = || "expected a number and s, m, h or d, such as 15m".to_owned();
    let seconds = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(expected()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| expected())?;
    Ok(Span::seconds(u64::from(number) * seconds))
}

/// One line for each fact of an answer to an order.
pub(super) fn answered(answer: &Value) -> String {
    let mut rows = Vec::new();
    for (name, word) in [("done", ""), ("refused", "refused: ")] {
        for item in items(answer, name) {
            let recipients: Vec<String> = items(item, "recipients").iter().map(plain).collect();
            let text = format!("{word}{}", plain(field(item, "text")));
            rows.push(row([&plain(field(item, "of")), &text, &recipients.join(" ")]));
        }
    }
    table(&rows)
}

/// One line for each recipient of each message.
fn list(answer: &Value) -> String {
    let mut rows = vec![row([&"QUEUE", &"AGE", &"OCTETS", &"SENDER", &"RECIPIENT", &"WHERE"])];
    for message in items(answer, "messages") {
        let sender = field(message, "sender").as_str().unwrap_or("<>");
        for recipient in items(message, "recipients") {
            rows.push(row([
                &plain(field(message, "queue")),
                &age_of(message),
                &plain(field(message, "octets")),
                &sender,
                &plain(field(recipient, "address")),
                &stands(message, recipient),
            ]));
        }
    }
    if rows.len() == 1 { "empty\n".into() } else { table(&rows) }
}

fn age_of(message: &Value) -> String {
    let age = Span(field(message, "age").as_u64().unwrap_or_default());
    format!("{} s", age.as_seconds())
}

fn stands(message: &Value, recipient: &Value) -> String {
    if let Some(why) = field(message, "quarantine").as_str() {
        return format!("quarantined: {why}");
    }
    let place = match field(recipient, "waits_for").as_str() {
        Some(schedule) => format!("waits for {schedule}"),
        None => plain(field(recipient, "place")),
    };
    match field(message, "held").as_str() {
        None => place,
        Some(why) if field(recipient, "state") == "held" => format!("held: {why}"),
        Some(why) => format!("{place}; held: {why}"),
    }
}

/// A paragraph for each message.
fn show(answer: &Value) -> String {
    let paragraphs: Vec<String> = items(answer, "messages").iter().map(paragraph).collect();
    paragraphs.join("\n")
}

fn paragraph(shown: &Value) -> String {
    let (message, durable) = (field(shown, "row"), field(shown, "message"));
    let envelope = field(durable, "envelope");
    let time = |name: &str| date(Time(field(envelope, name).as_u64().unwrap_or_default()));
    let sender = field(message, "sender").as_str().unwrap_or("<>").to_owned();
    let mut rows = vec![
        row([&"queue", &plain(field(message, "queue"))]),
        row([&"origin", &plain(field(message, "origin"))]),
        row([&"sender", &sender]),
        row([&"arrived", &format!("{}, {} ago", time("arrived"), age_of(message))]),
        row([&"expires", &time("expires")]),
        row([&"octets", &plain(field(message, "octets"))]),
        row([&"held", &plain(field(message, "held"))]),
        row([&"quarantine", &plain(field(message, "quarantine"))]),
        row([&"late notice", &plain(field(durable, "delayed"))]),
        row([&"envid", &plain(field(envelope, "envid"))]),
    ];
    for recipient in items(message, "recipients") {
        let text =
            format!("{}  {}", plain(field(recipient, "address")), stands(message, recipient));
        rows.push(row([&format!("recipient {}", field(recipient, "index")), &text]));
    }
    let transfers = field(durable, "transfers").as_object();
    for (id, transfer) in transfers.into_iter().flatten() {
        let word = if field(transfer, "fenced") == true { "fenced" } else { "in doubt" };
        let text = format!("{id} to {}, {word}", plain(field(transfer, "peer")));
        rows.push(row([&"hand-over", &text]));
    }
    for hop in items(envelope, "hops") {
        let name = |name: &str| plain(field(hop, name));
        let text =
            format!("{} ({}) with {}, id {}", name("by"), name("group"), name("with"), name("id"));
        rows.push(row([&format!("from {}", name("from")), &text]));
    }
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_shows_where_each_recipient_stands() {
        let recipient = |index: u32, place: Value| json!({"index": index, "address": format!("eva{index}@example.test"), "place": place});
        let message = json!({
            "queue": "000000000000002a", "origin": "rg1-a/0000000000000007/3", "sender": null,
            "age": 61_500_000, "octets": 1234, "held": null,
            "recipients": [
                recipient(0, json!({"doubt": "rg2-a"})),
                recipient(1, json!({"retry": {"failed": null, "why": "no route"}})),
                recipient(2, json!("table")),
            ],
        });
        let shown = list(&json!({ "messages": [message] }));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 4, "{shown}");
        let start = "000000000000002a  61 s  1234    <>      eva";
        assert!(lines[1].starts_with(start), "{shown}");
        assert!(lines[1].ends_with("eva0@example.test  doubt rg2-a"), "{shown}");
        assert!(lines[2].ends_with("eva1@example.test  retry no route"), "{shown}");
        assert!(lines[3].ends_with("eva2@example.test  table"), "{shown}");
        assert_eq!(list(&json!({"messages": []})), "empty\n");
    }
}
