//! What a login is answered where it has no place, and how long it holds.

use bridgehead::protocol::member::{Port, Security};
use bridgehead::protocol::organization::{Account, AccountStatus, Organization, PasswordHash};

use crate::stage::Stage;
use crate::submission::{RIGHT, WRONG, greeted, logged_in};

/// What becomes of the organization.
type Change<'a> = &'a dyn Fn(&mut Organization);

fn bert(organization: &mut Organization) -> &mut Account {
    let mut accounts = organization.accounts.iter_mut();
    accounts.find(|account| account.address.local() == "bert").expect("he is there")
}

/// SM-131, SM-102: what stands in an AUTH that is out of place is not judged.
#[test]
fn out_of_place_comes_before_malformed() {
    let mut stage = Stage::accept(Security::Tls, Port::Submission, None);
    stage.show_events = true;
    stage.play(
        "S: 220 rg2-a ESMTP Bridgehead ready
         C: AUTH PLAIN !
         E: SUBMISSION octet 11: expected base64, with its padding, got `AUTH PLAIN ***`
         S: 503 5.5.1 EHLO first
         C: HELO client.example
         S: 250 rg2-a
         C: AUTH ! !
         E: SUBMISSION octet 5: expected the name of a mechanism, got `AUTH ! ***`
         S: 503 5.5.1 EHLO first",
    );
}

/// SM-131: within a mail, after a login, and in clear; then where it has its place.
#[test]
fn a_malformed_auth_in_each_place() {
    let mut stage = logged_in();
    stage.play("C: AUTH PLAIN !\nS: 503 5.5.1 You are authenticated already");
    let mut stage = greeted();
    let malformed = "501 5.5.2 octet 11: expected base64, with its padding";
    stage.play(&format!("C: AUTH PLAIN !\nS: {malformed}\nC: AUTH PLAIN !\nS: {malformed}"));
    let mut stage = Stage::accept(Security::Tls, Port::Submission, None);
    stage.octets(b"EHLO client.example\r\nAUTH PLAIN !\r\nAUTH PLAIN !\r\n");
    let log = stage.take_log();
    let in_clear = "S: 538 5.7.11 Encryption is required: STARTTLS first";
    assert_eq!(log.iter().filter(|line| *line == in_clear).count(), 2, "{log:?}");
}

/// SM-131: an AUTH that is too long, then what comes behind it.
#[test]
fn a_line_of_an_authentication_has_its_own_limit() {
    let mut stage = greeted();
    let long = "YWFh".repeat(4_000);
    stage.play(&format!(
        "C: NOOP {long}
         S: 500 5.5.2 Line too long
         C: AUTH PLAIN {long}
         S: 500 5.5.6 The line of the authentication is too long
         C: {long}
         S: 500 5.5.6 The line of the authentication is too long
         C: NOOP
         S: 250 2.0.0 Ok
         C: NOOP {long}
         S: 500 5.5.2 Line too long"
    ));
}

/// SM-132: the right password tells that the account is suspended, a wrong one does not.
#[test]
fn a_suspended_account_does_not_log_in() {
    let mut stage = greeted();
    stage.reload(|organization| bert(organization).status = AccountStatus::Suspended);
    stage.play(&format!(
        "C: AUTH PLAIN {RIGHT}
         ! check 1
         + checked 1
         S: 525 5.7.13 The account is suspended
         C: MAIL FROM:<bert@example.org>
         S: 530 5.7.0 Authentication is required
         C: AUTH PLAIN {WRONG}
         ! check 2
         + checked 2
         S: 535 5.7.8 Authentication credentials invalid
         C: AUTH PLAIN {RIGHT}
         ! check 3
         + checked 3
         S: 421 4.7.0 Too many logins have failed
         . close"
    ));
}

/// SM-133: what the organization says now holds for the next mail, in either direction.
#[test]
fn a_login_does_not_outlive_what_it_was_made_with() {
    const AGAIN: &str =
        "530 5.7.0 Authentication is required: the account has changed, log in on a new connection";
    let mut stage = logged_in();
    stage.play("C: MAIL FROM:<bert@example.org>\nS: 250 2.1.0 Ok\nC: RSET\nS: 250 2.0.0 Ok");
    let changes: [(Change<'_>, &str); 4] = [
        (&|o| bert(o).status = AccountStatus::Suspended, "525 5.7.13 The account is suspended"),
        (&|o| bert(o).password = Some(PasswordHash::new(b"another", [1; 16])), AGAIN),
        (&|o| bert(o).password = None, AGAIN),
        (&|o| o.accounts.retain(|account| account.address.local() != "bert"), AGAIN),
    ];
    for (change, reply) in changes {
        let mut stage = logged_in();
        let mut before = None;
        stage.reload(|organization| {
            before = Some(organization.clone());
            change(organization);
        });
        for sender in ["<bert@example.org>", "<>"] {
            stage.play(&format!("C: MAIL FROM:{sender}\nS: {reply}"));
        }
        stage.play(&format!("C: AUTH PLAIN {RIGHT}\nS: 503 5.5.1 You are authenticated already"));
        stage.reload(|organization| *organization = before.take().expect("it was kept"));
        stage.play("C: MAIL FROM:<bert@example.org>\nS: 250 2.1.0 Ok");
    }
}

/// SM-133: a password that was changed while the login was checked is not the one that was said.
#[test]
fn a_login_under_the_password_before_a_reload_is_void() {
    let mut stage = greeted();
    stage.play(&format!("C: AUTH PLAIN {RIGHT}\n! check 1"));
    let mut before = None;
    stage.reload(|organization| before = bert(organization).password.clone());
    stage.play("+ checked 1\nS: 235 2.7.0 Authentication successful");
    stage.reload(|organization| {
        bert(organization).password = Some(PasswordHash::new(b"x", [1; 16]))
    });
    stage.play(
        "C: MAIL FROM:<bert@example.org>
         S: 530 5.7.0 Authentication is required: the account has changed, log in on a new connection",
    );
}
