//! A pod's volumes as folders and files under the data folder, bound into containers:
//! emptyDir, hostPath, ConfigMap, Secret, and the ServiceAccount's token.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, Pod, Volume};
use serde_json::json;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_runtime::{Mount, MountSource};

use crate::environment::data;
use crate::run::Agent;

const TOKEN_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Seconds that a token is good for.
const TOKEN_SECONDS: i64 = 24 * 3600;

/// A container's mounts; what they mount is made.
///
/// # Errors
/// Which volume cannot be had, and why.
pub(crate) async fn mounts(
    agent: &Agent,
    object: &Object,
    pod: &Pod,
    container: &Container,
) -> Result<Vec<Mount>, String> {
    let spec = pod.spec.clone().unwrap_or_default();
    let mut mounts = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
        let volume = volume.ok_or_else(|| format!("volume {:?} is not in the pod's volumes", mount.name))?;
        let read_only = mount.read_only.unwrap_or(false);
        let mut source = source(agent, object, volume).await?;
        if let (Some(sub), MountSource::Bind(path)) = (&mount.sub_path, &source) {
            if sub.split('/').any(|part| part == "..") {
                return Err(format!("subPath {sub:?} must stay inside its volume"));
            }
            source = MountSource::Bind(path.join(sub));
        }
        mounts.push(Mount { source, target: PathBuf::from(&mount.mount_path), read_only, propagate: false });
    }
    if spec.automount_service_account_token != Some(false)
        && !mounts.iter().any(|m| m.target == Path::new(TOKEN_FOLDER))
    {
        let folder = service_account(agent, object).await?;
        mounts.push(Mount::bind(folder, TOKEN_FOLDER, true));
    }
    Ok(mounts)
}

/// Everything that a pod's volumes left on this node's disk.
pub(crate) fn remove(data_dir: &Path, uid: &str) {
    for folder in [folder(data_dir, uid), data_dir.join("logs").join(uid)] {
        if let Err(error) = fs::remove_dir_all(&folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(folder = %folder.display(), %error, "not removed");
        }
    }
}

fn folder(data_dir: &Path, uid: &str) -> PathBuf {
    data_dir.join("volumes").join(uid)
}

async fn source(agent: &Agent, object: &Object, volume: &Volume) -> Result<MountSource, String> {
    let path = folder(&agent.config.data_dir, object.uid()).join(&volume.name);
    if let Some(empty) = &volume.empty_dir {
        if empty.medium.as_deref() == Some("Memory") {
            return Ok(MountSource::Tmpfs { size_bytes: None });
        }
        make(&path, 0o777)?;
        return Ok(MountSource::Bind(path));
    }
    if let Some(host) = &volume.host_path {
        return host_path(&host.path, host.type_.as_deref().unwrap_or_default());
    }
    let (plural, name, optional, items) = if let Some(map) = &volume.config_map {
        ("configmaps", map.name.clone(), map.optional, map.items.clone())
    } else if let Some(secret) = &volume.secret {
        ("secrets", secret.secret_name.clone().unwrap_or_default(), secret.optional, secret.items.clone())
    } else {
        return Err(format!("volume {:?} is of a kind that is not supported yet", volume.name));
    };
    let data = data(agent, object.namespace(), plural, &name, optional.unwrap_or(false)).await?;
    make(&path, 0o755)?;
    let chosen = items.map(|items| items.into_iter().map(|item| (item.key, item.path)).collect::<Vec<_>>());
    let chosen = chosen.unwrap_or_else(|| data.keys().map(|key| (key.clone(), key.clone())).collect());
    for (key, file) in chosen {
        let value = data.get(&key).ok_or_else(|| format!("{plural} {name:?} has no key {key:?}"))?;
        if file.split('/').any(|part| part == "..") || file.starts_with('/') {
            return Err(format!("volume {:?}: path {file:?} must stay inside it", volume.name));
        }
        write(&path.join(file), value)?;
    }
    Ok(MountSource::Bind(path))
}

fn host_path(path: &str, kind: &str) -> Result<MountSource, String> {
    let there = Path::new(path);
    if kind == "DirectoryOrCreate" {
        make(there, 0o755)?;
    }
    let fits = match kind {
        "" | "DirectoryOrCreate" => true,
        "Directory" => there.is_dir(),
        "File" => there.is_file(),
        _ => there.exists(),
    };
    if !fits {
        return Err(format!("hostPath {path:?} is no {kind}"));
    }
    Ok(MountSource::Bind(there.to_owned()))
}

/// The folder with `token`, `ca.crt` and `namespace`, as every pod knows it.
async fn service_account(agent: &Agent, object: &Object) -> Result<PathBuf, String> {
    let path = folder(&agent.config.data_dir, object.uid()).join("kube-api-access");
    make(&path, 0o755)?;
    let account = object.text(&["spec", "serviceAccountName"]);
    let account = if account.is_empty() { "default" } else { account };
    let mut request = Object::default();
    request.set(&["apiVersion"], "authentication.k8s.io/v1");
    request.set(&["kind"], "TokenRequest");
    request.set(
        &["spec"],
        json!({"expirationSeconds": TOKEN_SECONDS, "audiences": [],
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": object.name(), "uid": object.uid()}}),
    );
    let row = table::find("", "serviceaccounts").expect("a built-in kind");
    let made = agent.client.create_subresource(row, object.namespace(), account, "token", &request).await;
    let made = made.map_err(|error| format!("token of ServiceAccount {account:?}: {error}"))?;
    write(&path.join("token"), made.text(&["status", "token"]).as_bytes())?;
    write(&path.join("namespace"), object.namespace().as_bytes())?;
    let ca =
        fs::read(agent.config.data_dir.join("pki/ca.crt")).map_err(|error| format!("pki/ca.crt: {error}"))?;
    write(&path.join("ca.crt"), &ca)?;
    Ok(path)
}

fn make(path: &Path, mode: u32) -> Result<(), String> {
    let made =
        fs::create_dir_all(path).and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
    made.map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(path, bytes)
    };
    write().map_err(|error| format!("{}: {error}", path.display()))
}
