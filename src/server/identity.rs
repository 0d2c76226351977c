//! Certificates: who a member is, and who its peer is.

use alloc::sync::Arc;
use core::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::clause;
use crate::server::private::take_from_others;
use crate::wire::ids::MemberName;

/// The common name that marks the authority which `cluster up` makes.
pub const DEVELOPMENT_CA_NAME: &str = "Bridgehead development CA";

/// A certificate authority for one machine and one afternoon.
#[derive(Debug)]
pub struct DevelopmentCa {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a member proves itself with, as PEM text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The authority that all members share.
    pub ca_pem: String,
    /// The certificate of this member, with its chain.
    pub certificate_pem: String,
    /// Its private key.
    pub key_pem: String,
}

/// What a member proves itself with to clients of the submission ports, as PEM text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCredentials {
    /// The certificate, with its chain.
    pub certificate_pem: String,
    /// Its private key.
    pub key_pem: String,
}

/// The two sides of TLS, ready for use.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For the SMTP port: any client may come; one that shows a certificate must show a good one.
    pub open_server: Arc<ServerConfig>,
    /// For the submission ports: clients prove themselves by what they say, and are asked for no
    /// certificate.
    pub client_server: Arc<ServerConfig>,
    /// For the delivery and group ports: members only, TLS 1.3.
    pub member_server: Arc<ServerConfig>,
    /// For connections to members: TLS 1.3, both sides prove themselves.
    pub client: Arc<ClientConfig>,
    /// Whether the authority is a [`DevelopmentCa`].
    pub is_development: bool,
}

/// Certificates or keys that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityError {
    /// Which part: `ca`, `certificate`, `key`, `client_certificate`, `client_key`.
    pub part: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.problem)
    }
}

impl core::error::Error for IdentityError {}

fn wrong<E: fmt::Display>(part: &'static str) -> impl Fn(E) -> IdentityError {
    move |error| IdentityError { part, problem: error.to_string() }
}

