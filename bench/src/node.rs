//! One real node beside the masters, and the image that its pods run from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tempfile::TempDir;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::{Client, ListParams};

use crate::masters::{Masters, TICK, client_address};
use crate::process::Process;
use crate::sandbox::ADDRESS;

/// What the pods of the bench run.
const IMAGE: &str = "xebec.local/bench:1";
/// A bench measures on whatever is left of the disk.
const DISKS: &str = "[eviction.hard]\n\"nodefs.available\" = \"0%\"\n\"nodefs.inodesFree\" = \"0%\"\n";
const PATIENCE: Duration = Duration::from_secs(30);

/// A running agent; dropping it ends it.
pub(crate) struct Node {
    pub(crate) process: Process,
    _folder: TempDir,
}

impl Node {
    /// Joins a node and waits until it is Ready.
    ///
    /// # Errors
    /// With the folder of its log, when it does not come up.
    pub(crate) async fn join(xebec: &Path, masters: &Masters) -> Result<Self> {
        let folder = TempDir::with_prefix("xebec-bench-node-")?;
        let images = pack_image(xebec, folder.path())?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("token"), masters.token(false).await?)?;
        let config = format!(
            "name = \"n1\"\ndata_dir = \"{}\"\naddress = \"{ADDRESS}\"\nmasters = [\"{}\"]\ntoken_file = \"{}\"\nimages_dir = \"{}\"\n{DISKS}",
            path("data").display(),
            client_address(0),
            path("token").display(),
            images.display(),
        );
        fs::write(path("n1.toml"), config)?;
        let mut command = Command::new(xebec);
        let process = Process::start(command.arg("node").arg("--config").arg(path("n1.toml")), &path("log"))?;
        let node = Self { process, _folder: folder };
        wait_until_ready(&masters.client(0)?, PATIENCE).await?;
        Ok(node)
    }
}

/// An image with busybox in it; gives the folder with its archive.
///
/// # Errors
/// Without busybox (package busybox-static), or when it cannot be packed.
pub(crate) fn pack_image(xebec: &Path, folder: &Path) -> Result<PathBuf> {
    let (root, images) = (folder.join("root"), folder.join("images"));
    fs::create_dir_all(root.join("bin"))?;
    fs::create_dir_all(&images)?;
    fs::copy("/bin/busybox", root.join("bin/busybox")).context("/bin/busybox (package busybox-static)")?;
    let status = Command::new(xebec)
        .args(["image", "pack"])
        .arg(&root)
        .args(["--name", IMAGE, "--entrypoint", "/bin/busybox", "--output"])
        .arg(images.join("bench.tar"))
        .output()?;
    ensure!(status.status.success(), "image pack: {}", String::from_utf8_lossy(&status.stderr));
    Ok(images)
}

/// Waits until the one node is Ready.
///
/// # Errors
/// When it takes too long.
pub(crate) async fn wait_until_ready(client: &Client, patience: Duration) -> Result<()> {
    let row = table::find("", "nodes").expect("a built-in kind");
    let deadline = Instant::now() + patience;
    loop {
        let nodes = client.list(row, "", &ListParams::default()).await;
        if nodes.is_ok_and(|nodes| nodes.items.iter().any(|node| is_true(node, "Ready"))) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("no node became Ready");
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Whether a condition of an object holds.
pub(crate) fn is_true(object: &Object, condition: &str) -> bool {
    let conditions = object.get(&["status", "conditions"]).and_then(serde_json::Value::as_array);
    conditions.into_iter().flatten().any(|c| c["type"] == condition && c["status"] == "True")
}

/// A pod's spec: one container that sleeps and ends at once when told to.
pub(crate) fn pod_spec() -> serde_json::Value {
    json!({
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "args": ["sleep", "3600"]}],
    })
}
