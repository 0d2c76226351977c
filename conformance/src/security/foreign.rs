//! TLS with a server that the suite has no authority over: a pinned certificate, or any.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::{SecurityError, Tls, wrong};
use crate::target::Target;

/// Takes whatever certificate the server holds the key of. Whether it is the right one shows when the
/// handshake is over, where it is compared with the pinned one.
#[derive(Debug)]
struct Holder(Arc<CryptoProvider>);

impl Tls {
    /// Towards a target, on which everything that it may show is looked at afterwards.
    pub(crate) fn with_target(target: &Target) -> Result<Self, SecurityError> {
        let provider = Arc::new(default_provider());
        let verifier = Arc::new(Holder(Arc::clone(&provider)));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(target.name.clone()).map_err(wrong)?;
        let mut connection = ClientConnection::new(Arc::new(config), name).map_err(wrong)?;
        connection.set_buffer_limit(None);
        let certificate = target.certificate.clone();
        Ok(Self { connection: connection.into(), peer: target.name.clone(), certificate })
    }
}

impl ServerCertVerifier for Holder {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
