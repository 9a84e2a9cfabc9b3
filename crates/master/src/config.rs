//! A master's configuration, one TOML file. An unknown key is an error that names it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::MasterError;

/// One master.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The master's name, unique in the cluster.
    pub name: String,
    /// Where it keeps everything; `${NAME}` is taken from the environment.
    pub data_dir: PathBuf,
    /// host:port of the client API, as others reach it.
    pub client_address: String,
    /// host:port of the peers' port, as others reach it.
    pub peer_address: String,
    /// Exactly one master of a cluster makes it, on an empty data folder. Should one of
    /// `join` answer, or the admin's kubeconfig be there, there is a cluster already, and
    /// it makes no second one: it joins if it has a token, or refuses.
    #[serde(default)]
    pub bootstrap: bool,
    /// Client addresses of masters to join, on the first start of every other one.
    #[serde(default)]
    pub join: Vec<String>,
    /// A file with a master token, for joining.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Where the bootstrap master writes the admin's kubeconfig.
    #[serde(default)]
    pub admin_kubeconfig: Option<PathBuf>,
    /// Settings of the whole cluster.
    #[serde(default)]
    pub cluster: Cluster,
}

/// Settings that every master of a cluster must share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// What pods' addresses are taken from.
    pub pod_cidr: String,
    /// What Services' addresses are taken from, a /16.
    pub service_cidr: String,
    /// Seconds without a heartbeat until a node is not Ready.
    pub node_timeout_seconds: u64,
    /// Seconds without a heartbeat until a node's pods are replaced.
    pub eviction_timeout_seconds: u64,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            pod_cidr: "10.42.0.0/16".to_owned(),
            service_cidr: "10.43.0.0/16".to_owned(),
            node_timeout_seconds: 5,
            eviction_timeout_seconds: 10,
        }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`MasterError::Config`] naming the field.
    pub fn load(path: &Path) -> Result<Self, MasterError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| MasterError::Io { path: path.to_owned(), source })?;
        Self::parse(&text, &environment).map_err(|why| MasterError::Config { path: path.to_owned(), why })
    }

    /// Checks a text; `lookup` gives the values of `${NAME}`.
    ///
    /// # Errors
    /// Which field, and the fix.
    pub fn parse(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let text = expand(text, lookup)?;
        let config: Self = toml::from_str(&text).map_err(|error| mistake(&text, &error))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        xebec_api::name::dns_label(&self.name).map_err(|why| format!("name = {:?}: {why}", self.name))?;
        for (field, address) in
            [("client_address", &self.client_address), ("peer_address", &self.peer_address)]
        {
            address.parse::<std::net::SocketAddr>().map_err(|_| {
                format!("{field} = {address:?}: write an IP address and a port, such as \"10.0.0.1:6443\"")
            })?;
        }
        if self.service_prefix().is_none() {
            let found = &self.cluster.service_cidr;
            return Err(format!("cluster.service_cidr = {found:?}: write a /16, such as \"10.43.0.0/16\""));
        }
        let found = &self.cluster.pod_cidr;
        match self.pods_share_addresses_with_services() {
            None => Err(format!("cluster.pod_cidr = {found:?}: write a network, such as \"10.42.0.0/16\"")),
            Some(true) => Err(format!(
                "cluster.pod_cidr = {found:?} shares addresses with cluster.service_cidr = {:?}: take another one",
                self.cluster.service_cidr
            )),
            Some(false) => Ok(()),
        }
    }

    /// `None` where either range is none.
    fn pods_share_addresses_with_services(&self) -> Option<bool> {
        let [first, second] = self.service_prefix()?;
        let (address, length) = self.cluster.pod_cidr.split_once('/')?;
        let pods = u32::from(address.parse::<std::net::Ipv4Addr>().ok()?);
        let length = length.parse::<u32>().ok().filter(|length| (1..=32).contains(length))?;
        // The wider of the two decides.
        let bits = 32 - length.min(16);
        let services = u32::from(std::net::Ipv4Addr::new(first, second, 0, 0));
        Some(pods >> bits == services >> bits)
    }

    /// The first two bytes of the Services' range.
    #[must_use]
    pub fn service_prefix(&self) -> Option<[u8; 2]> {
        let (address, length) = self.cluster.service_cidr.split_once('/')?;
        let [first, second, 0, 0] = address.parse::<std::net::Ipv4Addr>().ok()?.octets() else { return None };
        (length == "16").then_some([first, second])
    }

    /// How long a node may be silent, and until when its pods stay.
    #[must_use]
    pub fn node_timeouts(&self) -> (Duration, Duration) {
        let seconds = Duration::from_secs;
        (seconds(self.cluster.node_timeout_seconds), seconds(self.cluster.eviction_timeout_seconds))
    }
}

