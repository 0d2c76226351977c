//! What a certificate must prove before a member is taken for one, port by port.

use super::fellows::{lmtp, mail, reported};
use super::members::{STORE, case, member, proved};
use crate::case::Case;
use crate::net::Port;
use crate::script::{Script, Seat, frame};
use crate::security::{Security, Shown};
use crate::smtp::Want;

/// Members that prove their names by certificates.
pub(super) const TLS: &str = "cluster/tls";

/// What is shown instead of the right certificate: its name in ids, what it is, the clauses.
const WRONG: [(Shown, &str, &str, &[&str]); 5] = [
    (Shown::Nothing, "missing", "no certificate", &["SV-031"]),
    (Shown::OtherAuthority, "authority", "a certificate of another authority", &["SV-031"]),
    (Shown::Stranger, "stranger", "a certificate that names no member", &["SV-031"]),
    (Shown::CommonName, "common-name", "the right name in the wrong place", &["SV-033"]),
    (Shown::TwoNames, "two-names", "a certificate that names two members", &["SV-031"]),
];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = plain();
    for (shown, name, what, clauses) in WRONG {
        cases.extend(refused(shown, name, what).into_iter().map(|case| case.verifies(clauses)));
    }
    cases.extend(names());
    cases.extend(starttls());
    cases.into_iter().map(|case| case.under(Security::Tls)).collect()
}

/// The positive twins.
fn plain() -> Vec<Case> {
    vec![
        case(
            "tls.smtp.plain.01",
            "The right certificate makes a member on the SMTP port",
            TLS,
            &["SM-020", "SM-006", "CO-014"],
            proved(),
        ),
        case(
            "tls.deliver.plain.01",
            "The right certificate makes a member on the delivery port",
            TLS,
            &["SM-071", "CO-009", "CO-014"],
            lmtp().ask(&mail(0x71), "mail", Want::code(250).any_status()),
        ),
        Case::script(
            "tls.group.plain.01",
            "The right certificate makes a member on the group port",
            TLS,
            reported(),
        )
        .verifies(&["SM-080", "CO-009", "CO-014"]),
    ]
}

/// Whoever does not prove a name is heard nowhere: on no port comes it as far as news or mail.
fn refused(shown: Shown, name: &str, what: &str) -> Vec<Case> {
    let smtp = Script::new(Seat::Member, Port::Smtp)
        .showing(shown)
        .reply("greeting", Want::code(220))
        .secure("refused")
        .barred(
            "refused",
            &[
                ("EHLO {ehlo}", Want::code(250).lacks("X-SUBMIT").lacks("X-LINK2STATE")),
                (&format!("X-SUBMIT HELLO MEMBER=rg2-a STORE={STORE}"), stranger()),
                ("X-LINK2STATE FIRST CHUNK={00000000}", stranger()),
            ],
        );
    let deliver = Script::new(Seat::Fellow, Port::Deliver).showing(shown).barred(
        "refused",
        &[
            ("", Want::code(220)),
            ("LHLO {ehlo}", Want::code(250).lacks("X-DELIVER")),
            (&mail(0x72), stranger()),
        ],
    );
    let group = Script::new(Seat::Fellow, Port::Group).showing(shown).gone("refused");
    let all =
        [("smtp", smtp, "SM-020"), ("deliver", deliver, "SM-071"), ("group", group, "SM-080")];
    let one = |(port, script, clause): (&str, Script, &str)| {
        let id = format!("tls.{port}.{name}.01");
        let title = format!("Who shows {what} is no member on the {port} port");
        Case::script(&id, &title, TLS, script)
            .verifies(&[clause])
            .twin(&format!("tls.{port}.plain.01"))
    };
    let mut cases: Vec<Case> = all.into_iter().map(one).collect();
    if shown == Shown::Stranger {
        let first = cases.remove(0).kills(&[("certificate-name-not-checked", "refused")]);
        cases.insert(0, first);
    }
    cases
}

/// Not a member, and told so.
fn stranger() -> Want {
    Want::code(530).status("5.7.0")
}

/// The certificate is right, and what is said is not.
fn names() -> Vec<Case> {
    let other = frame(" ATTACH {5}rg2-a\r\n");
    vec![
        case(
            "tls.hello.name.01",
            "A member may not give the name of another than its certificate",
            TLS,
            &["SM-022"],
            member().ask(
                &format!("X-SUBMIT HELLO MEMBER=rg1-c STORE={STORE}"),
                "refused",
                Want::code(550).status("5.7.1"),
            ),
        )
        .twin("tls.smtp.plain.01")
        .kills(&[("hello-name-not-checked", "refused")]),
        Case::script(
            "tls.attach.name.01",
            "A member may not attach with the name of another than its certificate",
            TLS,
            Script::new(Seat::Fellow, Port::Group)
                .frame("greeting", " NODEINFO (6) {")
                .send(other.as_bytes())
                .gone("refused"),
        )
        .verifies(&["SM-080"])
        .twin("tls.group.plain.01"),
        case(
            "tls.ehlo.name.01",
            "The name in EHLO proves nothing and disproves nothing",
            TLS,
            &["SM-020"],
            Script::new(Seat::Member, Port::Smtp)
                .reply("greeting", Want::code(220))
                .secure("hello")
                .ask("EHLO rg1-c", "hello", Want::code(250).keyword("X-SUBMIT"))
                .ask(
                    &format!("X-SUBMIT HELLO MEMBER=rg2-a STORE={STORE}"),
                    "submit-hello",
                    Want::code(250).status("2.0.0"),
                ),
        ),
    ]
}

fn starttls() -> Vec<Case> {
    let offered = || {
        Script::new(Seat::Member, Port::Smtp).reply("greeting", Want::code(220)).ask(
            "EHLO {ehlo}",
            "offer",
            Want::code(250).keyword("STARTTLS").lacks("X-SUBMIT").lacks("X-LINK2STATE"),
        )
    };
    vec![
        case(
            "tls.starttls.clear.01",
            "In clear nobody is a member, from whatever address he comes",
            TLS,
            &["SM-020"],
            offered().ask(
                &format!("X-SUBMIT HELLO MEMBER=rg2-a STORE={STORE}"),
                "refused",
                stranger(),
            ),
        )
        .twin("tls.smtp.plain.01"),
        case(
            "tls.starttls.injected.01",
            "What somebody puts behind STARTTLS in clear is discarded",
            TLS,
            &["SM-017", "RFC3207:4.2"],
            Script::new(Seat::Member, Port::Smtp)
                .reply("greeting", Want::code(220))
                .secure_injecting("hello", b"NOOP\r\nRSET\r\n")
                .ask("EHLO {ehlo}", "hello", Want::code(250).keyword("X-SUBMIT")),
        )
        .twin("tls.smtp.plain.01")
        .kills(&[("clear-text-survives-starttls", "hello")]),
        case(
            "tls.starttls.again.01",
            "STARTTLS is neither offered nor taken under TLS",
            TLS,
            &["SM-006"],
            Script::new(Seat::Member, Port::Smtp)
                .reply("greeting", Want::code(220))
                .secure("hello")
                .ask("EHLO {ehlo}", "hello", Want::code(250).lacks("STARTTLS"))
                .ask("STARTTLS", "refused", Want::class(5)),
        )
        .twin("tls.smtp.plain.01"),
    ]
}
