//! The peer of the store: three members of Debian's etcd on loopback, as they come.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::process::Process;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running group; dropping it ends it.
pub(crate) struct Etcd {
    pub(crate) processes: Vec<Process>,
    _folder: TempDir,
}

impl Etcd {
    /// Boots three members.
    ///
    /// # Errors
    /// Without etcd (package etcd-server), or when it does not come up.
    pub(crate) async fn boot() -> Result<Self> {
        let folder = TempDir::with_prefix("xebec-bench-etcd-")?;
        let peers: Vec<String> = (0..3).map(|i| format!("e{i}=http://127.0.0.1:{}", 2400 + i)).collect();
        let mut processes = Vec::new();
        for index in 0..3 {
            let (client, peer) = (address(index), format!("http://127.0.0.1:{}", 2400 + index));
            let mut command = Command::new("etcd");
            command
                .args(["--name", &format!("e{index}"), "--initial-cluster", &peers.join(",")])
                .args(["--data-dir", &folder.path().join(format!("e{index}")).display().to_string()])
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            processes.push(Process::start(&mut command, &folder.path().join("log"))?);
        }
        let etcd = Self { processes, _folder: folder };
        etcd.wait().await?;
        Ok(etcd)
    }

    async fn wait(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let tried = async { Client::connect(0).await?.put("ready".to_owned(), "yes".to_owned()).await };
            match tried.await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => bail!("etcd did not come up: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Where a member takes clients.
fn address(index: usize) -> String {
    format!("http://127.0.0.1:{}", 2379 + 10 * index)
}

/// As much of etcd's `KV/Put` as is needed (`etcdserverpb`, rpc.proto).
#[derive(Clone, prost::Message)]
struct PutRequest {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// What it answers is not looked at.
#[derive(Clone, prost::Message)]
struct PutResponse {}

/// One connection to a member.
pub(crate) struct Client(tonic::client::Grpc<Channel>);

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// The member does not answer.
    pub(crate) async fn connect(index: usize) -> Result<Self> {
        let channel = Channel::from_shared(address(index))?.connect().await?;
        Ok(Self(tonic::client::Grpc::new(channel)))
    }

    /// Writes one key.
    ///
    /// # Errors
    /// It was not taken.
    pub(crate) async fn put(&mut self, key: String, value: String) -> Result<()> {
        self.0.ready().await?;
        let path = http::uri::PathAndQuery::from_static("/etcdserverpb.KV/Put");
        let codec = tonic_prost::ProstCodec::<PutRequest, PutResponse>::default();
        self.0.unary(tonic::Request::new(PutRequest { key, value }), path, codec).await?;
        Ok(())
    }
}
