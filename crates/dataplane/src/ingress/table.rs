//! The table that requests are looked up in.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::backend::Backend;
use super::problem::Problem;
use super::rules::Rules;

/// A Secret's namespace and name.
pub type SecretName = (String, String);

/// Which backend a host and a path lead to, and which certificate a name gets.
#[derive(Clone, Debug, Default)]
pub struct IngressTable {
    pub(super) hosts: HashMap<String, Rules>,
    /// By what follows `*.`; the star is one label.
    pub(super) wildcards: HashMap<String, Rules>,
    /// Rules without a host, and default backends.
    pub(super) any: Rules,
    /// The Secrets by host; a host `*.example.com` stands for one label more.
    pub certificates: BTreeMap<String, SecretName>,
    /// What cannot work, in order.
    pub problems: Vec<Problem>,
}

impl IngressTable {
    /// The backend for a request. The most specific host with a path that fits decides: the
    /// host itself, a wildcard, rules without a host; then default backends in that order.
    ///
    /// `host` may have a port and any case; `path` is without a query.
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<Backend>> {
        let host = normal_host(host);
        let wildcard = || self.wildcards.get(below(&host)?);
        let scopes = [self.hosts.get(host.as_ref()), wildcard(), Some(&self.any)];
        let paths = scopes.iter().flatten().find_map(|rules| rules.find(path));
        paths.or_else(|| scopes.iter().flatten().find_map(|rules| rules.fallback()))
    }

    /// The Secret with the certificate for a name that a client asks for.
    #[must_use]
    pub fn certificate(&self, name: &str) -> Option<&SecretName> {
        let name = normal_host(name);
        let wildcard = || self.certificates.get(&format!("*.{}", below(&name)?));
        self.certificates.get(name.as_ref()).or_else(wildcard)
    }
}

/// What follows the first label, which a star stands for.
fn below(host: &str) -> Option<&str> {
    let (label, rest) = host.split_once('.')?;
    (!label.is_empty()).then_some(rest)
}

/// Without a port, which may be empty, and a dot at the end, in lower case.
fn normal_host(host: &str) -> std::borrow::Cow<'_, str> {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        // The last part of an IPv6 address in brackets is no port.
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return name.to_ascii_lowercase().into();
    }
    name.into()
}
