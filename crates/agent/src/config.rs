//! A node's configuration, one TOML file. An unknown key is an error that names it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use xebec_api::name;

use crate::error::AgentError;
use crate::eviction::Eviction;

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The node's name, unique in the cluster.
    pub name: String,
    /// Where it keeps everything; `${NAME}` is taken from the environment.
    pub data_dir: PathBuf,
    /// The address that other nodes reach it by.
    pub address: IpAddr,
    /// Client addresses of masters, host:port; one is enough to find the others.
    pub masters: Vec<String>,
    /// A file with a node token, for the first start, and for one after the certificate ran out.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// A folder of image archives that are imported at start.
    #[serde(default)]
    pub images_dir: Option<PathBuf>,
    /// Labels that the node gives itself.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When the node is short of something, and its pods must go.
    #[serde(default)]
    pub eviction: Eviction,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`AgentError::Config`] naming the field.
    pub fn load(path: &Path) -> Result<Self, AgentError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| AgentError::Io { path: path.to_owned(), source })?;
        Self::parse(&text, &environment).map_err(|why| AgentError::Config { path: path.to_owned(), why })
    }

    fn parse(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let text = expand(text, lookup)?;
        let config: Self = toml::from_str(&text).map_err(|error| mistake(&text, &error))?;
        name::dns_subdomain(&config.name).map_err(|why| format!("name = {:?}: {why}", config.name))?;
        if config.masters.is_empty() {
            return Err("masters: name at least one, such as [\"10.0.0.1:6443\"]".into());
        }
        // The API would refuse them, each time anew.
        for (key, value) in &config.labels {
            name::qualified(key).map_err(|why| format!("labels: {key:?} is no key of a label: {why}"))?;
            name::label_value(value).map_err(|why| format!("labels: {key:?} = {value:?}: {why}"))?;
        }
        config.eviction.check()?;
        Ok(config)
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
fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
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

    #[test]
    fn mistakes_are_named() {
        let good =
            "name = \"n1\"\ndata_dir = \"/d\"\naddress = \"10.0.0.1\"\nmasters = [\"10.0.0.2:6443\"]\n";
        assert_eq!(Config::parse(good, &|_| None).expect("good").name, "n1");
        for (text, wanted) in [
            (format!("{good}lables = {{}}\n"), "unknown field `lables`"),
            (good.replace("\"10.0.0.2:6443\"", ""), "masters: name at least one"),
            (good.replace("n1", "N 1"), "name = \"N 1\""),
            (format!("{good}labels = {{ \"my zone\" = \"a\" }}\n"), "\"my zone\" is no key of a label"),
            (format!("{good}labels = {{ zone = \"a b\" }}\n"), "\"zone\" = \"a b\": a valid label must"),
            (
                format!("{good}[eviction.hard]\n\"memory.available\" = \"much\"\n"),
                "line 6 (\"memory.available\" = \"much\"): \"much\" is no quantity",
            ),
            (
                format!("{good}[eviction.hard]\n\"memory.available\" = \"0\"\n"),
                "eviction.hard: an amount must",
            ),
        ] {
            let error = Config::parse(&text, &|_| None).expect_err(wanted);
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn the_thresholds_that_the_example_shows_are_the_defaults() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cluster-configs/single/n1.toml");
        let text = std::fs::read_to_string(file).expect("text");
        let config = Config::parse(&text, &|_| Some("10.0.0.1".to_owned())).expect("a good one");
        let (shown, own) = (&config.eviction, Eviction::default());
        assert_eq!((shown.thresholds(), shown.transition()), (own.thresholds(), own.transition()));
    }

    #[test]
    fn every_topologys_nodes_parse() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cluster-configs");
        let lookup = |name: &str| match name {
            "XEBEC_DEMO_DIR" => Some("/demo".to_owned()),
            "XEBEC_ADDRESS" => Some("10.0.0.1".to_owned()),
            _ => None,
        };
        let mut nodes = Vec::new();
        for topology in std::fs::read_dir(root).expect("topologies") {
            let topology = topology.expect("a folder");
            for file in std::fs::read_dir(topology.path()).expect("files") {
                let path = file.expect("a file").path();
                let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
                if !name.starts_with('n') {
                    continue;
                }
                let text = std::fs::read_to_string(&path).expect("text");
                let config = Config::parse(&text, &lookup);
                let config = config.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
                assert_eq!(config.name, name);
                nodes.push(format!("{}/{name}", topology.file_name().to_string_lossy()));
            }
        }
        nodes.sort();
        assert_eq!(nodes, ["single/n1", "three-masters/n1", "three-masters/n2"]);
    }
}
