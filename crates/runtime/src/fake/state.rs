//! The fake's state and its steps, without time of its own: `now` is an argument.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::Timestamp;

use super::Behaviour;
use crate::{
    ContainerPhase, ContainerSpec, ContainerState, ContainerUsage, ImageInfo, NodeNetwork, RuntimeError,
    Sandbox, SandboxSpec, Usage,
};

/// A digest that is as good as any.
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) images: BTreeMap<String, Behaviour>,
    pub(super) execs: BTreeMap<String, (i32, String)>,
    pub(super) fail_sandboxes: Option<String>,
    pub(super) sandboxes: BTreeMap<String, Entry>,
    pub(super) calls: Vec<String>,
    pub(super) network: NodeNetwork,
    /// What containers hold of the memory, by pod and id.
    pub(super) memory: BTreeMap<(String, String), u64>,
    /// Addresses given so far; never reused.
    addresses: u8,
    /// Process ids given so far.
    pids: u32,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) spec: SandboxSpec,
    pub(super) sandbox: Sandbox,
    pub(super) specs: BTreeMap<String, ContainerSpec>,
    behaviours: BTreeMap<String, Behaviour>,
}

impl State {
    pub(super) fn run_sandbox(&mut self, spec: SandboxSpec) -> Result<Sandbox, RuntimeError> {
        self.calls.push(format!("run_sandbox {}/{} {}", spec.namespace, spec.name, spec.pod_uid));
        if let Some(entry) = self.sandboxes.get(&spec.pod_uid) {
            return Ok(entry.sandbox.clone());
        }
        if let Some(message) = &self.fail_sandboxes {
            return Err(RuntimeError::Network(message.clone()));
        }
        self.pids += 1;
        let mut ips = Vec::new();
        if !spec.host_network {
            self.addresses += 1;
            ips.push(IpAddr::V4(Ipv4Addr::new(10, 42, 0, self.addresses + 1)));
        }
        let sandbox = Sandbox {
            pod_uid: spec.pod_uid.clone(),
            namespace: spec.namespace.clone(),
            name: spec.name.clone(),
            ips,
            pid: 1000 + self.pids,
            alive: true,
            stopped: false,
            containers: Vec::new(),
        };
        let entry =
            Entry { sandbox: sandbox.clone(), specs: BTreeMap::new(), behaviours: BTreeMap::new(), spec };
        self.sandboxes.insert(sandbox.pod_uid.clone(), entry);
        Ok(sandbox)
    }

    /// Starts it; returns after how long it ends by itself, if it does.
    pub(super) fn start_container(
        &mut self,
        pod_uid: &str,
        spec: ContainerSpec,
        now: Timestamp,
    ) -> Result<Option<Duration>, RuntimeError> {
        self.calls.push(format!("start_container {pod_uid} {} {}", spec.id, spec.image));
        let behaviour = self.images.get(&spec.image).cloned();
        let behaviour = behaviour.ok_or(RuntimeError::ImageNotFound { image: spec.image.clone() })?;
        self.pids += 1;
        let pid = 1000 + self.pids;
        let missing = || RuntimeError::NoSandbox { pod_uid: pod_uid.into() };
        let entry = self.sandboxes.get_mut(pod_uid).ok_or_else(missing)?;
        if entry.specs.contains_key(&spec.id) {
            return Err(RuntimeError::Exists { what: format!("container {:?}", spec.id) });
        }
        if let Behaviour::FailStart { message } = &behaviour {
            let command = spec.command.first().cloned().unwrap_or_default();
            return Err(RuntimeError::Start { command, message: message.clone(), exit_code: 127 });
        }
        let ends_after = match &behaviour {
            Behaviour::Exit { after, .. } => Some(*after),
            _ => None,
        };
        entry.sandbox.containers.push(ContainerState {
            id: spec.id.clone(),
            image: spec.image.clone(),
            image_digest: DIGEST.into(),
            pid,
            started_at: now,
            phase: ContainerPhase::Running,
        });
        entry.behaviours.insert(spec.id.clone(), behaviour);
        entry.specs.insert(spec.id.clone(), spec);
        Ok(ends_after)
    }

