//! A server that somebody else has started: where it listens, and what the suite may use of it.

use core::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;

use crate::clock::Patience;
use crate::net::{Port, dial_from};
use crate::parameters::{Login, Parameters, Secret};
use crate::verdict::Exit;

/// A description of a target is a file with this ending.
const FILE: &str = ".toml";
/// The domain of the recipient where nothing is said about one.
const RECIPIENT: &str = "postmaster";
/// The sender where nothing is said about one.
const SENDER: &str = "suite@client.example.net";

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// SMTP, which everything begins with.
    pub(crate) smtp: SocketAddr,
    /// Submission, in clear until STARTTLS.
    pub(crate) submission: Option<SocketAddr>,
    /// Submission under TLS from the start.
    pub(crate) submissions: Option<SocketAddr>,
    /// The name that is asked for under TLS.
    pub(crate) name: String,
    /// The one certificate that it may show there; nothing where any will do.
    pub(crate) certificate: Option<CertificateDer<'static>>,
    /// Addresses, as far as they are known.
    known: Known,
    /// Who may log in.
    login: Option<Login>,
}

/// Addresses that may be said on the command line, in the file, or nowhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// A recipient that is accepted.
    pub(crate) recipient: Option<String>,
    /// A recipient that does not exist.
    pub(crate) unknown: Option<String>,
    /// A sender that is accepted.
    pub(crate) sender: Option<String>,
}

/// What the file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    smtp: String,
    submission: Option<String>,
    submissions: Option<String>,
    certificate: Option<PathBuf>,
    recipient: Option<String>,
    unknown: Option<String>,
    sender: Option<String>,
    login: Option<AskedLogin>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedLogin {
    name: String,
    password: String,
    sender: Option<String>,
}

type Problem = (Exit, String);

impl Target {
    /// What `--target` says: HOST:PORT, or the file that says more.
    pub(crate) fn read(text: &str, patience: Patience) -> Result<Self, Problem> {
        if text.ends_with(FILE) {
            return Self::described(Path::new(text), patience);
        }
        let description = Description {
            smtp: text.to_owned(),
            submission: None,
            submissions: None,
            certificate: None,
            recipient: None,
            unknown: None,
            sender: None,
            login: None,
        };
        Self::of(description, "--target", patience, None)
    }

    fn described(path: &Path, patience: Patience) -> Result<Self, Problem> {
        let usage = |problem: String| (Exit::Usage, format!("{}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| usage(error.to_string()))?;
        // The line of a wrong file may be the one with the password: its text is not repeated.
        let description: Description = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            usage(format!("line {line}: {}", error.message()))
        })?;
        let place = description
            .certificate
            .as_ref()
            .map(|name| path.parent().unwrap_or_else(|| Path::new("")).join(name));
        let certificate = place.map(|place| {
            CertificateDer::from_pem_file(&place)
                .map_err(|error| usage(format!("certificate {}: {error}", place.display())))
        });
        let certificate = certificate.transpose()?;
        Self::of(description, &path.display().to_string(), patience, certificate)
    }

    fn of(
        description: Description,
        place: &str,
        patience: Patience,
        certificate: Option<CertificateDer<'static>>,
    ) -> Result<Self, Problem> {
        let Description {
            smtp, submission, submissions, recipient, unknown, sender, login, ..
        } = description;
        let at = |text: &String| resolve(place, text, patience);
        let name = smtp.rsplit_once(':').map_or(smtp.as_str(), |(host, _)| host);
        let login = login.map(|AskedLogin { name, password, sender }| Login {
            sender: sender.unwrap_or_else(|| name.clone()),
            name,
            password: Secret(password),
        });
        Ok(Self {
            name: name.trim_matches(['[', ']']).to_owned(),
            smtp: at(&smtp)?,
            submission: submission.as_ref().map(at).transpose()?,
            submissions: submissions.as_ref().map(at).transpose()?,
            certificate,
            known: Known { recipient, unknown, sender },
            login,
        })
    }

    /// Where a port is, if the server has it.
    pub(crate) const fn port(&self, port: Port) -> Option<SocketAddr> {
        match port {
            Port::Smtp => Some(self.smtp),
            Port::Submission => self.submission,
            Port::Submissions => self.submissions,
            Port::Deliver | Port::Group => None,
        }
    }

    /// Whether somebody listens on another of its ports than this one.
    pub(crate) fn listens_beside(&self, dead: SocketAddr, patience: Patience) -> bool {
        let ports = [Some(self.smtp), self.submission, self.submissions];
        let others = ports.into_iter().flatten().filter(|port| *port != dead);
        others.into_iter().any(|port| dial_from(None, port, patience.connect()).is_ok())
    }

