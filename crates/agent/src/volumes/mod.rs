//! A pod's volumes as folders and files under the data folder, bound into its containers.
//! One file for each kind; [`refresh`] keeps those up to date that the API fills.

mod atomic;
mod contents;
mod empty_dir;
mod group;
mod host_path;
mod mounts;
mod refresh;
mod service_account;
mod token;
mod usage;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::{Container, Volume};

pub(crate) use self::mounts::mounts;
pub(crate) use self::refresh::keep;
use crate::pod::worker::Bound;
use crate::run::Agent;
use crate::sources::Age;

/// What the volumes of all pods share.
#[derive(Default)]
pub(crate) struct State {
    tokens: token::Tokens,
    automounts: service_account::Automounts,
    /// A start and a refresh of the same volume do not write at once.
    writing: Mutex<()>,
}

/// Makes what must be there before the sandbox is.
///
/// # Errors
/// A mount that is not permitted.
pub(crate) fn prepare(agent: &Agent, bound: &Bound) -> std::io::Result<()> {
    for volume in volumes(bound) {
        if let Some(source) = volume.empty_dir.as_ref().filter(|source| empty_dir::is_memory(source)) {
            let path = path(agent, bound, &volume.name);
            empty_dir::mount_memory(&path, source)?;
            group::own_folder(&path, group::of(&bound.pod))?;
        }
    }
    Ok(())
}

/// Makes the volumes that a container mounts.
///
/// # Errors
/// Which of them cannot be had, and why.
pub(crate) async fn set_up(agent: &Agent, bound: &Bound, container: &Container) -> Result<(), String> {
    for mount in container.volume_mounts.iter().flatten() {
        let volume = volumes(bound).find(|volume| volume.name == mount.name);
        let volume = volume.ok_or_else(|| format!("volume {:?} is not in the pod's volumes", mount.name))?;
        let done = set_up_one(agent, bound, volume).await;
        done.map_err(|why| format!("MountVolume.SetUp failed for volume {:?} : {why}", volume.name))?;
    }
    if service_account::is_wanted(agent, bound, container).await? {
        let files = service_account::files(agent, bound).await?;
        write(agent, bound, service_account::VOLUME, &files)?;
    }
    Ok(())
}

async fn set_up_one(agent: &Agent, bound: &Bound, volume: &Volume) -> Result<(), String> {
    if let Some(source) = &volume.empty_dir {
        // Memory is mounted since before the sandbox was made.
        let made = if empty_dir::is_memory(source) {
            Ok(())
        } else {
            let path = path(agent, bound, &volume.name);
            empty_dir::set_up(&path).and_then(|()| group::own_folder(&path, group::of(&bound.pod)))
        };
        return made.map_err(|error| error.to_string());
    }
    if let Some(host) = &volume.host_path {
        return host_path::set_up(&host.path, host.type_.as_deref().unwrap_or_default());
    }
    match contents::of(agent, bound, volume, Age::Fresh).await? {
        Some(files) => write(agent, bound, &volume.name, &files),
        None => Err("it is of a kind that is not supported yet".to_owned()),
    }
}

fn write(agent: &Agent, bound: &Bound, name: &str, files: &atomic::Files) -> Result<(), String> {
    let path = path(agent, bound, name);
    let _writing = agent.volumes.writing.lock().unwrap_or_else(PoisonError::into_inner);
    let group = group::of(&bound.pod);
    let written = atomic::write(&path, &group::readable(files, group), group, agent.clock.now());
    written.map(drop).map_err(|error| format!("{}: {error}", path.display()))
}

/// Removes everything that a pod's volumes and logs left on this node's disk.
pub(crate) fn remove(agent: &Agent, uid: &str) {
    clear(agent, uid);
    remove_folder(&agent.config.data_dir.join("logs").join(uid));
}

/// Removes a pod's volumes: no container of it runs again.
pub(crate) fn clear(agent: &Agent, uid: &str) {
    agent.volumes.tokens.forget(uid);
    agent.volumes.automounts.forget(uid);
    let volumes = folder(&agent.config.data_dir, uid);
    for entry in fs::read_dir(&volumes).into_iter().flatten().filter_map(Result::ok) {
        if let Err(error) = empty_dir::unmount(&entry.path()) {
            tracing::warn!(folder = %entry.path().display(), %error, "not unmounted");
        }
    }
    remove_folder(&volumes);
}

fn remove_folder(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "not removed");
    }
}

fn volumes(bound: &Bound) -> impl Iterator<Item = &Volume> {
    bound.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten())
}

fn folder(data_dir: &Path, uid: &str) -> PathBuf {
    data_dir.join("volumes").join(uid)
}

/// The folders of a pod's volumes that lie on this node's disk; those of the host are not the pod's.
pub(crate) fn on_disk(agent: &Agent, bound: &Bound) -> Vec<PathBuf> {
    let is_memory = |volume: &Volume| volume.empty_dir.as_ref().is_some_and(empty_dir::is_memory);
    let own = volumes(bound).filter(|volume| volume.host_path.is_none() && !is_memory(volume));
    own.map(|volume| path(agent, bound, &volume.name)).collect()
}

fn path(agent: &Agent, bound: &Bound, name: &str) -> PathBuf {
    folder(&agent.config.data_dir, bound.object.uid()).join(name)
}