    pub(super) fn signal(
        &mut self,
        pod_uid: &str,
        id: &str,
        signal: i32,
        now: Timestamp,
    ) -> Result<(), RuntimeError> {
        self.calls.push(format!("signal_container {pod_uid} {id} {signal}"));
        let missing = || RuntimeError::NoContainer { pod_uid: pod_uid.into(), id: id.into() };
        let entry = self.sandboxes.get(pod_uid).ok_or_else(missing)?;
        let behaviour = entry.behaviours.get(id).ok_or_else(missing)?;
        if signal == libc::SIGKILL || *behaviour != Behaviour::IgnoreSignals {
            self.end(pod_uid, id, 128 + signal, Some(signal), false, now);
        }
        Ok(())
    }

    /// Kills what runs in it; what is known of it stays.
    pub(super) fn stop_sandbox(&mut self, pod_uid: &str, now: Timestamp) {
        let Some(entry) = self.sandboxes.get_mut(pod_uid) else { return };
        (entry.sandbox.alive, entry.sandbox.stopped, entry.sandbox.pid) = (false, true, 0);
        let ids: Vec<String> = entry.sandbox.containers.iter().map(|state| state.id.clone()).collect();
        for id in ids {
            self.end(pod_uid, &id, 128 + libc::SIGKILL, Some(libc::SIGKILL), false, now);
        }
    }

    pub(super) fn remove_container(&mut self, pod_uid: &str, id: &str) {
        self.calls.push(format!("remove_container {pod_uid} {id}"));
        if let Some(entry) = self.sandboxes.get_mut(pod_uid) {
            entry.sandbox.containers.retain(|container| container.id != id);
            entry.specs.remove(id);
            entry.behaviours.remove(id);
        }
    }

    pub(super) fn container(&self, pod_uid: &str, id: &str) -> Option<&ContainerState> {
        self.sandboxes.get(pod_uid)?.sandbox.containers.iter().find(|container| container.id == id)
    }

    /// What each running container was said to hold.
    pub(super) fn usage(&self) -> Vec<ContainerUsage> {
        let mut all = Vec::new();
        for (uid, entry) in &self.sandboxes {
            let running = entry.sandbox.containers.iter().filter(|it| it.phase == ContainerPhase::Running);
            for (key, bytes) in
                running.filter_map(|it| self.memory.get_key_value(&(uid.clone(), it.id.clone())))
            {
                let usage = Usage { working_set_bytes: *bytes, ..Usage::default() };
                all.push(ContainerUsage { pod_uid: key.0.clone(), id: key.1.clone(), usage });
            }
        }
        all
    }

    /// Ends a running container; does nothing to others.
    pub(super) fn end(
        &mut self,
        pod_uid: &str,
        id: &str,
        code: i32,
        signal: Option<i32>,
        oom_killed: bool,
        now: Timestamp,
    ) {
        let Some(entry) = self.sandboxes.get_mut(pod_uid) else { return };
        for container in &mut entry.sandbox.containers {
            if container.id == id && container.phase == ContainerPhase::Running {
                container.pid = 0;
                container.phase = ContainerPhase::Exited { code, signal, finished_at: now, oom_killed };
            }
        }
    }

    /// Ends what has run its time.
    pub(super) fn settle(&mut self, now: Timestamp) {
        let mut ended = Vec::new();
        for (uid, entry) in &self.sandboxes {
            for container in &entry.sandbox.containers {
                if let Some(Behaviour::Exit { code, after }) = entry.behaviours.get(&container.id)
                    && container.started_at + *after <= now
                {
                    ended.push((uid.clone(), container.id.clone(), *code, container.started_at + *after));
                }
            }
        }
        for (uid, id, code, at) in ended {
            self.end(&uid, &id, code, None, false, at);
        }
    }
}

pub(super) fn image_info(name: &str) -> ImageInfo {
    ImageInfo { names: vec![name.to_owned()], digest: DIGEST.into(), size_bytes: 1024 }
}
