//! The folder with `token`, `ca.crt` and `namespace`, as every pod knows it.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Container;

use super::atomic::{File, Files};
use super::token;
use crate::pod::worker::Bound;
use crate::run::Agent;

/// Where containers see it.
pub(super) const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// A name that no volume of a user can have.
pub(super) const VOLUME: &str = ".kube-api-access";
/// As Kubernetes has it: an hour, and a little to tell its tokens from others.
const SECONDS: i64 = 3607;

/// Whether a container gets it: not where the pod does not want it or has its own there.
pub(super) fn is_wanted(bound: &Bound, container: &Container) -> bool {
    let automount = bound.pod.spec.as_ref().and_then(|spec| spec.automount_service_account_token);
    let mut mounts = container.volume_mounts.iter().flatten();
    automount != Some(false) && !mounts.any(|mount| Path::new(&mount.mount_path) == Path::new(FOLDER))
}

pub(super) async fn files(agent: &Agent, bound: &Bound) -> Result<Files, String> {
    let token = token::current(agent, &bound.object, "", SECONDS).await?;
    let ca = agent.config.data_dir.join("pki/ca.crt");
    let ca = std::fs::read(&ca).map_err(|error| format!("{}: {error}", ca.display()))?;
    let namespace = bound.object.namespace().as_bytes().to_vec();
    let file = |name: &str, bytes| (PathBuf::from(name), File { bytes, mode: 0o644 });
    Ok(Files::from([file("token", token.into_bytes()), file("ca.crt", ca), file("namespace", namespace)]))
}
