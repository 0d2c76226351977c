//! A mail store that nobody here wrote: Dovecot hosts the accounts, and what it has is read back over
//! IMAP.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use bridgehead::cli::cluster::hold_free_port;

use crate::support::{Client, Daemon, bridgehead, write_configuration};

const PATIENCE: Duration = Duration::from_secs(20);
const SUSPECT: &str = "X-Bridgehead-Suspect:";

fn has_dovecot() -> bool {
    let found = Command::new("dovecot").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: Dovecot is not installed");
    }
    found
}

fn free_port() -> SocketAddr {
    hold_free_port().unwrap().local_addr().unwrap()
}

/// Dovecot with LMTP and IMAP on ports of its own. Every account exists, with one password.
struct Dovecot {
    child: Child,
    lmtp: SocketAddr,
    imap: SocketAddr,
}

impl Dovecot {
    fn start(directory: &Path) -> Self {
        let (lmtp, imap) = (free_port(), free_port());
        let file = directory.join("dovecot.conf");
        fs::write(&file, configuration(directory, lmtp, imap)).unwrap();
        let mut command = Command::new("dovecot");
        command.arg("-F").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let dovecot = Self { child: command.spawn().unwrap(), lmtp, imap };
        for address in [lmtp, imap] {
            wait_for("Dovecot listens", || TcpStream::connect(address).ok());
        }
        dovecot
    }

    /// The mail in an account's inbox.
    fn inbox(&self, account: &str) -> Vec<String> {
        let mut imap = BufReader::new(TcpStream::connect(self.imap).unwrap());
        imap.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            imap.get_mut(),
            "a LOGIN {account} secret\r\nb SELECT INBOX\r\nc FETCH 1:* BODY[]\r\nd LOGOUT\r\n"
        )
        .unwrap();
        let mut mail = Vec::new();
        loop {
            let mut line = String::new();
            assert!(imap.read_line(&mut line).unwrap() > 0, "LOGOUT is answered");
            assert!(!line.starts_with("a NO") && !line.starts_with("b NO"), "{line}");
            if line.starts_with("d OK") {
                return mail;
            }
            let literal = line.trim_end().strip_suffix('}').and_then(|l| l.rsplit_once('{'));
            if let Some((_, octets)) = literal {
                let mut text = vec![0; octets.parse().unwrap()];
                imap.read_exact(&mut text).unwrap();
                mail.push(String::from_utf8(text).unwrap());
            }
        }
    }

    /// Waits until an inbox holds so many.
    fn wait_for_mail(&self, account: &str, count: usize) -> Vec<String> {
        wait_for("the mail arrives", || {
            Some(self.inbox(account)).filter(|mail| mail.len() >= count)
        })
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // The master ends its children when it is asked to end, not when it is killed.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// Dovecot drops the privileges of root, and keeps those of anybody else.
fn configuration(directory: &Path, lmtp: SocketAddr, imap: SocketAddr) -> String {
    let (user, group) = (id(&["-un"]), id(&["-gn"]));
    let (internal, login, owner) = match user.as_str() {
        "root" => ("dovecot", "dovenull", "mail"),
        user => (user, user, user),
    };
    let internal_group = if user == "root" { "dovecot" } else { &group };
    let mail = directory.join("mail");
    fs::create_dir(&mail).unwrap();
    let (uid, gid) = (id(&["-u", owner]), id(&["-g", owner]));
    std::os::unix::fs::chown(&mail, uid.parse().ok(), gid.parse().ok()).unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o711)).unwrap();
    let (d, lmtp, imap) = (directory.display(), lmtp.port(), imap.port());
    format!(
        "base_dir = {d}/run\nstate_dir = {d}/state\nlog_path = {d}/dovecot.log\n\
         protocols = lmtp imap\nssl = no\ndisable_plaintext_auth = no\nauth_mechanisms = plain\n\
         default_internal_user = {internal}\ndefault_internal_group = {internal_group}\n\
         default_login_user = {login}\nfirst_valid_uid = 1\nmail_location = maildir:{d}/mail/%u\n\
         passdb {{\n driver = static\n args = password=secret\n}}\n\
         userdb {{\n driver = static\n\
          args = uid={uid} gid={gid} home={d}/mail/%u allow_all_users=yes\n}}\n\
         service lmtp {{\n inet_listener lmtp {{\n address = 127.0.0.1\n port = {lmtp}\n }}\n}}\n\
         service imap-login {{\n chroot =\n\
          inet_listener imap {{\n address = 127.0.0.1\n port = {imap}\n }}\n\
          inet_listener imaps {{\n port = 0\n }}\n}}\n\
         service anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\n"
    )
}

fn id(arguments: &[&str]) -> String {
    let said = Command::new("id").args(arguments).output().unwrap().stdout;
    String::from_utf8(said).unwrap().trim().to_owned()
}

/// Asks again and again; the test fails when nothing comes for [`PATIENCE`].
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let pause = Duration::from_millis(50);
    for _ in 0..PATIENCE.as_millis() / pause.as_millis() {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::sleep(pause);
    }
    panic!("{what}: not within {PATIENCE:?}");
}

