//! Ends: of helpers, of containers, of commands; and what follows from each.

use std::fs::{self, File};
use std::os::fd::OwnedFd;

use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::container::Container;
use super::fdpass;
use super::frame::Kind;
use super::handlers::nonblocking;
use super::helper::Outcome;
use super::overlay::Root;
use super::paths::ContainerPaths;
use super::protocol::{Failure, Response};
use super::server::{Server, Work};
use super::session::kill_session;
use super::staging::Staging;
use super::stdin::Stdin;

impl Server {
    /// Takes the exit codes of every child that has ended.
    pub(super) fn reap(&mut self) {
        let any = Pid::from_raw(-1);
        while let Ok(status) = waitpid(any, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
            let Some(pid) = status.pid() else { return };
            self.on_exit(pid.as_raw(), status);
        }
    }

    fn on_exit(&mut self, pid: i32, status: WaitStatus) {
        let (code, signal) = match status {
            WaitStatus::Exited(_, code) => (code, None),
            WaitStatus::Signaled(_, signal, _) => (128 + signal as i32, Some(signal as i32)),
            _ => return,
        };
        let ours = |container: &Container| container.is_running() && container.state.pid == pid as u32;
        if let Some(index) = self.containers.iter().position(ours) {
            self.end_container(index, code, signal);
        } else if let Some(id) = self.commands.iter().find(|(_, it)| it.pid == pid).map(|(id, _)| *id) {
            self.end_command(id, code);
        } else if !self.helpers.is_empty() {
            self.exits.insert(pid, status);
        }
    }

    fn end_container(&mut self, index: usize, code: i32, signal: Option<i32>) {
        let cgroup = format!("{}/{}", self.config.cgroup, self.containers[index].state.id);
        // Its first process may end by itself when the kernel killed another one of its.
        let oom_killed = code != 0 && self.hierarchies.oom_kills(&cgroup) > 0;
        if self.config.spec.host_pid {
            // Without a process namespace of its own, its other processes do not die with the first.
            self.hierarchies.kill(&cgroup);
        }
        self.end_streams(index, code);
        self.containers[index].end(code, signal, oom_killed);
        self.touch();
        self.finish_removals();
    }

    /// Forgets the ended containers whose removal was asked for.
    pub(super) fn finish_removals(&mut self) {
        let done = |container: &Container| !container.is_running() && !container.removing.is_empty();
        while let Some(index) = self.containers.iter().position(done) {
            let container = self.containers.remove(index);
            self.touch();
            let removed = self.clean_up(&container.state.id);
            for connection in container.removing {
                match &removed {
                    Ok(()) => self.respond(connection, &Response::Done { warnings: Vec::new() }),
                    Err(message) => self.fail(connection, Failure::Other(message.clone())),
                }
            }
        }
    }

    /// Takes away what a container had, but its log and its writable layer, which is the agent's to delete.
    fn clean_up(&self, id: &str) -> Result<(), String> {
        let paths = ContainerPaths::of(&self.config, id);
        Root::below(&paths.work).unmount();
        // A helper that died may have left something.
        Staging::at(&paths.staging).clear();
        for folder in [paths.bundle, paths.libcontainer.join(id)] {
            // What stays goes with the sandbox's folder.
            let _ = fs::remove_dir_all(folder);
        }
        self.hierarchies
            .remove(&format!("{}/{id}", self.config.cgroup))
            .map_err(|error| format!("removing the cgroup: {error}"))
    }

    /// A helper has said what came of its work, or has died.
    pub(super) fn on_helper(&mut self, id: u64) {
        let Some(pending) = self.helpers.remove(&id) else { return };
        let (bytes, terminal) = fdpass::receive(&pending.helper.channel).unwrap_or_default();
        let outcome = serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            Outcome::Failed(Failure::Other(format!("its helper {} died", pending.helper.pid)))
        });
        match pending.work {
            Work::Start { connection, container } => self.started(connection, *container, outcome, terminal),
            Work::Exec { command } => self.command_started(command, outcome, terminal),
        }
        if self.helpers.is_empty() {
            self.exits.clear();
        }
    }

    fn started(
        &mut self,
        connection: u64,
        mut container: Container,
        outcome: Outcome,
        terminal: Option<OwnedFd>,
    ) {
        let (pid, warnings) = match outcome {
            Outcome::Started { pid, warnings } => (pid, warnings),
            Outcome::Failed(failure) => {
                // A failed start is the answer, whatever is left of it; that goes with the sandbox.
                let _ = self.clean_up(&container.state.id);
                return self.fail(connection, failure);
            }
        };
        container.state.pid = pid as u32;
        container.state.started_at = Timestamp::now();
        if let Some(terminal) = terminal {
            container.terminal = terminal.try_clone().ok().map(File::from);
            let input = terminal.try_clone().ok().filter(|_| container.takes_stdin);
            container.stdin = input.and_then(|fd| nonblocking(fd).ok()).map(Stdin::to).unwrap_or_default();
            // A terminal that cannot be set up has no log; the container runs.
            if let Ok(file) = nonblocking(terminal) {
                container.add_output(0, file);
            }
        }
        self.containers.push(container);
        self.touch();
        self.respond(connection, &Response::Done { warnings });
        if let Some(status) = self.exits.remove(&pid) {
            self.on_exit(pid, status);
        } else if self.stopping.is_some() {
            // It came while everything was being killed.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    fn command_started(&mut self, id: u64, outcome: Outcome, terminal: Option<OwnedFd>) {
        let Some(command) = self.commands.get_mut(&id) else { return };
        let connection = command.connection;
        let pid = match outcome {
            Outcome::Started { pid, .. } => pid,
            Outcome::Failed(failure) => {
                self.commands.remove(&id);
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.exec = None;
                }
                return self.fail(connection, failure);
            }
        };
        command.pid = pid;
        if let Some(terminal) = terminal {
            let input = terminal.try_clone().ok().and_then(|fd| nonblocking(fd).ok());
            command.stdin = input.map(Stdin::to).unwrap_or_default();
            command.outputs[0] = nonblocking(terminal).ok();
        }
        let abandoned = command.abandoned;
        self.respond(connection, &Response::Done { warnings: Vec::new() });
        if let Some(status) = self.exits.remove(&pid) {
            self.on_exit(pid, status);
        } else if abandoned {
            kill_session(pid);
        }
    }

    /// A command's process has ended: what it wrote is sent, and its streams are closed, whoever else holds them.
    fn end_command(&mut self, id: u64, code: i32) {
        let Some(command) = self.commands.get_mut(&id) else { return };
        command.ended = Some(code);
        command.stdin.close();
        let mut buffer = [0; 32 << 10];
        for index in 0..command.outputs.len() {
            while let Some(read @ 1..) = command.read(index, &mut buffer) {
                if let Some(connection) = self.connections.get_mut(&command.connection) {
                    let kind = if index == 0 { Kind::Stdout } else { Kind::Stderr };
                    connection.send(kind, &buffer[..read]);
                }
            }
            command.outputs[index] = None;
        }
        self.finish_command(id);
    }

    /// Says how it ended, once it has and everything it wrote is on its way.
    pub(super) fn finish_command(&mut self, id: u64) {
        let Some(command) = self.commands.get(&id) else { return };
        let Some(code) = command.ended else { return };
        let connection = command.connection;
        self.commands.remove(&id);
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.exit(code);
        }
    }
}
