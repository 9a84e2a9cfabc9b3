//! A runtime in memory for tests: containers that run, exit or fail as scripted by their image's name.
//!
//! It keeps the [`Runtime`] contract (idempotence, events, exit codes of signals) and logs every changing call as a
//! line, so that a test can assert the whole sequence. Its clock is tokio's, which tests pause.

mod state;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;

use self::state::State;
use crate::{
    ContainerPhase, ContainerSpec, ContainerUsage, ExecEvent, ExecHandle, ExecInput, ExecOptions, ImageInfo,
    NodeNetwork, PodUsage, Runtime, RuntimeError, RuntimeEvent, Sandbox, SandboxSpec,
};

/// What an image's containers do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Run until signalled; SIGTERM ends them with 143.
    Run,
    /// Run, and ignore everything but SIGKILL.
    IgnoreSignals,
    /// End by themselves with `code`, that long after their start.
    Exit {
        /// The exit code.
        code: i32,
        /// How long they run.
        after: Duration,
    },
    /// Do not start: the command is not there.
    FailStart {
        /// What the error says.
        message: String,
    },
}

/// A [`Runtime`] in memory.
#[derive(Debug)]
pub struct FakeRuntime {
    state: Mutex<State>,
    events: broadcast::Sender<RuntimeEvent>,
    started: Instant,
    base: Timestamp,
}

impl Default for FakeRuntime {
    fn default() -> FakeRuntime {
        FakeRuntime::new()
    }
}

impl FakeRuntime {
    /// A runtime without images. Its clock starts at 2026-01-01T00:00:00Z.
    pub fn new() -> FakeRuntime {
        let base = Timestamp::from_second(1_767_225_600).expect("a constant in range");
        FakeRuntime {
            state: Mutex::new(State::default()),
            events: broadcast::channel(256).0,
            started: Instant::now(),
            base,
        }
    }

    /// Adds an image whose containers behave so. Adding it again changes what containers started later do.
    pub fn add_image(&self, name: &str, behaviour: Behaviour) {
        self.lock().images.insert(name.to_owned(), behaviour);
    }

    /// Takes an image away.
    pub fn remove_image(&self, name: &str) {
        self.lock().images.remove(name);
    }

    /// The answer of every exec whose command's words, joined by spaces, are `command`. Others answer 0 and nothing.
    pub fn on_exec(&self, command: &str, exit_code: i32, output: &str) {
        self.lock().execs.insert(command.to_owned(), (exit_code, output.to_owned()));
    }

    /// Makes the next `run_sandbox` calls fail with this message, until it is taken back with `None`.
    pub fn fail_sandboxes(&self, message: Option<&str>) {
        self.lock().fail_sandboxes = message.map(str::to_owned);
    }

    /// Ends a running container, as if by itself.
    pub fn exit(&self, pod_uid: &str, id: &str, code: i32, oom_killed: bool) {
        let now = self.now();
        self.lock().end(pod_uid, id, code, None, oom_killed, now);
        self.hint(pod_uid);
    }

    /// Kills the pod's shim: the sandbox stays listed and is not alive.
    pub fn lose_sandbox(&self, pod_uid: &str) {
        if let Some(sandbox) = self.lock().sandboxes.get_mut(pod_uid) {
            sandbox.sandbox.alive = false;
        }
        self.hint(pod_uid);
    }

    /// What a container holds of the memory from now on, for as long as it runs.
    pub fn set_memory(&self, pod_uid: &str, id: &str, bytes: u64) {
        self.lock().memory.insert((pod_uid.to_owned(), id.to_owned()), bytes);
    }

    /// The spec with which a container was started.
    pub fn container_spec(&self, pod_uid: &str, id: &str) -> Option<ContainerSpec> {
        let state = self.lock();
        state.sandboxes.get(pod_uid)?.specs.get(id).cloned()
    }

    /// The spec with which a sandbox was made.
    pub fn sandbox_spec(&self, pod_uid: &str) -> Option<SandboxSpec> {
        self.lock().sandboxes.get(pod_uid).map(|entry| entry.spec.clone())
    }

    /// Every changing call since the last time this was asked, one line each.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    /// What was last told by `set_network`.
    pub fn network(&self) -> NodeNetwork {
        self.lock().network.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    fn now(&self) -> Timestamp {
        self.base + self.started.elapsed()
    }

    /// The state after everything that time alone has ended.
    fn settled(&self) -> MutexGuard<'_, State> {
        let now = self.now();
        let mut state = self.lock();
        state.settle(now);
        state
    }

    /// As [`FakeRuntime::settled`], where this container runs.
    fn running(&self, pod_uid: &str, id: &str) -> Result<MutexGuard<'_, State>, RuntimeError> {
        let state = self.settled();
        match state.container(pod_uid, id) {
            Some(found) if found.phase == ContainerPhase::Running => Ok(state),
            _ => Err(RuntimeError::NoContainer { pod_uid: pod_uid.into(), id: id.into() }),
        }
    }

    fn hint(&self, pod_uid: &str) {
        // Nobody listening is fine: a hint is only a hint.
        let _ = self.events.send(RuntimeEvent { pod_uid: pod_uid.to_owned() });
    }

    /// Sends a hint when a container that ends by itself does so.
    fn hint_later(&self, pod_uid: &str, after: Duration) {
        let (events, pod_uid) = (self.events.clone(), pod_uid.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let _ = events.send(RuntimeEvent { pod_uid });
        });
    }
}

