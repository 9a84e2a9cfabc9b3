//! The certificate that a port shows, and a master to other masters. It can be changed
//! while the port serves.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::error::MasterError;

/// What the port shows now.
#[derive(Debug)]
pub(crate) struct ServingCertificate(std::sync::RwLock<Arc<CertifiedKey>>);

impl ServingCertificate {
    /// From PEM texts; the CA goes along, for clients that know only its hash.
    ///
    /// # Errors
    /// [`MasterError::Certificate`].
    pub(crate) fn new(key: &str, certificate: &str, ca: &str) -> Result<Arc<Self>, MasterError> {
        Ok(Arc::new(Self(std::sync::RwLock::new(load(key, certificate, ca)?))))
    }

    /// Shows another one from the next connection on.
    ///
    /// # Errors
    /// [`MasterError::Certificate`].
    pub(crate) fn replace(&self, key: &str, certificate: &str, ca: &str) -> Result<(), MasterError> {
        let fresh = load(key, certificate, ca)?;
        *self.0.write().expect("no holder of this lock panics") = fresh;
        Ok(())
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().expect("no holder of this lock panics").clone())
    }
}

impl ResolvesClientCert for ServingCertificate {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().expect("no holder of this lock panics").clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn load(key: &str, certificate: &str, ca: &str) -> Result<Arc<CertifiedKey>, MasterError> {
    let pem = |error: rustls::pki_types::pem::Error| MasterError::Certificate(error.to_string());
    let chain = [certificate, ca].map(|text| CertificateDer::from_pem_slice(text.as_bytes()).map_err(pem));
    let chain: Vec<_> = chain.into_iter().collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(pem)?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key)?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

#[cfg(test)]
#[path = "serving_tests.rs"]
mod tests;
