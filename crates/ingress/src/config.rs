//! What the ingress is told: by its pod's environment and the files of its ServiceAccount.

use std::net::SocketAddr;

use xebec_client::{InPod, InPodError};

/// The ingress's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How the masters are reached.
    pub api: InPod,
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where HTTPS is served.
    pub https: SocketAddr,
}

/// An environment that makes no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No masters.
    #[error(transparent)]
    Api(#[from] InPodError),
    /// No address.
    #[error("{variable}: expected an address and a port such as 0.0.0.0:8080, not {given:?}")]
    Address {
        /// The variable.
        variable: &'static str,
        /// What it says.
        given: String,
    },
}

impl Config {
    /// Reads where the API is ([`InPod`]), `XEBEC_INGRESS_HTTP` (0.0.0.0:8080) and `XEBEC_INGRESS_HTTPS`
    /// (0.0.0.0:8443) by way of `lookup`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let address = |variable: &'static str, otherwise: &str| {
            let given = lookup(variable).unwrap_or_else(|| otherwise.to_owned());
            given.parse().map_err(|_| ConfigError::Address { variable, given })
        };
        Ok(Self {
            api: InPod::by_masters_and_service(&lookup)?,
            http: address("XEBEC_INGRESS_HTTP", "0.0.0.0:8080")?,
            https: address("XEBEC_INGRESS_HTTPS", "0.0.0.0:8443")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_and_errors_name_the_variable() {
        let read = |pairs: &[(&str, &str)]| {
            Config::from_environment(|key| {
                pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned())
            })
        };
        let config =
            read(&[("XEBEC_SERVERS", "a:1, b:2,"), ("XEBEC_INGRESS_HTTP", "[::]:80")]).expect("complete");
        assert_eq!((config.api.servers().len(), config.http.port(), config.https.port()), (2, 80, 8443));
        let error =
            read(&[("XEBEC_SERVERS", "a:1"), ("XEBEC_INGRESS_HTTPS", "443")]).expect_err("no address");
        assert_eq!(
            error.to_string(),
            "XEBEC_INGRESS_HTTPS: expected an address and a port such as 0.0.0.0:8080, not \"443\""
        );
        assert!(read(&[]).expect_err("no servers").to_string().contains("XEBEC_SERVERS"));
    }
}
