//! What the proxy is told: by its pod's environment and the files of its ServiceAccount.

use ipnet::Ipv4Net;
use xebec_client::{InPod, InPodError};

/// The proxy's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How the masters are reached. Not by the Service `kubernetes`: that works only once this
    /// proxy does.
    pub api: InPod,
    /// This node; empty when it is not known, and then no endpoint counts as being here.
    pub node_name: String,
    /// The network of ClusterIPs.
    pub service_cidr: Ipv4Net,
    /// The network of pods.
    pub pod_cidr: Ipv4Net,
}

/// An environment that makes no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No masters.
    #[error(transparent)]
    Api(#[from] InPodError),
    /// A network that is none.
    #[error("{variable}: expected an IPv4 network such as 10.43.0.0/16, not {found:?}")]
    Network {
        /// The variable.
        variable: &'static str,
        /// What it is.
        found: String,
    },
    /// A pod's address could be a Service's.
    #[error(
        "XEBEC_SERVICE_CIDR {services} and XEBEC_POD_CIDR {pods} share addresses: pods would not be reached"
    )]
    Overlap {
        /// The network of ClusterIPs.
        services: Ipv4Net,
        /// The network of pods.
        pods: Ipv4Net,
    },
}

impl Config {
    /// Reads where the API is ([`InPod`]), `NODE_NAME`, `XEBEC_SERVICE_CIDR` (10.43.0.0/16) and
    /// `XEBEC_POD_CIDR` (10.42.0.0/16) by way of `lookup`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let api = InPod::by_masters_and_service(&lookup)?;
        let (services, pods) = (service_cidr(&lookup)?, network(&lookup, "XEBEC_POD_CIDR", "10.42.0.0/16")?);
        if services.contains(&pods) || pods.contains(&services) {
            return Err(ConfigError::Overlap { services, pods });
        }
        let node_name = lookup("NODE_NAME").unwrap_or_default();
        Ok(Self { api, node_name, service_cidr: services, pod_cidr: pods })
    }
}

/// The network of ClusterIPs alone, for who takes a proxy's leftovers away.
///
/// # Errors
/// [`ConfigError`] names the variable.
pub fn service_cidr(lookup: impl Fn(&str) -> Option<String>) -> Result<Ipv4Net, ConfigError> {
    network(lookup, "XEBEC_SERVICE_CIDR", "10.43.0.0/16")
}

/// Bits beyond the prefix are dropped.
fn network(
    lookup: impl Fn(&str) -> Option<String>,
    variable: &'static str,
    otherwise: &str,
) -> Result<Ipv4Net, ConfigError> {
    let found = lookup(variable).unwrap_or_else(|| otherwise.to_owned());
    match found.parse::<Ipv4Net>() {
        Ok(network) => Ok(network.trunc()),
        Err(_) => Err(ConfigError::Network { variable, found }),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_environment_is_read_and_errors_name_the_variable() {
        let read = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> =
                pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Config::from_environment(|key| pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()))
        };
        let config = read(&[("XEBEC_SERVERS", "a:1, b:2,"), ("NODE_NAME", "n1")]).expect("complete");
        assert_eq!((config.api.servers().len(), config.node_name.as_str()), (2, "n1"));
        assert!(config.service_cidr.contains(&Ipv4Addr::new(10, 43, 9, 9)));
        let network = service_cidr(|_| Some("10.43.9.9/16".to_owned())).expect("a network");
        assert_eq!(network.to_string(), "10.43.0.0/16");
        let error = read(&[("XEBEC_SERVERS", "a:1"), ("XEBEC_POD_CIDR", "10/8")]).expect_err("no network");
        assert_eq!(
            error.to_string(),
            "XEBEC_POD_CIDR: expected an IPv4 network such as 10.43.0.0/16, not \"10/8\""
        );
        let error = read(&[("XEBEC_SERVERS", "a:1"), ("XEBEC_POD_CIDR", "10.0.0.0/8")]).expect_err("one");
        assert_eq!(
            error.to_string(),
            "XEBEC_SERVICE_CIDR 10.43.0.0/16 and XEBEC_POD_CIDR 10.0.0.0/8 share addresses: pods would not be reached"
        );
        assert!(read(&[]).expect_err("no servers").to_string().contains("XEBEC_SERVERS"));
    }
}
