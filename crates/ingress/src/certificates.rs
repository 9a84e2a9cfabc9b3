//! Certificates by the name that a client asks for. A changed Secret changes what the next
//! handshake gets; one that cannot be used leaves its hosts with the default certificate,
//! which nobody should trust: it is signed by itself.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use xebec_api::object::Object;
use xebec_api::tls_secret::{self, TlsSecretError};
use xebec_dataplane::ingress::{IngressTable, SecretName};

/// Whom the default certificate is for.
const NOBODY: &str = "ingress.xebec.invalid";

/// Why a Secret or the default is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Something else is in the Secret, or nothing.
    #[error(transparent)]
    Secret(#[from] TlsSecretError),
    /// A kind of key that cannot be used, or not the certificate's.
    #[error("tls.key: {0}")]
    Key(#[from] rustls::Error),
    /// The default one could not be made.
    #[error("cannot make the default certificate: {0}")]
    Default(#[from] rcgen::Error),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Certificates {
    by_host: ArcSwap<HashMap<String, Arc<CertifiedKey>>>,
    default: Arc<CertifiedKey>,
}

/// Secrets that were read, with their versions, so that each is read once.
#[derive(Default)]
pub(crate) struct Known(HashMap<SecretName, (String, Option<Arc<CertifiedKey>>)>);

impl Certificates {
    /// With a default certificate made for this process.
    pub(crate) fn new() -> Result<Self, CertificateError> {
        let made = rcgen::generate_simple_self_signed(vec![NOBODY.to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let key = default_provider().key_provider.load_private_key(key)?;
        let default = Arc::new(CertifiedKey::new(vec![made.cert.der().clone()], key));
        Ok(Self { by_host: ArcSwap::default(), default })
    }

    /// Takes what a new table says. `secret` finds a Secret by namespace and name.
    pub(crate) fn update(
        &self,
        table: &IngressTable,
        known: &mut Known,
        secret: impl Fn(&SecretName) -> Option<Arc<Object>>,
    ) {
        let mut next = Known::default();
        let mut by_host = HashMap::new();
        for (host, name) in &table.certificates {
            if !next.0.contains_key(name) {
                let Some(secret) = secret(name) else { continue };
                next.0.insert(name.clone(), known.read(name, &secret));
            }
            if let Some((_, Some(key))) = next.0.get(name) {
                by_host.insert(host.clone(), Arc::clone(key));
            }
        }
        *known = next;
        self.by_host.store(Arc::new(by_host));
    }

    fn find(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let by_host = self.by_host.load();
        let found = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || by_host.get(&format!("*.{}", name.split_once('.')?.1));
            by_host.get(&name).or_else(wildcard)
        });
        Arc::clone(found.unwrap_or(&self.default))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.find(hello.server_name()))
    }
}

impl Known {
    fn read(&mut self, name: &SecretName, secret: &Object) -> (String, Option<Arc<CertifiedKey>>) {
        let version = secret.resource_version();
        if let Some(known) = self.0.remove(name).filter(|(known, _)| known == version) {
            return known;
        }
        let key = certified(secret).inspect_err(|error| {
            let (namespace, name) = name;
            tracing::warn!(%namespace, %name, %error, "a Secret holds no certificate that can be used");
        });
        (version.to_owned(), key.ok())
    }
}

fn certified(secret: &Object) -> Result<Arc<CertifiedKey>, CertificateError> {
    let (chain, key) = tls_secret::read(secret)?;
    // Some kinds of key cannot tell whose they are, and pass.
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &default_provider())?))
}

#[cfg(test)]
mod tests;
