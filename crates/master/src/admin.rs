//! The way in for the cluster's admin: a kubeconfig with a certificate that is good for a
//! year. The master that makes the cluster writes the first; nobody renews it, as it may lie
//! anywhere. Another one is written on any master's host, by whoever may read that master's
//! files: those prove to the running master, which alone can open the store with the CA's
//! key, that it is asked from there. So it works also when the admin's has expired.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use xebec_raft::identity::Identity;
use xebec_rpc::raft::v1;
use xebec_rpc::raft::v1::host_client::HostClient;

use crate::config::Config;
use crate::error::MasterError;
use crate::pki::{PkiFiles, Purpose, ServingCertificate, der_of, key_and_csr, write_private};
use crate::{identity, kubeconfig, listen};

/// How long the master of this host may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who the admin is.
pub(crate) fn purpose() -> Purpose {
    Purpose::Client { name: "xebec-admin".to_owned(), groups: vec!["system:masters".to_owned()] }
}

/// Where the admin's kubeconfig lies when nobody says otherwise.
pub(crate) fn kubeconfig_path(config: &Config) -> PathBuf {
    config.admin_kubeconfig.clone().unwrap_or_else(|| config.data_dir.join("admin.kubeconfig"))
}

/// Writes another kubeconfig for the admin, with a key and a certificate of its own; says
/// where. Asks the master of this configuration, which must run on this host.
///
/// # Errors
/// [`MasterError`], with what to do.
pub async fn write_kubeconfig(config: &Config, to: Option<&Path>) -> Result<PathBuf, MasterError> {
    let Some(identity) = Identity::load(&config.data_dir, &config.name)? else {
        let dir = config.data_dir.display();
        let why =
            format!("data_dir = {dir} holds no master: name the configuration of a master of this host");
        return Err(MasterError::Refused(why));
    };
    if identity.removed {
        return Err(identity::removed(config));
    }
    let files = PkiFiles::open(&config.data_dir)?;
    let ca = files.read_text("ca.crt")?;
    let mut client = HostClient::new(dial(config, &files, &ca).await?);
    let (key, csr) = key_and_csr()?;
    let (me, cluster_id) = (identity.raft_id, identity.cluster_id);
    let envelope = Some(v1::Envelope { cluster_id, from: me, to: me });
    let answer = client.issue_admin(v1::IssueAdminRequest { envelope, csr }).await;
    let answer = answer.map_err(|status| refused(config, status.message()))?.into_inner();
    let text = kubeconfig::admin(&answer.client_addresses, &ca, &answer.certificate, &key);
    let path = to.map_or_else(|| kubeconfig_path(config), Path::to_owned);
    write_private(&path, text.as_bytes())?;
    Ok(path)
}

/// The peers' port of the master of this host, as that master itself.
async fn dial(config: &Config, files: &PkiFiles, ca: &str) -> Result<Channel, MasterError> {
    let (key, certificate) = (files.read_text("peer.key")?, files.read_text("peer.crt")?);
    let certificate = ServingCertificate::new(&key, &certificate, ca)?;
    let connector = listen::peer_connector(certificate, &der_of(ca)?)?;
    let address = format!("http://{}", config.peer_address);
    let endpoint = Endpoint::from_shared(address)
        .map_err(|error| refused(config, &error.to_string()))?
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE);
    let connected = tokio::time::timeout(PATIENCE, connector.connect(&endpoint)).await;
    connected
        .map_err(|_| refused(config, &format!("no answer within {PATIENCE:?}")))?
        .map_err(|error| refused(config, &xebec_rpc::error::with_causes(&error)))
}

fn refused(config: &Config, why: &str) -> MasterError {
    let (name, address) = (&config.name, &config.peer_address);
    MasterError::Refused(format!(
        "the master {name} issued no certificate at peer_address = {address:?}: {why}: it must run, on this host"
    ))
}
