//! How a node comes into the cluster: by a token that pins the CA, for a certificate
//! that it keeps under `pki/` and renews with itself. One that has expired is replaced by a token.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use xebec_client::{Client, Credentials, Identity, Trust};
use xebec_rpc::error::with_causes;
use xebec_rpc::pinned::OTHER_CLUSTER;
use xebec_rpc::v1;
use xebec_rpc::v1::nodes_client::NodesClient;

use crate::certificate::{Need, Validity};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::AgentError;

/// How long a joining node looks for a master that answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is said to what is no token.
const TOKEN_FORM: &str = "a join token looks like xbc1<64 hex digits>.<id>.<secret>: copy the whole of it";

/// The node's own files.
pub(crate) struct Pki(PathBuf);

impl Pki {
    /// Those under a data folder, which nobody else looks into from then on, also where it
    /// is there already: pods' volumes in it hold Secrets that any user in a pod may read.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, AgentError> {
        let path = data_dir.join("pki");
        private_folder(data_dir)?;
        private_folder(&path)?;
        Ok(Self(path))
    }

    fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, AgentError> {
        let path = self.0.join(name);
        fs::read(&path).map_err(|source| AgentError::Io { path, source })
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), AgentError> {
        let path = self.0.join(name);
        let part = path.with_extension("part");
        let write = || {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&part, &path)
        };
        write().map_err(|source| AgentError::Io { path: path.clone(), source })
    }

    /// What the certificate needs.
    fn need(&self, now: Timestamp) -> Result<Need, AgentError> {
        let validity = Validity::of(&self.read("node.crt")?);
        let validity = validity.map_err(|why| {
            AgentError::Certificate(format!("{}: {why}", self.0.join("node.crt").display()))
        })?;
        Ok(validity.need(now))
    }

    /// What the node shows and trusts.
    pub(crate) fn credentials(&self) -> Result<Credentials, AgentError> {
        let identity =
            Identity::Certificate { certificate: self.read("node.crt")?, key: self.read("node.key")? };
        Ok(Credentials { trust: Trust::Ca(self.read("ca.crt")?), identity })
    }
}

fn private_folder(path: &Path) -> Result<(), AgentError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    let private = made.and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)));
    private.map_err(|source| AgentError::Io { path: path.to_owned(), source })
}

/// Whether the node comes in only by a token: it was not in before, or its certificate has
/// expired.
///
/// # Errors
/// A data folder that cannot be used, or a certificate that cannot be read.
pub fn needs_token(config: &Config) -> Result<bool, AgentError> {
    Ok(standing(&Pki::open(&config.data_dir)?, Clock::wall().now())? != Standing::In)
}

/// How a node stands to its cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    New,
    In,
    Expired,
}

fn standing(pki: &Pki, now: Timestamp) -> Result<Standing, AgentError> {
    if !["node.key", "node.crt", "ca.crt"].iter().all(|name| pki.has(name)) {
        return Ok(Standing::New);
    }
    Ok(if pki.need(now)? == Need::JoinAnew { Standing::Expired } else { Standing::In })
}

/// Joins, unless the node did before and its certificate is still good.
pub(crate) async fn join(config: &Config, pki: &Pki, now: Timestamp) -> Result<(), AgentError> {
    let standing = standing(pki, now)?;
    if standing == Standing::In {
        return Ok(());
    }
    let expired = pki.0.join("node.crt");
    let expired = expired.display();
    let (path, text) = token(config).map_err(|error| match (standing, error) {
        (Standing::Expired, AgentError::Join(why)) => {
            AgentError::Join(format!("{expired} has expired; {why}"))
        }
        (Standing::Expired, error) => AgentError::Join(format!(
            "{expired} has expired; {error}: write a new node token into it (`xctl token create`)"
        )),
        (_, error) => error,
    })?;
    if standing == Standing::Expired {
        tracing::warn!(node = config.name, "the certificate has expired: joining anew by the token");
    }
    let token = text.trim();
    let ca_hash =
        ca_hash(token).ok_or_else(|| AgentError::Join(format!("{}: {TOKEN_FORM}", path.display())))?;
    let (key, csr) = key_and_csr()?;
    let request = v1::JoinNodeRequest { token: token.to_owned(), node_name: config.name.clone(), csr };
    let answer = ask_any(&config.masters, ca_hash, request).await?;
    pki.write("node.key", key.as_bytes())?;
    pki.write("ca.crt", answer.ca_certificate.as_bytes())?;
    pki.write("node.crt", answer.certificate.as_bytes())?;
    tracing::info!(node = config.name, "joined");
    Ok(())
}

