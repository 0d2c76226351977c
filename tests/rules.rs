//! Rules by themselves: facts in, verdict out; what a configuration may say; what a header is.

use bridgehead::protocol::member::Answer;
use bridgehead::protocol::rules::{
    ADDRESSES_LIMIT, Facts, Kind, LOOP_FIELD, PASSES_LIMIT, Rule, Source, Verdict, check, evaluate,
    is_loop, may_reply,
};
use bridgehead::wire::header::{self, FIELDS_LIMIT, HEADER_LIMIT_OCTETS, VALUE_LIMIT_OCTETS};
use bridgehead::wire::message::{Address, Field};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Rules {
    #[serde(default)]
    rule: Vec<Rule>,
}

fn rules(text: &str) -> Vec<Rule> {
    toml::from_str::<Rules>(text).expect("rules").rule
}

fn field(name: &str, value: &str) -> Field {
    Field { name: name.into(), value: value.into() }
}

/// The message of the tables.
fn facts_of<'a>(recipients: &'a [Address], header: &'a [Field], sender: &'a Address) -> Facts<'a> {
    let sender = Some(sender);
    Facts { sender, recipients, header, octets: 1_000, source: Source::Internet }
}

fn verdict(text: &str) -> Verdict {
    let recipients = [Address::from("anna@example.test"), Address::from("ben@other.test")];
    let header = [
        field("From", "\"Doe, Jane\" <Jane.Doe@Example.com>"),
        field("To", "Team: anna@example.test, Ben (the other) <ben@other.test>;"),
        field("Subject", "Weekly Report"),
        field("X-Tag", "one"),
        field("x-tag", "two"),
    ];
    evaluate(&rules(text), &facts_of(&recipients, &header, &Address::from("bounce@list.test")))
}

fn applies(condition: &str) -> bool {
    let rule = format!(
        "[[rule]]\nname = \"r\"\nwhen = [{{ {condition} }}]\nthen = [{{ action = \"stop\" }}]\n"
    );
    assert_eq!(check(&rules(&rule), "rule", Kind::Queue), [], "{condition}");
    verdict(&rule).applied == ["r"]
}