#[async_trait::async_trait]
impl Runtime for FakeRuntime {
    async fn run_sandbox(&self, spec: SandboxSpec) -> Result<Sandbox, RuntimeError> {
        let uid = spec.pod_uid.clone();
        let sandbox = self.settled().run_sandbox(spec)?;
        self.hint(&uid);
        Ok(sandbox)
    }

    async fn stop_sandbox(&self, pod_uid: &str) -> Result<(), RuntimeError> {
        let now = self.now();
        let mut state = self.settled();
        state.calls.push(format!("stop_sandbox {pod_uid}"));
        state.stop_sandbox(pod_uid, now);
        drop(state);
        self.hint(pod_uid);
        Ok(())
    }

    async fn remove_sandbox(&self, pod_uid: &str) -> Result<(), RuntimeError> {
        let mut state = self.settled();
        state.calls.push(format!("remove_sandbox {pod_uid}"));
        state.sandboxes.remove(pod_uid);
        drop(state);
        self.hint(pod_uid);
        Ok(())
    }

    async fn start_container(&self, pod_uid: &str, spec: ContainerSpec) -> Result<(), RuntimeError> {
        let now = self.now();
        let ends_after = self.settled().start_container(pod_uid, spec, now)?;
        if let Some(after) = ends_after {
            self.hint_later(pod_uid, after);
        }
        self.hint(pod_uid);
        Ok(())
    }

    async fn signal_container(&self, pod_uid: &str, id: &str, signal: i32) -> Result<(), RuntimeError> {
        let now = self.now();
        self.settled().signal(pod_uid, id, signal, now)?;
        self.hint(pod_uid);
        Ok(())
    }

    async fn remove_container(&self, pod_uid: &str, id: &str) -> Result<(), RuntimeError> {
        self.settled().remove_container(pod_uid, id);
        self.hint(pod_uid);
        Ok(())
    }

    async fn exec(
        &self,
        pod_uid: &str,
        id: &str,
        command: Vec<String>,
        _options: ExecOptions,
    ) -> Result<ExecHandle, RuntimeError> {
        let command = command.join(" ");
        let (code, text) = {
            let mut state = self.running(pod_uid, id)?;
            state.calls.push(format!("exec {pod_uid} {id}: {command}"));
            state.execs.get(&command).cloned().unwrap_or_default()
        };
        let (input, _) = mpsc::channel(8);
        let (sender, output) = mpsc::channel(8);
        for event in [ExecEvent::Stdout(text.into_bytes().into()), ExecEvent::Exit(code)] {
            sender.try_send(event).expect("the channel has room for two");
        }
        Ok(ExecHandle { input, output })
    }

    /// The container says back what it is told, until the end of that.
    async fn attach(&self, pod_uid: &str, id: &str, stdin: bool) -> Result<ExecHandle, RuntimeError> {
        self.running(pod_uid, id)?.calls.push(format!("attach {pod_uid} {id}, stdin {stdin}"));
        let (input, mut inputs) = mpsc::channel(8);
        let (outputs, output) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Some(ExecInput::Stdin(bytes)) = inputs.recv().await {
                if outputs.send(ExecEvent::Stdout(bytes)).await.is_err() {
                    return;
                }
            }
            // Whoever left needs no exit code.
            let _ = outputs.send(ExecEvent::Exit(0)).await;
        });
        Ok(ExecHandle { input, output })
    }

    /// Every pod has the test's own loopback.
    async fn connect(&self, pod_uid: &str, port: u16) -> Result<TcpStream, RuntimeError> {
        if !self.settled().sandboxes.contains_key(pod_uid) {
            return Err(RuntimeError::NoSandbox { pod_uid: pod_uid.into() });
        }
        let connected = TcpStream::connect(("127.0.0.1", port)).await;
        connected.map_err(|source| RuntimeError::Connect { port, source })
    }

    async fn list(&self) -> Result<Vec<Sandbox>, RuntimeError> {
        Ok(self.settled().sandboxes.values().map(|entry| entry.sandbox.clone()).collect())
    }

    fn events(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.events.subscribe()
    }

    async fn set_network(&self, network: NodeNetwork) -> Result<(), RuntimeError> {
        self.lock().network = network;
        Ok(())
    }

    async fn image_status(&self, image: &str) -> Result<Option<ImageInfo>, RuntimeError> {
        Ok(self.lock().images.contains_key(image).then(|| state::image_info(image)))
    }

    async fn list_images(&self) -> Result<Vec<ImageInfo>, RuntimeError> {
        Ok(self.lock().images.keys().map(|name| state::image_info(name)).collect())
    }

    async fn usage(&self) -> Result<Vec<ContainerUsage>, RuntimeError> {
        Ok(self.settled().usage())
    }

    async fn pod_usage(&self) -> Result<Vec<PodUsage>, RuntimeError> {
        let mut pods: Vec<PodUsage> = Vec::new();
        for ContainerUsage { pod_uid, usage, .. } in self.settled().usage() {
            match pods.iter_mut().find(|pod| pod.pod_uid == pod_uid) {
                Some(pod) => pod.working_set_bytes += usage.working_set_bytes,
                None => pods.push(PodUsage {
                    pod_uid,
                    working_set_bytes: usage.working_set_bytes,
                    ..PodUsage::default()
                }),
            }
        }
        Ok(pods)
    }
}
