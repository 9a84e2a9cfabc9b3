//! Whom the client trusts and who it is, as a rustls configuration: TLS 1.3, ring, HTTP/2.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::pin::PinnedCa;

/// Whom to trust and who to be.
#[derive(Clone)]
pub struct Credentials {
    /// Whom the client trusts.
    pub trust: Trust,
    /// Who the client is.
    pub identity: Identity,
}

/// Whom the client trusts.
#[derive(Clone)]
pub enum Trust {
    /// The cluster's CA, PEM.
    Ca(Vec<u8>),
    /// A CA that is not at hand: SHA-256 of its DER. The server must send it along.
    Pinned([u8; 32]),
    /// Nobody, for servers on loopback without TLS.
    Nobody,
}

/// Who the client is to the server.
#[derive(Clone)]
pub enum Identity {
    /// Nobody yet, as a node that joins by a token.
    Anonymous,
    /// A certificate and its key, PEM.
    Certificate {
        /// The certificate, with those between it and the CA.
        certificate: Vec<u8>,
        /// Its private key.
        key: Vec<u8>,
    },
    /// A bearer token.
    Token(String),
    /// A file with a bearer token, which is read again as it changes.
    TokenFile(PathBuf),
}

/// Why credentials make no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA's, the certificate's or the key's PEM does not parse.
    #[error("{what}: no usable PEM: {source}")]
    Pem {
        /// Which of them.
        what: &'static str,
        /// What the parser says.
        source: rustls_pki_types::pem::Error,
    },
    /// There is no certificate in it.
    #[error("{0}: it holds no certificate")]
    Empty(&'static str),
    /// A token that no header can carry.
    #[error("token: it holds control characters")]
    Token,
    /// A certificate or key that rustls does not take.
    #[error("{what}: {source}")]
    Refused {
        /// Which of them.
        what: &'static str,
        /// What rustls says.
        source: rustls::Error,
    },
}

const CA: &str = "certificate-authority";
const CERTIFICATE: &str = "client-certificate";
const KEY: &str = "client-key";

impl Credentials {
    /// The TLS settings of every connection.
    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let builder = self.trusting()?;
        let mut config = match &self.identity {
            Identity::Certificate { certificate, key } => {
                let chain = certificates(certificate, CERTIFICATE)?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|source| TlsError::Pem { what: KEY, source })?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|source| TlsError::Refused { what: CERTIFICATE, source })?
            }
            Identity::Anonymous | Identity::Token(_) | Identity::TokenFile(_) => {
                builder.with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    fn trusting(&self) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
        let builder = ClientConfig::builder_with_provider(xebec_rpc::tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|source| TlsError::Refused { what: "TLS 1.3", source })?;
        Ok(match &self.trust {
            Trust::Ca(pem) => builder.with_root_certificates(roots(pem)?),
            Trust::Nobody => builder.with_root_certificates(RootCertStore::empty()),
            Trust::Pinned(digest) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(PinnedCa::new(*digest)))
            }
        })
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, CA)? {
        roots.add(certificate).map_err(|source| TlsError::Refused { what: CA, source })?;
    }
    Ok(roots)
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { what, source })?;
    if all.is_empty() { Err(TlsError::Empty(what)) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_credentials_say_which_part_is_broken() {
        let broken = Credentials { trust: Trust::Ca(b"no pem".to_vec()), identity: Identity::Anonymous };
        let error = broken.tls().expect_err("no CA");
        assert_eq!(error.to_string(), "certificate-authority: it holds no certificate");
    }
}