/// The file of the token, and its text.
fn token(config: &Config) -> Result<(&Path, String), AgentError> {
    let path = config.token_file.as_deref().ok_or_else(|| {
        AgentError::Join("token_file: name a file with a node token (`xctl token create`)".to_owned())
    })?;
    let text = fs::read_to_string(path);
    Ok((path, text.map_err(|source| AgentError::Io { path: path.to_owned(), source })?))
}

/// The hash of the CA that a token pins; nothing when it is no token.
fn ca_hash(token: &str) -> Option<&str> {
    let (hash, secret) = token.strip_prefix("xbc1")?.split_once('.')?;
    (hash.len() == 64 && secret.contains('.')).then_some(hash)
}

async fn ask_any(
    masters: &[String],
    ca_hash: &str,
    request: v1::JoinNodeRequest,
) -> Result<v1::JoinNodeResponse, AgentError> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut last = String::new();
    while tokio::time::Instant::now() < deadline {
        for master in masters {
            let channel = match xebec_rpc::pinned::connect(master, ca_hash).await {
                Ok(channel) => channel,
                Err(error) => {
                    last = format!("{master}: {}", with_causes(&error));
                    if last.contains(OTHER_CLUSTER) {
                        return Err(AgentError::Join(format!("{master}: {OTHER_CLUSTER}")));
                    }
                    continue;
                }
            };
            match NodesClient::new(channel).join(request.clone()).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if status.code() == tonic::Code::Unavailable => {
                    last = format!("{master}: {}", status.message());
                }
                Err(status) => return Err(AgentError::Join(format!("{master}: {}", status.message()))),
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Err(AgentError::Join(format!("no master answered within {PATIENCE:?}: {last}")))
}

/// Does what the certificate needs by now.
pub(crate) async fn keep_valid(
    config: &Config,
    client: &Client,
    pki: &Pki,
    now: Timestamp,
) -> Result<(), AgentError> {
    match pki.need(now)? {
        Need::Fine => Ok(()),
        Need::Renew => renew(client, pki).await,
        Need::JoinAnew => {
            join(config, pki, now).await?;
            show(client, pki)
        }
    }
}

/// A fresh certificate by the present one, for the same key: one file is replaced, so that
/// whenever the host dies the two that are there belong together.
pub(crate) async fn renew(client: &Client, pki: &Pki) -> Result<(), AgentError> {
    let key = KeyPair::from_pem(&String::from_utf8_lossy(&pki.read("node.key")?)).map_err(not_signed)?;
    let csr = csr(&key)?;
    let refused = |why: String| AgentError::Join(format!("renewal: {why}"));
    let channel = client.channel().await.map_err(|error| refused(error.to_string()))?;
    let answer = NodesClient::new(channel).renew(v1::RenewNodeRequest { csr }).await;
    let answer = answer.map_err(|status| refused(status.message().to_owned()))?.into_inner();
    pki.write("node.crt", answer.certificate.as_bytes())?;
    show(client, pki)
}

/// Has the client show, from its next connection on, what the files hold.
fn show(client: &Client, pki: &Pki) -> Result<(), AgentError> {
    let shown = client.set_credentials(&pki.credentials()?);
    shown.map_err(|error| AgentError::Certificate(error.to_string()))
}

fn key_and_csr() -> Result<(String, String), AgentError> {
    let key = KeyPair::generate().map_err(not_signed)?;
    Ok((key.serialize_pem(), csr(&key)?))
}

fn csr(key: &KeyPair) -> Result<String, AgentError> {
    let request = CertificateParams::default().serialize_request(key).map_err(not_signed)?;
    request.pem().map_err(not_signed)
}

fn not_signed(error: rcgen::Error) -> AgentError {
    AgentError::Certificate(error.to_string())
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
