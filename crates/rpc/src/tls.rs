//! One rustls provider (ring) and TLS 1.3 for the whole process.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// Installs ring as the process's provider. Later calls change nothing.
pub fn install_provider() {
    // Err means that it is installed already.
    let _ = CryptoProvider::install_default(rustls::crypto::ring::default_provider());
}

/// The provider that every config of this process is built with.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