    /// The addresses: what was said on the command line comes first.
    pub(crate) fn parameters(&self, said: Known) -> Parameters {
        let file = &self.known;
        let or = |said: Option<String>, file: &Option<String>| said.or_else(|| file.clone());
        Parameters {
            recipient: or(said.recipient, &file.recipient).unwrap_or_else(|| RECIPIENT.into()),
            unknown: or(said.unknown, &file.unknown),
            sender: or(said.sender, &file.sender).unwrap_or_else(|| SENDER.into()),
            login: self.login.clone(),
        }
    }
}

/// As reports name it.
impl core::fmt::Display for Target {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "target {}", self.smtp)?;
        for port in Port::LOGIN {
            if let Some(address) = self.port(port) {
                write!(f, ", {} {address}", port.name())?;
            }
        }
        Ok(())
    }
}

/// A target that is no host and port is a slip; one that no resolver knows is dead. Of several addresses
/// it is the first where somebody listens.
fn resolve(place: &str, target: &str, patience: Patience) -> Result<SocketAddr, Problem> {
    use std::net::ToSocketAddrs as _;
    let port = target.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
    if !matches!(port, Some((host, Ok(_))) if !host.is_empty()) {
        let expected = "expected HOST:PORT, such as localhost:25, 192.0.2.1:25 or [::1]:25";
        return Err((Exit::Usage, format!("{place} {target}: {expected}")));
    }
    let dead = |problem: String| (Exit::Unusable, format!("{place} {target}: {problem}"));
    let addresses: Vec<SocketAddr> = target
        .to_socket_addrs()
        .map_err(|error| dead(format!("the host is not found: {error}")))?
        .collect();
    let first = addresses.first().copied().ok_or_else(|| dead("has no address".into()))?;
    Ok(first_that_listens(&addresses, patience).unwrap_or(first))
}

/// The only address, or the first that takes a connection.
fn first_that_listens(addresses: &[SocketAddr], patience: Patience) -> Option<SocketAddr> {
    let listens = |address: &&SocketAddr| dial_from(None, **address, patience.connect()).is_ok();
    match addresses {
        [only] => Some(*only),
        several => several.iter().find(listens).copied(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::{Known, Target, first_that_listens};
    use crate::clock::Patience;
    use crate::net::Port;
    use crate::verdict::Exit;

    #[test]
    fn of_several_addresses_the_first_that_listens_is_taken() {
        let bind = || TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (dead, alive) = (bind(), bind());
        let [gone, there] = [&dead, &alive].map(|l| l.local_addr().expect("it is bound"));
        drop(dead);
        let patience = Patience::new(1.0);
        assert_eq!(first_that_listens(&[gone, there], patience), Some(there));
        assert_eq!(first_that_listens(&[gone], patience), Some(gone), "there is no choice");
        assert_eq!(first_that_listens(&[gone, gone], patience), None);
    }

    fn read(text: &str) -> Result<Target, (Exit, String)> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("mail.toml");
        std::fs::write(&path, text).expect("the file is writable");
        Target::read(path.to_str().expect("a path of text"), Patience::new(1.0))
    }

    #[test]
    fn a_file_describes_a_server_and_the_command_line_has_the_last_word() {
        let text = "smtp = \"127.0.0.1:25\"\nsubmission = \"127.0.0.1:587\"\n\
                    recipient = \"ann@example.test\"\n[login]\nname = \"bob@example.test\"\n\
                    password = \"secret\"\n";
        let target = read(text).expect("the file is right");
        assert_eq!(target.port(Port::Submission), "127.0.0.1:587".parse().ok());
        assert_eq!(target.port(Port::Submissions), None);
        assert_eq!(target.to_string(), "target 127.0.0.1:25, submission 127.0.0.1:587");
        let said = Known { recipient: Some("eve@example.test".into()), ..Known::default() };
        let parameters = target.parameters(said);
        assert_eq!(parameters.recipient, "eve@example.test");
        assert_eq!(parameters.login.map(|login| login.sender), Some("bob@example.test".into()));
        assert_eq!(target.parameters(Known::default()).recipient, "ann@example.test");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_its_password() {
        for (text, said) in [
            ("smtp = \"127.0.0.1:25\"\nport = 3\n", "line 2: unknown field `port`"),
            ("smtp = \"127.0.0.1\"\n", "expected HOST:PORT"),
            ("submission = \"127.0.0.1:25\"\n", "missing field `smtp`"),
            ("smtp = \"127.0.0.1:25\"\n[login]\nname = \"a\"\npassword = secret\n", "line 4: "),
        ] {
            let (exit, problem) = read(text).expect_err("the file is wrong");
            assert_eq!(exit, Exit::Usage);
            assert!(problem.contains(said) && !problem.contains("secret"), "{problem}");
        }
        assert!(Target::read("/nowhere/mail.toml", Patience::new(1.0)).is_err());
    }
}