#[allow(clippy::disallowed_methods, reason = "a configuration may name its environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What is wrong, in one line, with the number and the text of the file's line.
fn mistake(text: &str, error: &toml::de::Error) -> String {
    let what = error.message().replace('\n', ", ");
    // A key that is missing has no place of its own.
    let before = error.span().filter(|span| span.start > 0).and_then(|span| text.get(..span.start));
    let Some(before) = before else { return what };
    let number = before.matches('\n').count();
    match text.lines().nth(number) {
        Some(line) => format!("line {} ({}): {what}", number + 1, line.trim()),
        None => format!("line {number}: {what}"),
    }
}

/// Replaces `${NAME}`; one that is not set is an error, never an empty text.
pub(crate) fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}').ok_or("a \"${\" without its \"}\"")?;
        out.push_str(before);
        out.push_str(&lookup(name).ok_or_else(|| format!("${{{name}}}: the environment has no {name}"))?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = \"m1\"\ndata_dir = \"${BASE}/m1\"\nclient_address = \"10.0.0.1:6443\"\npeer_address = \"10.0.0.1:6444\"\n";

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, &|name| (name == "BASE").then(|| "/data".to_owned()))
    }

    #[test]
    fn the_environment_is_filled_in() {
        assert_eq!(parse(GOOD).expect("good").data_dir, Path::new("/data/m1"));
        let error = parse(&GOOD.replace("BASE", "NOWHERE")).expect_err("not set");
        assert_eq!(error, "${NOWHERE}: the environment has no NOWHERE");
    }

    #[test]
    fn mistakes_are_named() {
        for (change, wanted) in [
            ("boostrap = true", "unknown field `boostrap`"),
            ("[cluster]\nservice_cidr = \"10.43.0.0/24\"", "cluster.service_cidr"),
            ("[cluster]\npod_cidr = \"10.42.0.0\"", "cluster.pod_cidr"),
            ("[cluster]\npod_cidr = \"10.43.8.0/21\"", "shares addresses with cluster.service_cidr"),
            ("[cluster]\npod_cidr = \"10.0.0.0/8\"", "shares addresses with cluster.service_cidr"),
            ("[cluster]\nservice_cidr = \"10.42.0.0/16\"", "shares addresses with cluster.service_cidr"),
        ] {
            let error = parse(&format!("{GOOD}{change}\n")).expect_err(change);
            assert!(error.contains(wanted), "{error}");
        }
        let error = parse(&GOOD.replace("10.0.0.1:6443", "here")).expect_err("no address");
        assert!(error.starts_with("client_address = \"here\""), "{error}");
    }

    #[test]
    fn every_topologys_masters_parse() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cluster-configs");
        let lookup = |name: &str| match name {
            "XEBEC_DEMO_DIR" => Some("/demo".to_owned()),
            "XEBEC_ADDRESS" => Some("10.0.0.1".to_owned()),
            _ => None,
        };
        let mut masters = Vec::new();
        for topology in std::fs::read_dir(root).expect("topologies") {
            let topology = topology.expect("a folder");
            for file in std::fs::read_dir(topology.path()).expect("files") {
                let path = file.expect("a file").path();
                let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
                assert!(name.starts_with(['m', 'n']), "{}: a master or a node?", path.display());
                if name.starts_with('n') {
                    continue;
                }
                let text = std::fs::read_to_string(&path).expect("text");
                let config = Config::parse(&text, &lookup);
                let config = config.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
                assert_eq!(config.name, name);
                masters.push(format!("{}/{name}", topology.file_name().to_string_lossy()));
            }
        }
        masters.sort();
        assert_eq!(masters, ["single/m1", "three-masters/m1", "three-masters/m2", "three-masters/m3"]);
    }
}
