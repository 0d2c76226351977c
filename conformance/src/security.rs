//! How members prove their names to each other, and the certificates with which they do it where TLS is
//! the proof. The suite is the authority: it mints everything, for each run anew.

mod foreign;

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How members prove their names.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Security {
    /// By the address from which they come; nothing is encrypted.
    Address,
    /// By certificates that the suite mints.
    Tls,
}

/// What the suite shows for a certificate when it is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The one of that member.
    Own,
    /// None.
    Nothing,
    /// One with the right name, of an authority that nobody knows.
    OtherAuthority,
    /// The right one of another member.
    Another,
    /// One of the right authority for a name that the organization does not have.
    Stranger,
    /// One with the right name where it proves nothing: in the common name.
    CommonName,
    /// One that names two members: its holder could choose who it is.
    TwoNames,
}

/// A name that no organization of the suite has.
const NOBODY: &str = "rg9-z";

/// A certificate could not be minted, or TLS not be prepared: an error of the suite or of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecurityError(String);

impl fmt::Display for SecurityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificates: {}", self.0)
    }
}

impl SecurityError {
    /// Members prove their names by their addresses.
    pub(crate) fn none() -> Self {
        Self("there is no authority".into())
    }
}

fn wrong(error: impl fmt::Display) -> SecurityError {
    SecurityError(error.to_string())
}

/// An authority, and the certificates that it has issued.
pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
    issued: Mutex<BTreeMap<String, Arc<Credentials>>>,
}

/// A certificate and its key.
pub(crate) struct Credentials {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key: KeyPair,
}

/// TLS on one connection between the suite and a node, not begun yet.
pub(crate) struct Tls {
    /// The suite's side of it.
    pub(crate) connection: Connection,
    /// The member that the node must prove to be.
    pub(crate) peer: String,
    /// Its certificate; nothing where any will do.
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

impl Authority {
    /// A new authority.
    pub(crate) fn mint() -> Result<Self, SecurityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Conformance suite CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(wrong)?;
        let certificate = params.self_signed(&key).map_err(wrong)?;
        Ok(Self {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
            issued: Mutex::default(),
        })
    }

    /// The certificate of a name, in the form of SV-033. The same name gets the same one again.
    pub(crate) fn of(&self, name: &str) -> Result<Arc<Credentials>, SecurityError> {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credentials) = issued.get(name) {
            return Ok(Arc::clone(credentials));
        }
        let credentials = Arc::new(self.issue(name, &[name])?);
        issued.insert(name.to_owned(), Arc::clone(&credentials));
        Ok(credentials)
    }

    /// What a member shows, `other` being another member of its organization.
    pub(crate) fn shown(
        &self,
        shown: Shown,
        member: &str,
        other: &str,
    ) -> Result<Option<Arc<Credentials>>, SecurityError> {
        Ok(Some(match shown {
            Shown::Nothing => return Ok(None),
            Shown::Own => self.of(member)?,
            Shown::Another => self.of(other)?,
            Shown::OtherAuthority => Self::mint()?.of(member)?,
            Shown::Stranger => self.of(NOBODY)?,
            Shown::CommonName => Arc::new(self.issue(member, &[NOBODY])?),
            Shown::TwoNames => Arc::new(self.issue(member, &[member, other])?),
        }))
    }

    fn issue(&self, common: &str, alternatives: &[&str]) -> Result<Credentials, SecurityError> {
        let names: Vec<String> = alternatives.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).map_err(wrong)?;
        params.distinguished_name.push(DnType::CommonName, common);
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().map_err(wrong)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(wrong)?;
        Ok(Credentials {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key,
        })
    }

    /// What `configure` says of the security of a member.
    pub(crate) fn configuration(&self, member: &str) -> Result<Value, SecurityError> {
        let own = self.of(member)?;
        Ok(json!({
            "ca_pem": self.certificate_pem,
            "certificate_pem": own.certificate_pem,
            "key_pem": own.key.serialize_pem(),
        }))
    }

    /// TLS with a node that calls: the suite shows `own`, and demands the certificate of `peer`.
    pub(crate) fn server(&self, own: &Credentials, peer: &str) -> Result<Tls, SecurityError> {
        let provider = Arc::new(default_provider());
        let roots = Arc::new(self.roots()?);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(wrong)?
            .with_client_cert_verifier(verifier.map_err(wrong)?)
            .with_single_cert(vec![own.certificate.clone()], own.key())
            .map_err(wrong)?;
        // No connection is resumed: on each one both sides prove their names anew.
        config.send_tls13_tickets = 0;
        let connection = ServerConnection::new(Arc::new(config)).map_err(wrong)?;
        self.tls(connection.into(), peer)
    }

    /// TLS with a node that the suite calls: it shows `own`, if it has any, and demands the
    /// certificate of `peer`.
    pub(crate) fn client(
        &self,
        own: Option<&Credentials>,
        peer: &str,
    ) -> Result<Tls, SecurityError> {
        let provider: Arc<CryptoProvider> = Arc::new(default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(wrong)?
            .with_root_certificates(self.roots()?);
        let mut config = match own {
            Some(own) => {
                let chain = vec![own.certificate.clone()];
                config.with_client_auth_cert(chain, own.key()).map_err(wrong)?
            }
            None => config.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(peer.to_owned()).map_err(wrong)?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(wrong)?;
        self.tls(connection.into(), peer)
    }

    fn tls(&self, mut connection: Connection, peer: &str) -> Result<Tls, SecurityError> {
        // What is said before the handshake is over waits in memory, however much it is.
        connection.set_buffer_limit(None);
        let certificate = Some(self.of(peer)?.certificate.clone());
        Ok(Tls { connection, peer: peer.to_owned(), certificate })
    }

    fn roots(&self) -> Result<RootCertStore, SecurityError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).map_err(wrong)?;
        Ok(roots)
    }
}

impl Credentials {
    fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}
