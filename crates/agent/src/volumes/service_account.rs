//! The folder with `token`, `ca.crt` and `namespace`, as every pod knows it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::Container;
use xebec_api::table;

use super::atomic::{self, File, Files};
use super::{path, token};
use crate::pod::worker::Bound;
use crate::run::Agent;

/// Where containers see it.
pub(super) const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// A name that no volume of a user can have.
pub(super) const VOLUME: &str = ".kube-api-access";
/// As Kubernetes has it: an hour, and a little to tell its tokens from others.
const SECONDS: i64 = 3607;

/// Whether a container gets it: not where it has its own there, nor where the pod, or else
/// its ServiceAccount, does not want it.
///
/// # Errors
/// The API does not say what the ServiceAccount wants.
pub(super) async fn is_wanted(agent: &Agent, bound: &Bound, container: &Container) -> Result<bool, String> {
    let mut mounts = container.volume_mounts.iter().flatten();
    if mounts.any(|mount| Path::new(&mount.mount_path) == Path::new(FOLDER)) {
        return Ok(false);
    }
    if let Some(said) = bound.pod.spec.as_ref().and_then(|spec| spec.automount_service_account_token) {
        return Ok(said);
    }
    if atomic::is_written(&path(agent, bound, VOLUME)) {
        // Another container of the pod has it.
        return Ok(true);
    }
    let uid = bound.object.uid();
    if let Some(known) = agent.volumes.automounts.get(uid) {
        return Ok(known);
    }
    let row = table::find("", "serviceaccounts").expect("a built-in kind");
    let name = token::account(&bound.object);
    let account = agent.client.find(row, bound.object.namespace(), name).await;
    let account = account.map_err(|error| format!("ServiceAccount {name:?}: {}", error.message))?;
    let wants =
        account.is_none_or(|account| account.get(&["automountServiceAccountToken"]) != Some(&false.into()));
    agent.volumes.automounts.put(uid, wants);
    Ok(wants)
}

/// What the ServiceAccounts of this node's pods wanted when the pods started: it holds for
/// as long as a pod does, also while no master answers.
#[derive(Default)]
pub(super) struct Automounts(Mutex<BTreeMap<String, bool>>);

impl Automounts {
    fn get(&self, uid: &str) -> Option<bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(uid).copied()
    }

    fn put(&self, uid: &str, wants: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uid.to_owned(), wants);
    }

    /// A pod is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

/// Whether a container sees it: it was set up before, and the container has nothing there.
pub(super) fn is_mounted(folder: &Path, container: &Container) -> bool {
    let mut mounts = container.volume_mounts.iter().flatten();
    atomic::is_written(folder) && !mounts.any(|mount| Path::new(&mount.mount_path) == Path::new(FOLDER))
}

pub(super) async fn files(agent: &Agent, bound: &Bound) -> Result<Files, String> {
    let token = token::current(agent, &bound.object, "", SECONDS).await?;
    let ca = agent.config.data_dir.join("pki/ca.crt");
    let ca = std::fs::read(&ca).map_err(|error| format!("{}: {error}", ca.display()))?;
    let namespace = bound.object.namespace().as_bytes().to_vec();
    let file = |name: &str, bytes| (PathBuf::from(name), File { bytes, mode: 0o644 });
    Ok(Files::from([file("token", token.into_bytes()), file("ca.crt", ca), file("namespace", namespace)]))
}
