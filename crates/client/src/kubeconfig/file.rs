//! The file's own shape, as Kubernetes documents it. Fields that nothing here needs are
//! passed over.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Kubeconfig;
use crate::credentials::{Credentials, Identity, Trust};
use crate::server::Server;

/// The extension that names further masters.
const SERVERS: &str = "xebec.dev/servers";

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct File {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    current_context: String,
    clusters: Vec<NamedCluster>,
    contexts: Vec<NamedContext>,
    users: Vec<NamedUser>,
}

#[derive(Serialize, Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Cluster {
    server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority_data: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extensions: Vec<Extension>,
}

#[derive(Serialize, Deserialize)]
struct Extension {
    name: String,
    #[serde(default)]
    extension: Servers,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Servers {
    servers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
}

#[derive(Serialize, Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct User {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_key_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(rename = "tokenFile", skip_serializing_if = "Option::is_none")]
    token_file: Option<String>,
}

impl File {
    /// Another context becomes the current one.
    pub(super) fn use_context(&mut self, name: &str) {
        name.clone_into(&mut self.current_context);
    }

    pub(super) fn resolve(self, folder: &Path) -> Result<Kubeconfig, String> {
        let wanted = match (self.current_context.as_str(), self.contexts.as_slice()) {
            ("", [only]) => only.name.clone(),
            ("", _) => return Err("current-context: there are several contexts or none, name one".into()),
            (name, _) => name.to_owned(),
        };
        let context = self.contexts.into_iter().find(|named| named.name == wanted);
        let context = context.ok_or_else(|| format!("contexts: there is none named {wanted:?}"))?.context;
        let cluster = self.clusters.into_iter().find(|named| named.name == context.cluster);
        let NamedCluster { name, cluster } =
            cluster.ok_or_else(|| format!("clusters: there is none named {:?}", context.cluster))?;
        let user = self.users.into_iter().find(|named| named.name == context.user);
        let user = user.map(|named| named.user).unwrap_or_default();
        let servers = cluster.servers(&name)?;
        let trust = cluster.trust(&name, &servers, folder)?;
        let credentials = Credentials { trust, identity: user.identity(&context.user, folder)? };
        let namespace = if context.namespace.is_empty() { "default".to_owned() } else { context.namespace };
        Ok(Kubeconfig { servers, credentials, namespace, name })
    }

    pub(super) fn of(config: &Kubeconfig) -> Self {
        let name = || config.name.clone();
        let namespace = if config.namespace == "default" { String::new() } else { config.namespace.clone() };
        Self {
            api_version: "v1".to_owned(),
            kind: "Config".to_owned(),
            current_context: name(),
            clusters: vec![NamedCluster { name: name(), cluster: Cluster::of(config) }],
            contexts: vec![NamedContext {
                name: name(),
                context: Context { cluster: name(), user: name(), namespace },
            }],
            users: vec![NamedUser { name: name(), user: User::of(&config.credentials.identity) }],
        }
    }
}

impl Cluster {
    fn servers(&self, name: &str) -> Result<Vec<Server>, String> {
        if self.server.is_empty() {
            return Err(format!("clusters[{name}].server: missing"));
        }
        let further = self.extensions.iter().filter(|extension| extension.name == SERVERS);
        let further = further.flat_map(|extension| &extension.extension.servers);
        let mut servers = Vec::new();
        for text in std::iter::once(&self.server).chain(further) {
            let server: Server = text.parse().map_err(|error| format!("clusters[{name}]: {error}"))?;
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        Ok(servers)
    }

    fn trust(&self, name: &str, servers: &[Server], folder: &Path) -> Result<Trust, String> {
        let field = format!("clusters[{name}].certificate-authority");
        let data = &self.certificate_authority_data;
        match pem(&field, data.as_deref(), self.certificate_authority.as_deref(), folder)? {
            Some(pem) => Ok(Trust::Ca(pem)),
            None if servers.iter().all(Server::is_plain) => Ok(Trust::Nobody),
            None => Err(format!("{field}-data: missing")),
        }
    }

    fn of(config: &Kubeconfig) -> Self {
        let mut servers = config.servers.iter().map(ToString::to_string);
        let server = servers.next().unwrap_or_default();
        let further: Vec<String> = servers.collect();
        let extension = Extension { name: SERVERS.to_owned(), extension: Servers { servers: further } };
        let ca = match &config.credentials.trust {
            Trust::Ca(pem) => Some(STANDARD.encode(pem)),
            Trust::Pinned(_) | Trust::Nobody => None,
        };
        Self {
            server,
            certificate_authority: None,
            certificate_authority_data: ca,
            extensions: if config.servers.len() > 1 { vec![extension] } else { Vec::new() },
        }
    }
}

impl User {
    fn identity(&self, name: &str, folder: &Path) -> Result<Identity, String> {
        let field = format!("users[{name}].client-certificate");
        let data = &self.client_certificate_data;
        let certificate = pem(&field, data.as_deref(), self.client_certificate.as_deref(), folder)?;
        let field = format!("users[{name}].client-key");
        let key = pem(&field, self.client_key_data.as_deref(), self.client_key.as_deref(), folder)?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => return Ok(Identity::Certificate { certificate, key }),
            (Some(_), None) => return Err(format!("{field}-data: missing")),
            (None, Some(_)) => return Err(format!("users[{name}].client-certificate-data: missing")),
            (None, None) => {}
        }
        Ok(match (&self.token, &self.token_file) {
            (Some(token), _) => Identity::Token(token.clone()),
            (None, Some(path)) => Identity::TokenFile(folder.join(path)),
            (None, None) => Identity::Anonymous,
        })
    }

    fn of(identity: &Identity) -> Self {
        match identity {
            Identity::Anonymous => Self::default(),
            Identity::Certificate { certificate, key } => Self {
                client_certificate_data: Some(STANDARD.encode(certificate)),
                client_key_data: Some(STANDARD.encode(key)),
                ..Self::default()
            },
            Identity::Token(token) => Self { token: Some(token.clone()), ..Self::default() },
            Identity::TokenFile(path) => {
                Self { token_file: Some(path.to_string_lossy().into_owned()), ..Self::default() }
            }
        }
    }
}

/// PEM that stands in the file as base64, or in a file of its own.
fn pem(
    field: &str,
    data: Option<&str>,
    path: Option<&str>,
    folder: &Path,
) -> Result<Option<Vec<u8>>, String> {
    if let Some(data) = data.filter(|data| !data.is_empty()) {
        return STANDARD.decode(data).map(Some).map_err(|error| format!("{field}-data: {error}"));
    }
    let Some(path) = path.filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let path = folder.join(path);
    fs::read(&path).map(Some).map_err(|error| format!("{field}: {}: {error}", path.display()))
}
