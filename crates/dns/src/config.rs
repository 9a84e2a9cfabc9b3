//! What the server is told: by its pod's environment and the files of its ServiceAccount.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::{IpAdd as _, Ipv4Net};
use xebec_client::{InPod, InPodError};
use xebec_dataplane::dns::{Name, Settings};

/// The host's resolvers, in a pod with `dnsPolicy: Default`.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The Service's place in its network.
const SERVICE_OFFSET: u32 = 10;

/// The server's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// How the API is reached.
    pub api: Api,
    /// Where queries come in, by UDP and TCP.
    pub listen: SocketAddrV4,
    /// Where the agent asks how it is.
    pub health: SocketAddrV4,
    /// Threads that answer by UDP.
    pub workers: usize,
    /// How long it still answers once it was told to stop, so that nobody asks it any more.
    pub drain: Duration,
    /// The cluster's zone.
    pub zone: Settings,
    /// Addresses that lead back to this server.
    pub own: Vec<IpAddr>,
    /// The file that names the resolvers for all other names.
    pub resolv_conf: PathBuf,
}

/// How the API is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Api {
    /// As the pod that it is.
    Pod(InPod),
    /// As whoever runs it outside of a cluster.
    Kubeconfig(PathBuf),
}

/// An environment that makes no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No server.
    #[error(
        "none of KUBERNETES_SERVICE_HOST, XEBEC_SERVERS and KUBECONFIG is set: list the masters as host:port,host:port"
    )]
    NoServers,
    /// A server that is none.
    #[error(transparent)]
    Api(InPodError),
    /// A variable with a value of another kind.
    #[error("{variable}: expected {expected}, not {found:?}")]
    Invalid {
        /// The variable.
        variable: &'static str,
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}

impl Config {
    /// Reads, by way of `lookup`, `KUBECONFIG` (outside of a cluster), `XEBEC_SERVERS` (the
    /// masters, asked before the Service `kubernetes`), `XEBEC_CLUSTER_DOMAIN` (cluster.local), `XEBEC_SERVICE_CIDR`
    /// (10.43.0.0/16), `XEBEC_POD_CIDR` (10.42.0.0/16), `XEBEC_DNS_LISTEN` (0.0.0.0:53),
    /// `XEBEC_DNS_HEALTH` (0.0.0.0:8080), `XEBEC_DNS_RESOLV_CONF` (/etc/resolv.conf), `POD_IP`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |variable: &str, otherwise: &str| lookup(variable).unwrap_or_else(|| otherwise.to_owned());
        let network = |variable, otherwise| {
            let found = text(variable, otherwise);
            let expected = "an IPv4 network such as 10.43.0.0/16";
            found.parse::<Ipv4Net>().map_err(|_| ConfigError::Invalid { variable, expected, found })
        };
        let address = |variable, otherwise| {
            let found = text(variable, otherwise);
            let expected = "an IPv4 address and a port such as 0.0.0.0:53";
            found.parse().map_err(|_| ConfigError::Invalid { variable, expected, found })
        };
        let services = network("XEBEC_SERVICE_CIDR", "10.43.0.0/16")?;
        let pods = network("XEBEC_POD_CIDR", "10.42.0.0/16")?;
        let pod_ip = lookup("POD_IP").and_then(|text| text.parse::<Ipv4Addr>().ok());
        let service_ip = services.network().saturating_add(SERVICE_OFFSET);
        let own = std::iter::once(service_ip).chain(pod_ip).map(IpAddr::V4).collect();
        Ok(Self {
            api: api(&lookup)?,
            listen: address("XEBEC_DNS_LISTEN", "0.0.0.0:53")?,
            health: address("XEBEC_DNS_HEALTH", "0.0.0.0:8080")?,
            workers: std::thread::available_parallelism().map_or(1, Into::into).min(MOST_WORKERS),
            drain: DRAIN,
            zone: zone(text("XEBEC_CLUSTER_DOMAIN", "cluster.local"), [services, pods])?,
            own,
            resolv_conf: PathBuf::from(text("XEBEC_DNS_RESOLV_CONF", RESOLV_CONF)),
        })
    }
}

/// Every node's proxy has heard of an endpoint's end by then.
const DRAIN: Duration = Duration::from_secs(2);
/// One thread answers 100,000 queries a second: more than a few serve nobody.
const MOST_WORKERS: usize = 4;

/// The masters as they are named, then the Service in front of them.
fn api(lookup: &impl Fn(&str) -> Option<String>) -> Result<Api, ConfigError> {
    if let Some(path) = lookup("KUBECONFIG").filter(|path| !path.is_empty()) {
        return Ok(Api::Kubeconfig(path.into()));
    }
    match InPod::by_masters_and_service(lookup) {
        Ok(pod) => Ok(Api::Pod(pod)),
        Err(InPodError::NoServers) => Err(ConfigError::NoServers),
        Err(error) => Err(ConfigError::Api(error)),
    }
}

fn zone(domain: String, networks: [Ipv4Net; 2]) -> Result<Settings, ConfigError> {
    let named = || Some((Name::parse(&domain)?, Name::parse(&format!("kube-dns.kube-system.svc.{domain}"))?));
    let variable = "XEBEC_CLUSTER_DOMAIN";
    let expected = "a domain name such as cluster.local";
    let Some((domain, server)) = named() else {
        return Err(ConfigError::Invalid { variable, expected, found: domain });
    };
    Ok(Settings { domain, server, networks: networks.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_environment(|key| pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn the_environment_is_read_and_errors_name_the_variable() {
        let service = ("KUBERNETES_SERVICE_HOST", "10.43.0.1");
        let config = read(&[service, ("XEBEC_SERVERS", "a:1, b:2,"), ("POD_IP", "10.42.0.7")]);
        let config = config.expect("complete");
        assert!(matches!(&config.api, Api::Pod(pod) if pod.servers().len() == 3), "{:?}", config.api);
        let outside = read(&[service, ("KUBECONFIG", "/admin")]).expect("complete");
        assert_eq!(outside.api, Api::Kubeconfig("/admin".into()));
        assert_eq!(
            config.own.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.43.0.10", "10.42.0.7"]
        );
        assert_eq!(config.zone.server.to_string(), "kube-dns.kube-system.svc.cluster.local.");
        let error = read(&[service, ("XEBEC_POD_CIDR", "10/8")]).expect_err("no network");
        assert_eq!(
            error.to_string(),
            "XEBEC_POD_CIDR: expected an IPv4 network such as 10.43.0.0/16, not \"10/8\""
        );
        let error = read(&[service, ("XEBEC_CLUSTER_DOMAIN", "a..b")]).expect_err("no domain");
        assert!(error.to_string().starts_with("XEBEC_CLUSTER_DOMAIN: expected a domain name"), "{error}");
        assert!(matches!(read(&[]), Err(ConfigError::NoServers)));
    }
}
