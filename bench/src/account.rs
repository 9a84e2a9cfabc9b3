//! A system pod's ServiceAccount, as the agent gives it to the pod, on a file system that
//! only the pod sees.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::TempDir;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::Client;

use crate::masters::TICK;

/// Where a pod finds it.
const CREDENTIALS: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const PATIENCE: Duration = Duration::from_secs(10);

/// The files of an account of `kube-system`; a process that uses them must end before.
pub(crate) struct Account(TempDir);

impl Account {
    /// Makes a token, once a fresh cluster has the account.
    ///
    /// # Errors
    /// There is no such account.
    pub(crate) async fn of(client: &Client, name: &str) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Self::make(client, name).await {
                Err(_) if Instant::now() < deadline => tokio::time::sleep(TICK).await,
                outcome => return outcome.with_context(|| format!("the account {name}")),
            }
        }
    }

    async fn make(client: &Client, name: &str) -> Result<Self> {
        let accounts = table::find("", "serviceaccounts").expect("a built-in kind");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}});
        let request = Object::from_json(request.to_string().as_bytes())?;
        let made = client.create_subresource(accounts, "kube-system", name, "token", &request).await?;
        let maps = table::find("", "configmaps").expect("a built-in kind");
        let ca = client.get(maps, "default", "kube-root-ca.crt").await?;
        let folder = TempDir::with_prefix("xebec-bench-account-")?;
        fs::write(folder.path().join("token"), made.text(&["status", "token"]))?;
        fs::write(folder.path().join("ca.crt"), ca.text(&["data", "ca.crt"]))?;
        fs::create_dir_all(CREDENTIALS)?;
        Ok(Self(folder))
    }

    /// Goes on with a command that ends in `unshare`: the program that is added next finds the
    /// files where a pod does. It has the command's process id.
    pub(crate) fn pod<'a>(&self, unshare: &'a mut Command) -> &'a mut Command {
        let script = format!("mount --bind \"$0\" {CREDENTIALS} && exec \"$@\"");
        unshare.args(["--mount", "sh", "-c", &script]).arg(self.0.path())
    }
}
