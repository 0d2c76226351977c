//! Peers of the submission ports that agree on TLS, and then say the same to every line.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The password of the file, and what AUTH makes of it: none of them may stand in a report.
pub(crate) const SECRETS: [&str; 3] = [
    "tanstaaftanstaaf",
    "dGFuc3RhYWZ0YW5zdGFhZg==",
    "AHRpbUBudWxsLnRlc3QAdGFuc3RhYWZ0YW5zdGFhZg==",
];

/// Describes a server whose three ports are these.
pub(crate) fn describe(directory: &Path, smtp: &str, ports: [&str; 2]) -> PathBuf {
    let [submission, submissions] = ports;
    let path = directory.join("mail.toml");
    let text = format!(
        "smtp = \"{smtp}\"\nsubmission = \"{submission}\"\nsubmissions = \"{submissions}\"\n\
         [login]\nname = \"tim@null.test\"\npassword = \"{}\"\n",
        SECRETS[0]
    );
    std::fs::write(&path, text).expect("the directory is writable");
    path
}

fn config() -> Arc<ServerConfig> {
    static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let made = CONFIG.get_or_init(|| {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a name");
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.into());
        Arc::new(config.expect("the key is that of the certificate"))
    });
    Arc::clone(made)
}

/// Serves a connection: `answer` to everything. In clear it offers STARTTLS and takes it, unless it is
/// under TLS from the start.
pub(crate) fn serve(mut stream: TcpStream, clear: bool, answer: &str) -> std::io::Result<()> {
    if clear {
        let mut reader = BufReader::new(stream.try_clone()?);
        stream.write_all(b"220 null.test ready\r\n")?;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.eq_ignore_ascii_case("STARTTLS\r\n") {
                stream.write_all(b"220 2.0.0 ready\r\n")?;
                break;
            }
            stream.write_all(b"250-null.test\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n")?;
        }
    }
    let connection = ServerConnection::new(config()).map_err(std::io::Error::other)?;
    let mut tls = StreamOwned::new(connection, stream);
    if !clear {
        tls.write_all(b"220 null.test ready\r\n")?;
    }
    let mut line = Vec::new();
    loop {
        let mut octet = [0];
        if tls.read(&mut octet)? == 0 {
            return Ok(());
        }
        line.push(octet[0]);
        if octet[0] == b'\n' {
            tls.write_all(answer.as_bytes())?;
            line.clear();
        }
    }
}