/// RU-002: each kind of data with each operation that fits it.
#[test]
fn conditions_hold_as_the_table_says() {
    let table = [
        (r#"data = "return-path", operation = "is", value = "BOUNCE@list.test""#, true),
        (r#"data = "return-path", operation = "is", value = "bounce@*""#, true),
        (r#"data = "return-path", operation = "is", value = """#, false),
        (r#"data = "return-path", operation = "is-not", value = "*@list.test""#, false),
        (r#"data = "any-recipient", operation = "is", value = "ben@*""#, true),
        (r#"data = "each-recipient", operation = "is", value = "*@example.test""#, false),
        (r#"data = "each-recipient", operation = "contains", value = ".TEST""#, true),
        (r#"data = "any-recipient", operation = "is-not", value = "ben@*""#, true),
        (r#"data = "from", operation = "is", value = "jane.doe@example.com""#, true),
        (r#"data = "from", operation = "in", values = ["a@*", "*@example.com"]"#, true),
        (r#"data = "from", operation = "not-in", values = ["a@*", "*@example.com"]"#, false),
        (r#"data = "to", operation = "is", value = "ben@other.test""#, true),
        (r#"data = "to", operation = "contains", value = "team""#, false),
        (r#"data = "cc", operation = "is-not", value = "*""#, true),
        (r#"data = "cc", operation = "is", value = "*""#, false),
        (r#"data = "subject", operation = "contains", value = "REPORT""#, true),
        (r#"data = "subject", operation = "contains", value = "*""#, false),
        (r#"data = "subject", operation = "is", value = "we*ly*port""#, true),
        (r#"data = "header", field = "X-TAG", operation = "is", value = "two""#, true),
        (r#"data = "header", field = "X-Tag", operation = "is-not", value = "two""#, false),
        (r#"data = "header", field = "X-None", operation = "is-not", value = "two""#, true),
        (r#"data = "size", operation = "greater-than", octets = 999"#, true),
        (r#"data = "size", operation = "greater-than", octets = 1000"#, false),
        (r#"data = "size", operation = "less-than", octets = 1000"#, false),
        (r#"data = "source", operation = "is", value = "internet""#, true),
        (r#"data = "source", operation = "is-not", value = "internet""#, false),
    ];
    for (condition, expected) in table {
        assert_eq!(applies(condition), expected, "{condition}");
    }
}

/// RU-006: what people read is compared, and an address is what stands there.
#[test]
fn encoded_words_are_read() {
    let holds = |name: &str, value: &str, condition: &str| {
        let rule = format!(
            "[[rule]]\nname = \"r\"\nwhen = [{{ {condition} }}]\nthen = [{{ action = \"stop\" }}]\n"
        );
        let (header, sender) = ([field(name, value)], Address::from("a@b"));
        !evaluate(&rules(&rule), &facts_of(&[], &header, &sender)).applied.is_empty()
    };
    let is = |value: &str| format!("data = \"subject\", operation = \"is\", value = \"{value}\"");
    for (subject, read) in [
        ("=?UTF-8?Q?=C3=9Cberweisung_heute?=", "Überweisung heute"),
        ("=?utf-8?B?w5xiZXI=?= =?utf-8?b?d2Vpc3VuZw==?= now", "Überweisung now"),
        ("=?iso-8859-1*de?q?=DCber?= and =?us-ascii?q?over?=", "Über and over"),
        ("a =?x-none?q?b?= =?utf-8?q?=C?= =? c", "a =?x-none?q?b?= =?utf-8?q?=C?= =? c"),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
    ] {
        assert!(holds("Subject", subject, &is(read)), "{subject} is {read}");
    }
    let from = "=?utf-8?q?=3Cboss=40example.test=3E?= <x@y.test>";
    let is_boss = "data = \"from\", operation = \"is\", value = \"boss@*\"";
    assert!(!holds("From", from, is_boss));
    let is_x = "data = \"from\", operation = \"is\", value = \"x@y.test\"";
    assert!(holds("From", from, is_x));
}

/// RU-001, RU-003: order, and what ends the evaluation.
#[test]
fn actions_are_done_in_order_until_one_ends_it() {
    let rule = |name: &str, then: &str| format!("[[rule]]\nname = \"{name}\"\nthen = [{then}]\n");
    let copy = r#"{ action = "copy", to = ["c@D.test"] }"#;
    let redirect = r#"{ action = "redirect", to = ["r@d.test"] }"#;
    let both = verdict(&(rule("one", copy) + &rule("two", redirect)));
    assert_eq!(both.applied, ["one", "two"]);
    assert_eq!((both.copies.len(), both.redirects.len()), (1, 1));
    assert_eq!(both.copies[0], Address::from("c@d.test"), "a domain is in lower case");
    assert!(!both.keeps(), "a redirected message goes elsewhere");

    let stored = rule("store", r#"{ action = "store", folder = "Work/Lists" }"#);
    let stored = verdict(&(rule("two", redirect) + &stored));
    assert!(stored.keeps(), "but where it is stored, too, it stays");

    let stopped = verdict(&(rule("one", r#"{ action = "stop" }"#) + &rule("two", copy)));
    assert_eq!((stopped.applied.len(), stopped.copies.len()), (1, 0));

    let dropped = verdict(&(rule("one", copy) + &rule("two", r#"{ action = "discard" }"#)));
    assert!(!dropped.keeps() && dropped.copies.len() == 1, "a copy outlives a discard");

    let refused = r#"{ action = "reject", text = "no" }"#;
    let refused = verdict(&(rule("one", copy) + &rule("two", refused) + &rule("three", copy)));
    assert_eq!(refused.applied, ["one", "two"]);
    assert_eq!((refused.reject.as_deref(), refused.copies.len()), (Some("no"), 0));
}

/// RU-030: who passes a message on is known again, and a message is not passed on for ever.
#[test]
fn a_mark_ends_a_loop() {
    let mark = |who: &str| field(LOOP_FIELD, who);
    assert!(!is_loop("a@d", &[]));
    assert!(is_loop("a@d", &[field("x-loop", "A@D")]));
    assert!(!is_loop("a@d", &[mark("b@d")]));
    let many = |count: usize| (0..count).map(|n| mark(&format!("{n}@d"))).collect::<Vec<_>>();
    assert!(!is_loop("a@d", &many(PASSES_LIMIT - 1)));
    assert!(is_loop("a@d", &many(PASSES_LIMIT)));
}

/// RU-031: whom a machine may answer.
#[test]
fn replies_go_to_people_only() {
    let account = Address::from("anna@example.test");
    let to = field("To", "Anna <ANNA@example.test>");
    let may = |sender: Option<&str>, more: &[Field]| {
        let header: Vec<Field> = [to.clone()].iter().chain(more).cloned().collect();
        may_reply(&account, sender.map(Address::from).as_ref(), &header)
    };
    let jane = Some("jane@d.test");
    assert!(may(jane, &[]));
    assert!(may(jane, &[field("Auto-Submitted", "no")]));
    assert!(may(jane, &[field("Precedence", "first-class")]));
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("auto-submitted", "auto-replied (vacation)"),
        ("List-Id", "<l.d.test>"),
        ("List-Unsubscribe", "<mailto:x@d>"),
        ("Precedence", "Bulk"),
        ("X-Auto-Response-Suppress", "All"),
    ] {
        assert!(!may(jane, &[field(name, value)]), "{name}: {value}");
    }
    for sender in ["anna@example.test", "owner-l@d", "l-request@d", "MAILER-DAEMON@d"] {
        assert!(!may(Some(sender), &[]), "{sender}");
    }
    assert!(!may(None, &[]), "nobody");
    let other = [field("To", "list@d.test")];
    assert!(!may_reply(&account, Some(&Address::from("jane@d.test")), &other), "not written to");
}

/// RU-004: what a list of rules may not say, and where it says so.
#[test]
fn wrong_rules_are_refused_at_their_place() {
    let wrong = |kind: Kind, when: &str, then: &str| {
        let rule = format!("[[rule]]\nname = \"r\"\nwhen = [{when}]\nthen = [{then}]\n");
        let found = check(&rules(&rule), "account[1].rule", kind);
        found.first().map_or_else(String::new, |(place, _)| place.clone())
    };
    let stop = r#"{ action = "stop" }"#;
    let account = |when: &str, then: &str| wrong(Kind::Account, when, then);
    assert_eq!(account("", ""), "account[1].rule[0].then");
    let at = |rest: &str| format!("account[1].rule[0].{rest}");
    let is = |rest: &str| format!("{{ operation = \"is\", {rest} }}");
    assert_eq!(account(&is(r#"data = "subject""#), stop), at("when[0].value"));
    assert_eq!(account(&is(r#"data = "header", value = "x""#), stop), at("when[0].field"));
    assert_eq!(account(&is(r#"data = "size", octets = 1"#), stop), at("when[0].operation"));
    assert_eq!(account(&is(r#"data = "source", value = "internet""#), stop), at("when[0].data"));
    assert_eq!(
        wrong(Kind::Queue, &is(r#"data = "source", value = "x""#), stop),
        at("when[0].value")
    );
    let folder = r#"{ action = "store", folder = "a/../b" }"#;
    assert_eq!(account("", folder), at("then[0].folder"));
    assert_eq!(account("", r#"{ action = "store", folder = "Inbox" }"#), at("then[0].folder"));
    assert_eq!(wrong(Kind::Queue, "", r#"{ action = "store", folder = "a" }"#), at("then[0]"));
    assert_eq!(account("", r#"{ action = "redirect", to = [] }"#), at("then[0].to"));
    assert_eq!(account("", r#"{ action = "redirect", to = ["a b"] }"#), at("then[0].to"));
    assert_eq!(account("", r#"{ action = "reject", text = "a\nb" }"#), at("then[0].text"));
    let added = r#"{ action = "add-header", field = "X:", value = "a" }"#;
    assert_eq!(account("", added), at("then[0].field"));
    let away = |days: u32| format!("{{ action = \"vacation\", text = \"away\", days = {days} }}");
    assert_eq!(account("", &away(0)), at("then[0].days"));
    assert_eq!(account("", &away(7)), "");
    let many: Vec<String> = (0..=ADDRESSES_LIMIT).map(|n| format!("\"a{n}@d\"")).collect();
    let many = format!("{{ action = \"copy\", to = [{}] }}", many.join(","));
    assert_eq!(account("", &many), "account[1].rule");
}

/// RU-005: fields are unfolded, and no header takes more than its share.
#[test]
fn a_header_is_read_to_its_limits() {
    let text =
        b"Received: a\r\n\tb\r\nSubject : x\r\nno field\r\n lost\r\nEmpty:\r\n\r\nTo: body\r\n";
    let expected = [field("Received", "a b"), field("Subject", "x"), field("Empty", "")];
    assert_eq!(header::fields(text), expected);
    let long = format!("A: {}\r\n", "x".repeat(10_000));
    assert_eq!(header::fields(long.as_bytes())[0].value.len(), VALUE_LIMIT_OCTETS);
    let many = "A: x\r\n".repeat(FIELDS_LIMIT + 1);
    assert_eq!(header::fields(many.as_bytes()).len(), FIELDS_LIMIT);
    let far = format!("{}B: x\r\n", format!("A: {}\r\n", "x".repeat(900)).repeat(80));
    assert!(far.len() > HEADER_LIMIT_OCTETS);
    assert!(!header::fields(far.as_bytes()).iter().any(|field| field.is("B")));
}

/// SM-115: whoever asks what a header lacks is told whether all of it was read.
#[test]
fn a_header_that_is_not_read_to_its_end_says_so() {
    let is_whole = |octets: &[u8]| {
        let front = &octets[..octets.len().min(HEADER_LIMIT_OCTETS)];
        Answer::header_of(front).into_header().expect("it is a header").is_whole
    };
    let line = format!("A: {}\r\n", "x".repeat(900));
    let far = line.repeat(80);
    assert!(is_whole(b"A: x\r\n\r\nbody\r\n") && is_whole(b"A: x\r\n") && is_whole(b""));
    assert!(!is_whole(far.as_bytes()), "the header goes on behind what is read");
    let body = format!("{line}\r\n{far}");
    assert!(is_whole(body.as_bytes()), "only the body does");
    let body = format!("\r\n{far}");
    assert!(is_whole(body.as_bytes()), "there is no header");
    assert!(!is_whole("A: x\r\n".repeat(FIELDS_LIMIT).as_bytes()), "one more would be left out");
    assert!(Answer::Done.into_header().is_err());
}

/// The plainest reading of a pattern: by its first character.
fn fits(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skip| fits(&text[skip..], rest)),
        Some((c, rest)) => text.first() == Some(c) && fits(&text[1..], rest),
    }
}

proptest! {
    /// RU-002: patterns mean what the plainest reading says.
    #[test]
    fn patterns_fit_as_the_plain_reading_says(text in "[ab]{0,8}", pattern in "[ab*]{1,6}") {
        let rule = format!(
            "[[rule]]\nname = \"r\"\nwhen = [{{ data = \"subject\", operation = \"is\", \
             value = \"{pattern}\" }}]\nthen = [{{ action = \"stop\" }}]\n"
        );
        let header = [field("Subject", &text)];
        let sender = Address::from("a@b");
        let found = evaluate(&rules(&rule), &facts_of(&[], &header, &sender));
        let (text, pattern): (Vec<_>, Vec<_>) = (text.chars().collect(), pattern.chars().collect());
        prop_assert_eq!(!found.applied.is_empty(), fits(&text, &pattern));
    }

    /// RU-005: any octets are a header; what is read can be written and is read the same again.
    #[test]
    fn any_octets_have_a_header(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let fields = header::fields(&octets);
        let again = header::fields(header::lines(&fields).as_bytes());
        prop_assert_eq!(fields, again);
    }

    /// RU-006: any text can be decoded.
    #[test]
    fn any_text_is_decoded(text in "(=\\?|utf-8|iso-8859-1|\\?[qb]\\?|=[0-9A-F]{2}|[a-zA-Z ]|\\?=){0,30}") {
        let vacation = "[[rule]]\nname = \"r\"\nwhen = [{ data = \"subject\", operation = \"contains\", \
                        value = \"x\" }]\nthen = [{ action = \"stop\" }]\n";
        let (header, sender) = ([field("Subject", &text)], Address::from("a@b"));
        evaluate(&rules(vacation), &facts_of(&[], &header, &sender));
    }

    /// A message that is rejected leaves nothing to do; one that neither is refused nor kept was
    /// discarded or goes elsewhere.
    #[test]
    fn a_verdict_is_of_one_piece(actions in proptest::collection::vec(0_usize..6, 1..6)) {
        let known = [
            r#"{ action = "store", folder = "F" }"#,
            r#"{ action = "redirect", to = ["r@d"] }"#,
            r#"{ action = "copy", to = ["c@d"] }"#,
            r#"{ action = "reject", text = "no" }"#,
            r#"{ action = "discard" }"#,
            r#"{ action = "stop" }"#,
        ];
        let then: Vec<&str> = actions.iter().map(|action| known[*action]).collect();
        let found = verdict(&format!("[[rule]]\nname = \"r\"\nthen = [{}]\n", then.join(", ")));
        if found.reject.is_some() {
            prop_assert!(!found.keeps() && !found.passes_on() && found.folder.is_none());
        } else if !found.keeps() {
            prop_assert!(found.discard || !found.redirects.is_empty());
        }
    }
}