/// A member whose accounts `bob` and `carl` are in the store at `lmtp`. A minute takes a
/// second.
fn member(directory: &Path, lmtp: SocketAddr, policy: &str) -> Daemon {
    let security = "members = \"address\"\nallow_development_ca = true";
    let file = write_configuration(directory, "127.0.0.1:0", security);
    let member = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        format!(
            "{member}\n[clock]\nscale = 60.0\n[policy]\nfirst_retries_minutes = [1]\n{policy}\n"
        ),
    )
    .unwrap();
    let organization = directory.join("organization.toml");
    let text = fs::read_to_string(&organization).unwrap();
    let store = format!("[[group.store]]\nname = \"dovecot\"\nlmtp = \"{lmtp}\"\n[[account]]");
    let carl = "[[account]]\naddress = \"carl@example.org\"\nhost = \"dovecot\"\n";
    let text =
        text.replace("[[account]]", &store).replace("host = \"rg1-a\"", "host = \"dovecot\"");
    fs::write(&organization, format!("{text}{carl}")).unwrap();
    let log = fs::File::create(directory.join("log")).unwrap();
    let mut command = bridgehead();
    command.env("BRIDGEHEAD_LOG", "info").stderr(log);
    Daemon::ready(command.arg("serve").arg(file).spawn().unwrap())
}

fn send(member: &Daemon, recipients: &[&str], text: &str) {
    let mut client = Client::connect(member.smtp);
    client.ask("EHLO client.example.net", "250");
    client.ask("MAIL FROM:<ann@example.net>", "250");
    for recipient in recipients {
        client.ask(&format!("RCPT TO:<{recipient}>"), "250");
    }
    client.ask("DATA", "354");
    client.ask(&format!("Subject: test\r\n\r\n{text}\r\n."), "250 2.");
}

/// DE-070 and DE-071: both recipients have the mail, once; the log says what is not guaranteed.
#[test]
fn mail_is_read_back_over_imap() {
    if !has_dovecot() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let dovecot = Dovecot::start(directory.path());
    let member = member(directory.path(), dovecot.lmtp, "");
    send(&member, &["bob@example.org", "carl@example.org"], "read me over IMAP\r\n.. and this");
    for account in ["bob@example.org", "carl@example.org"] {
        let mail = dovecot.wait_for_mail(account, 1);
        assert_eq!(mail.len(), 1, "{mail:?}");
        assert!(mail[0].contains("read me over IMAP\r\n. and this\r\n"), "{}", mail[0]);
        assert!(mail[0].contains("by rg1-a (group RG1)"), "{}", mail[0]);
        assert!(!mail[0].contains(SUSPECT), "{}", mail[0]);
    }
    let log = fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(log.contains("no_journal"), "{log}");
}

/// DE-072: the store has the mail, its reply is lost. It comes again, and says that it may be double.
#[test]
fn a_lost_reply_is_a_marked_second_copy() {
    if !has_dovecot() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let dovecot = Dovecot::start(directory.path());
    let member =
        member(directory.path(), loses_first_result(dovecot.lmtp), "suspects = \"resend\"");
    send(&member, &["bob@example.org"], "perhaps twice");
    let mail = dovecot.wait_for_mail("bob@example.org", 2);
    let marked: Vec<bool> = mail.iter().map(|mail| mail.contains(SUSPECT)).collect();
    assert_eq!(marked, [false, true], "{mail:?}");
}

/// DE-072: the same, where the operator rather has it held.
#[test]
fn a_lost_reply_is_held_by_policy() {
    if !has_dovecot() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let dovecot = Dovecot::start(directory.path());
    let member = member(directory.path(), loses_first_result(dovecot.lmtp), "suspects = \"hold\"");
    send(&member, &["bob@example.org"], "not twice");
    let listed = wait_for("the message is held", || {
        let mut command = bridgehead();
        command.args(["queue", "list", "--json", "--socket"]);
        let listed = command.arg(directory.path().join("state/admin.sock")).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        listed.contains("it may be double").then_some(listed)
    });
    assert!(listed.contains("bob@example.org"), "{listed}");
    assert_eq!(dovecot.inbox("bob@example.org").len(), 1);
}

/// A relay in front of the store that hides the first reply behind a content, and ends the connection.
fn loses_first_result(store: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut lost = false;
        for near in listener.incoming() {
            let near = near.unwrap();
            // The test is over when the store is.
            let Ok(far) = TcpStream::connect(store) else { return };
            let (mut up, mut to_far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut up, &mut to_far));
            relay_replies(BufReader::new(far), near, &mut lost);
        }
    });
    address
}

fn relay_replies(mut far: BufReader<TcpStream>, mut near: TcpStream, lost: &mut bool) {
    let mut is_content = false;
    let mut line = String::new();
    while far.read_line(&mut line).is_ok_and(|octets| octets > 0) {
        if is_content && !*lost {
            *lost = true;
            break;
        }
        is_content = line.starts_with("354");
        if near.write_all(line.as_bytes()).is_err() {
            break;
        }
        line.clear();
    }
    let _ = near.shutdown(std::net::Shutdown::Both);
}
