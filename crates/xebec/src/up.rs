//! `xebec up`: a whole cluster in one process, for a laptop: one master and one node.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use xebec_client::Client;
use xebec_rpc::v1;
use xebec_rpc::v1::cluster_client::ClusterClient;

/// The ports of the master.
const CLIENT_PORT: u16 = 6443;
const PEER_PORT: u16 = 6444;
/// Seconds that the node's own token is good for.
const TOKEN_SECONDS: u32 = 600;
/// How long the master may take to write the kubeconfig.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs both until `stop`, or until one of them fails.
pub(crate) async fn run(data_dir: PathBuf, images: Option<PathBuf>, stop: CancellationToken) -> Result<()> {
    let kubeconfig = kubeconfig(&data_dir);
    let master = master(&data_dir);
    let node = xebec_agent::Config {
        name: "n1".to_owned(),
        data_dir: data_dir.join("node"),
        address: own_address(),
        masters: vec![master.client_address.clone()],
        token_file: Some(data_dir.join("token")),
        images_dir: images,
        labels: Default::default(),
        eviction: xebec_agent::Eviction::on_a_shared_disk(),
    };
    // The master and the node close their own folders also where they are there already; this
    // one may be a folder that its user shares.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&data_dir);
    made.with_context(|| data_dir.display().to_string())?;
    // The master outlives the agent: it writes what the agent says last, hands nothing over
    // half done, and closes its store in order.
    let master_stop = CancellationToken::new();
    let node = async {
        let outcome = run_node(&kubeconfig, node, stop).await;
        master_stop.cancel();
        outcome
    };
    let mut master = Box::pin(xebec_master::run(master, master_stop.clone()));
    let mut node = Box::pin(node);
    tokio::select! {
        // It was not told to end: it failed.
        ended = &mut master => Ok(ended?),
        outcome = &mut node => {
            master.await?;
            outcome
        }
    }
}

/// Its master's configuration.
pub(crate) fn master(data_dir: &Path) -> xebec_master::Config {
    let address = own_address();
    xebec_master::Config {
        name: "m1".to_owned(),
        data_dir: data_dir.join("master"),
        client_address: format!("{address}:{CLIENT_PORT}"),
        peer_address: format!("{address}:{PEER_PORT}"),
        bootstrap: true,
        join: Vec::new(),
        token_file: None,
        admin_kubeconfig: Some(kubeconfig(data_dir)),
        cluster: xebec_master::config::Cluster::default(),
    }
}

fn kubeconfig(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.kubeconfig")
}

async fn run_node(kubeconfig: &Path, node: xebec_agent::Config, stop: CancellationToken) -> Result<()> {
    if let Some(path) = &node.token_file
        && xebec_agent::needs_token(&node)?
    {
        let Some(made) = stop.run_until_cancelled(make_token(kubeconfig, path)).await else { return Ok(()) };
        made?;
    }
    Ok(xebec_agent::run(node, stop).await?)
}

/// Makes the token that the node joins with.
async fn make_token(kubeconfig: &Path, path: &Path) -> Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !kubeconfig.exists() {
        anyhow::ensure!(
            tokio::time::Instant::now() < deadline,
            "the master did not come up within {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let client = Client::from_kubeconfig(kubeconfig)?;
    let request = v1::CreateTokenRequest { ttl_seconds: TOKEN_SECONDS, ..Default::default() };
    let channel = client.channel().await?;
    let token = ClusterClient::new(channel).create_token(request).await?.into_inner().token;
    write_private(path, &token)
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| path.display().to_string())
}

/// The address that the default route leaves by; loopback on a host without one.
fn own_address() -> IpAddr {
    let probe = || {
        // Connecting a UDP socket sends nothing: it only asks the routing table.
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    probe().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}
