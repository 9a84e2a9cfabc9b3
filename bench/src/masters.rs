//! Three real masters on one address, each on ports of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;
use xebec_client::{Client, Kubeconfig, Server};
use xebec_rpc::v1::cluster_client::ClusterClient;
use xebec_rpc::v1::create_token_request::Use as TokenUse;
use xebec_rpc::v1::{ClusterStatusRequest, ClusterStatusResponse, CreateTokenRequest};

use crate::process::Process;
use crate::sandbox::ADDRESS;

const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at something that is waited for.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// A running group; dropping it ends it.
pub(crate) struct Masters {
    pub(crate) processes: Vec<Process>,
    folder: TempDir,
    xebec: PathBuf,
}

impl Masters {
    /// Boots a group of `count`, all of them voters.
    ///
    /// # Errors
    /// With the folder of the logs, when it does not come up.
    pub(crate) async fn boot(xebec: &Path, count: usize) -> Result<Self> {
        let mut masters = Self {
            processes: Vec::new(),
            folder: TempDir::with_prefix("xebec-bench-")?,
            xebec: xebec.to_owned(),
        };
        for index in 0..count {
            if index > 0 {
                let token = masters.token(true).await?;
                fs::write(masters.path(index, "token"), token)?;
            }
            let process = masters.start(index)?;
            masters.processes.push(process);
            masters.wait_for_voters(index + 1).await?;
        }
        Ok(masters)
    }

    /// Starts one master on whatever its folder holds.
    ///
    /// # Errors
    /// When its configuration cannot be written or it does not start.
    pub(crate) fn start(&self, index: usize) -> Result<Process> {
        let config = self.path(index, "toml");
        fs::write(&config, self.config(index))?;
        Process::start(
            Command::new(&self.xebec).arg("master").arg("--config").arg(config),
            &self.path(index, "log"),
        )
    }

    fn config(&self, index: usize) -> String {
        let (name, folder) = (name(index), self.folder.path().display());
        let mut text = format!(
            "name = \"{name}\"\ndata_dir = \"{folder}/{name}\"\nclient_address = \"{}\"\npeer_address = \"{ADDRESS}:{}\"\n",
            client_address(index),
            6500 + index,
        );
        if index == 0 {
            text += &format!("bootstrap = true\nadmin_kubeconfig = \"{folder}/admin.kubeconfig\"\n");
        } else {
            text += &format!("join = [\"{}\"]\ntoken_file = \"{folder}/{name}.token\"\n", client_address(0));
        }
        text
    }

    /// A file of one master.
    pub(crate) fn path(&self, index: usize, what: &str) -> PathBuf {
        self.folder.path().join(format!("{}.{what}", name(index)))
    }

    /// A client that asks this master first, then the others.
    ///
    /// # Errors
    /// While the kubeconfig is not there.
    pub(crate) fn client(&self, first: usize) -> Result<Client> {
        let config = Kubeconfig::read(&self.folder.path().join("admin.kubeconfig"))?;
        let count = self.processes.len().max(1);
        let servers = (0..count).map(|i| client_address((first + i) % count).parse());
        Ok(Client::new(servers.collect::<Result<Vec<Server>, _>>()?, &config.credentials)?)
    }

    /// What any master says of the group.
    ///
    /// # Errors
    /// Nobody answers.
    pub(crate) async fn status(&self, first: usize) -> Result<ClusterStatusResponse> {
        let channel = self.client(first)?.channel().await?;
        Ok(ClusterClient::new(channel).status(ClusterStatusRequest {}).await?.into_inner())
    }

    /// A token to join with.
    ///
    /// # Errors
    /// Nobody answers.
    pub(crate) async fn token(&self, master: bool) -> Result<String> {
        let usage = if master { TokenUse::Master } else { TokenUse::Node };
        let request = CreateTokenRequest { ttl_seconds: 600, r#use: usage.into(), ..Default::default() };
        let channel = self.client(0)?.channel().await?;
        Ok(ClusterClient::new(channel).create_token(request).await?.into_inner().token)
    }

    /// The index of the leader, once `ask` knows it.
    ///
    /// # Errors
    /// Nobody leads for too long.
    pub(crate) async fn leader(&self, ask: usize) -> Result<usize> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let leader = self.status(ask).await.map(|status| status.leader).unwrap_or_default();
            if let Some(index) = (0..self.processes.len()).find(|index| name(*index) == leader) {
                return Ok(index);
            }
            ensure!(Instant::now() < deadline, "nobody leads");
            tokio::time::sleep(TICK).await;
        }
    }

    /// Waits until the group has this many reachable voters and a leader.
    ///
    /// # Errors
    /// When it takes too long.
    pub(crate) async fn wait_for_voters(&self, count: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(status) = self.status(0).await
                && !status.leader.is_empty()
                && status.masters.iter().filter(|master| master.voter && master.reachable).count() >= count
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{count} voters did not come up: see {}", self.folder.path().display());
            }
            tokio::time::sleep(TICK).await;
        }
    }
}

fn name(index: usize) -> String {
    format!("m{}", index + 1)
}

/// Where a master takes clients.
pub(crate) fn client_address(index: usize) -> String {
    format!("{ADDRESS}:{}", 6443 + index)
}