impl DevelopmentCa {
    /// Makes a new authority. Its key lives only in this value.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn create() -> Result<Self, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, DEVELOPMENT_CA_NAME);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(wrong("ca"))?;
        let certificate_pem = params.self_signed(&key).map_err(wrong("ca"))?.pem();
        Ok(Self { certificate_pem, issuer: Issuer::new(params, key) })
    }

    /// The certificate of the authority.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A certificate with the member's name as its only subject alternative name.
    ///
    /// # Errors
    /// The name has no place in a certificate.
    pub fn issue(&self, member: &MemberName) -> Result<Credentials, IdentityError> {
        let mut params =
            CertificateParams::new(vec![member.0.clone()]).map_err(wrong("certificate"))?;
        params.distinguished_name.push(DnType::CommonName, member.as_str());
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().map_err(wrong("key"))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(wrong("certificate"))?;
        Ok(Credentials {
            ca_pem: self.certificate_pem.clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

impl Credentials {
    /// Writes `ca.pem`, `certificate.pem` and `key.pem`, the key for its owner only.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, directory: &Path) -> std::io::Result<()> {
        fs::write(directory.join("ca.pem"), &self.ca_pem)?;
        fs::write(directory.join("certificate.pem"), &self.certificate_pem)?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let path = directory.join("key.pem");
        let mut file = options.open(&path)?;
        // A file that was there keeps the mode that it had.
        take_from_others(&path)?;
        file.write_all(self.key_pem.as_bytes())
    }

    /// Prepares both sides of TLS.
    ///
    /// # Errors
    /// A part is no PEM, the key does not fit, or the certificate cannot be used.
    pub fn identity(&self) -> Result<Identity, IdentityError> {
        let (roots, is_development) = self.roots()?;
        let provider = Arc::new(default_provider());
        let verifier = |required: bool| {
            let builder = WebPkiClientVerifier::builder_with_provider(
                Arc::clone(&roots),
                Arc::clone(&provider),
            );
            let builder = if required { builder } else { builder.allow_unauthenticated() };
            builder.build().map_err(wrong("ca"))
        };
        let member_server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(wrong("certificate"))?
            .with_client_cert_verifier(verifier(true)?)
            .with_single_cert(self.chain()?, self.key()?)
            .map_err(wrong("key"))?;
        let open_server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(wrong("certificate"))?
            .with_client_cert_verifier(verifier(false)?)
            .with_single_cert(self.chain()?, self.key()?)
            .map_err(wrong("key"))?;
        let client_server = client_server((self.chain()?, self.key()?), "key")?;
        let client = self.client(roots, provider)?;
        Ok(Identity {
            open_server: Arc::new(open_server),
            client_server: Arc::new(client_server),
            member_server: Arc::new(member_server),
            client: Arc::new(client),
            is_development,
        })
    }

    fn client(
        &self,
        roots: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
    ) -> Result<ClientConfig, IdentityError> {
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(wrong("certificate"))?
            .with_root_certificates(roots)
            .with_client_auth_cert(self.chain()?, self.key()?)
            .map_err(wrong("key"))
    }

    fn roots(&self) -> Result<(Arc<RootCertStore>, bool), IdentityError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.ca_pem.as_bytes()) {
            roots.add(certificate.map_err(wrong("ca"))?).map_err(wrong("ca"))?;
        }
        if roots.is_empty() {
            let problem = "holds no certificate, expected PEM text".into();
            return Err(IdentityError { part: "ca", problem });
        }
        let is_development = roots.roots.iter().any(|root| {
            let name = DEVELOPMENT_CA_NAME.as_bytes();
            root.subject.windows(name.len()).any(|window| window == name)
        });
        Ok((Arc::new(roots), is_development))
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
        chain_of(&self.certificate_pem, "certificate")
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, IdentityError> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(wrong("key"))
    }

    /// Which of `members` this certificate names.
    ///
    /// # Errors
    /// It cannot be parsed.
    pub fn names<'a>(
        &self,
        members: impl IntoIterator<Item = &'a MemberName>,
    ) -> Result<Option<&'a MemberName>, IdentityError> {
        Ok(member_of(&self.chain()?[0], members))
    }
}

impl ClientCredentials {
    /// Prepares the server's side of TLS for clients of the submission ports.
    ///
    /// # Errors
    /// A part is no PEM, or the key does not fit.
    pub fn server(&self) -> Result<ServerConfig, IdentityError> {
        clause!(SV_072);
        let chain = chain_of(&self.certificate_pem, "client_certificate")?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes());
        client_server((chain, key.map_err(wrong("client_key"))?), "client_key")
    }
}

fn chain_of(pem: &str, part: &'static str) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(wrong(part))?;
    if chain.is_empty() {
        let problem = "holds no certificate, expected PEM text".into();
        return Err(IdentityError { part, problem });
    }
    Ok(chain)
}

fn client_server(
    (chain, key): (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
    part: &'static str,
) -> Result<ServerConfig, IdentityError> {
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(wrong(part))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(wrong(part))
}

/// The member that a verified certificate names. A certificate that names several proves none of them:
/// its holder could choose who it is.
pub fn member_of<'a>(
    certificate: &CertificateDer<'_>,
    members: impl IntoIterator<Item = &'a MemberName>,
) -> Option<&'a MemberName> {
    clause!(SV_031);
    // Only subject alternative names are looked at.
    clause!(SV_033);
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let mut named = members.into_iter().filter(|member| {
        ServerName::try_from(member.as_str())
            .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    });
    let first = named.next()?;
    if named.next().is_none() { Some(first) } else { None }
}

/// The name to expect in the certificate of a member.
#[must_use]
pub fn server_name(member: &MemberName) -> Option<ServerName<'static>> {
    ServerName::try_from(member.0.clone()).ok()
}
