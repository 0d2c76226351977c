//! What the clients of one address may do in a minute.

use bridgehead::kernel::Span;
use bridgehead::protocol::member::{ClientLimits, Security};

use crate::stage::Stage;

const GREETED: &str = "S: 220 rg2-a ESMTP Bridgehead ready
     C: HELO client.example
     S: 250 rg2-a";
const MAIL: &str = "C: MAIL FROM:<carl@example.net>
     S: 250 2.1.0 Ok";

fn recipient(name: &str, count: u32) -> String {
    format!(
        r#"C: RCPT TO:<{name}@example.org>
           M> {{"recipient":{{"address":"{name}@example.org","sender":"carl@example.net","octets":0,"recipients":{count}}}}}
           M< "ok"
           S: 250 2.1.5 Ok"#
    )
}

fn limits() -> ClientLimits {
    ClientLimits {
        messages_per_minute: 2,
        recipients_per_minute: 2,
        errors_per_minute: 3,
        ..ClientLimits::default()
    }
}

/// SM-120, SM-122: what is over a limit comes later, on whichever connection; other addresses go on.
#[test]
fn mail_over_the_limits_comes_later() {
    let mut stage = Stage::accept_within(limits(), Security::Address);
    stage.play(GREETED);
    stage.play(MAIL);
    stage.play(&recipient("anna", 1));
    stage.play(&recipient("bert", 2));
    stage.show_events = true;
    stage.play(
        "C: RCPT TO:<cora@example.org>
         E: SMTP 192.0.2.1 is over its recipients_per_minute
         S: 452 4.7.1 Too many recipients from your address, come again later
         C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>
         ? Mail(10000)",
    );
    stage.show_events = false;
    stage.accept_again("192.0.2.1", None);
    stage.play(GREETED);
    stage.play(MAIL);
    stage.accept_again("192.0.2.1", None);
    stage.play(GREETED);
    let refused = "C: MAIL FROM:<carl@example.net>
         S: 450 4.7.1 Too many messages from your address, come again later";
    stage.play(refused);
    stage.accept_again("192.0.2.2", None);
    stage.play(GREETED);
    stage.play(MAIL);
    stage.accept_again("127.0.0.1", None);
    stage.play(GREETED);
    for _ in 0..4 {
        stage.play(MAIL);
        stage.play("C: RSET\nS: 250 2.0.0 Ok");
    }
    stage.accept_again("192.0.2.1", None);
    stage.play(GREETED);
    stage.pass(Span::seconds(29));
    stage.play(refused);
    stage.pass(Span::seconds(1));
    stage.play(MAIL);
}

/// SM-121: too many bad commands, on however many connections, end all of them.
#[test]
fn bad_commands_over_the_limit_end_the_connection() {
    let mut stage = Stage::accept_within(limits(), Security::Address);
    let bad = "C: WHAT\nS: 500 5.5.1 unknown command";
    let over = "421 4.7.0 Too many errors from your address, come again later";
    stage.play("S: 220 rg2-a ESMTP Bridgehead ready");
    stage.play(bad);
    stage.play(bad);
    stage.accept_again("192.0.2.1", None);
    stage.play("S: 220 rg2-a ESMTP Bridgehead ready");
    stage.play(bad);
    stage.show_events = true;
    stage.play(&format!(
        "C: WHAT
         E: SMTP octet 0: expected a command, got `WHAT`
         E: SMTP 192.0.2.1 is over its errors_per_minute
         S: {over}
         . close
         E: SMTP closed"
    ));
    stage.accept_again("192.0.2.1", None);
    stage.play(&format!(
        "E: SMTP accepted 192.0.2.1 on port Smtp
         E: SMTP 192.0.2.1 is over its errors_per_minute
         S: {over}
         . close
         E: SMTP closed"
    ));
    stage.show_events = false;
    stage.accept_again("192.0.2.2", None);
    stage.play("S: 220 rg2-a ESMTP Bridgehead ready");
    stage.pass(Span::seconds(20));
    stage.accept_again("192.0.2.1", None);
    stage.play("S: 220 rg2-a ESMTP Bridgehead ready");
}

/// SM-122: a member whose name is proved is not counted.
#[test]
fn members_are_not_counted() {
    let mut stage = Stage::accept_within(limits(), Security::Address);
    stage.play("S: 220 rg2-a ESMTP Bridgehead ready");
    stage.accept_again("192.0.2.1", Some("rg1-a"));
    stage.play("S: 220 rg2-a ESMTP Bridgehead ready\nC: HELO rg1-a\nS: 250 rg2-a");
    for _ in 0..4 {
        stage.play(MAIL);
        stage.play("C: RSET\nS: 250 2.0.0 Ok");
        stage.play("C: WHAT\nS: 500 5.5.1 unknown command");
    }
}
