//! What the shim does for each request.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use jiff::Timestamp;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::command::Command;
use super::container::{Container, parse_signal};
use super::frame::{Frame, Kind};
use super::helper::{self, ExecJob, Stdio};
use super::log::CriLog;
use super::protocol::{Envelope, Failure, Request, Response, StartRequest, VERSION};
use super::server::{Pending, Server, Work};
use super::session::kill_session;
use super::stdin::Stdin;
use crate::{ContainerPhase, ContainerState, TerminalSize};

impl Server {
    pub(super) fn on_frame(&mut self, id: u64, frame: &Frame) {
        match frame.kind {
            Kind::Json => match serde_json::from_slice::<Envelope>(&frame.payload) {
                Ok(envelope) if envelope.version <= VERSION => self.on_request(id, envelope.request),
                Ok(envelope) => self.fail(
                    id,
                    Failure::Other(format!("this shim speaks version {VERSION}, not {}", envelope.version)),
                ),
                Err(error) => self.fail(id, Failure::Invalid(format!("a request that is none: {error}"))),
            },
            Kind::Stdin => {
                if let Some(command) = self.command_of(id) {
                    command.stdin.push(&frame.payload);
                } else if let Some(container) = self.fed_by(id) {
                    container.stdin.push(&frame.payload);
                }
            }
            Kind::Stdout | Kind::Stderr => {}
        }
    }

    fn on_request(&mut self, id: u64, request: Request) {
        match request {
            Request::State => {
                let state = self.state();
                self.respond(id, &state);
            }
            Request::Watch => {
                let state = self.state();
                self.respond(id, &state);
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.watching = true;
                }
            }
            Request::Start(request) => {
                if let Err(failure) = self.start(id, *request) {
                    self.fail(id, failure);
                }
            }
            Request::Signal { id: container, signal } => self.signal(id, &container, signal),
            Request::Remove { id: container } => self.remove(id, &container),
            Request::Exec { id: container, command, stdin, tty, size } => {
                let serial = self.next_serial();
                if let Err(failure) = self.exec(id, ExecJob { container, serial, command, tty, size }, stdin)
                {
                    self.fail(id, failure);
                }
            }
            Request::Attach { id: container, stdin } => {
                if let Err(failure) = self.attach(id, &container, stdin) {
                    self.fail(id, failure);
                }
            }
            Request::CloseStdin => match self.command_of(id) {
                Some(command) => command.stdin.end(),
                None => self.end_attached_stdin(id),
            },
            Request::Resize { columns, rows } => self.resize(id, TerminalSize { columns, rows }),
            Request::Shutdown => self.stop(Some(id)),
        }
    }

    pub(super) fn respond(&mut self, id: u64, response: &Response) {
        // Whoever went away does not wait for the answer.
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.respond(response);
        }
    }

    pub(super) fn fail(&mut self, id: u64, failure: Failure) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.fail(failure);
        }
    }

    fn command_of(&mut self, connection: u64) -> Option<&mut Command> {
        let command = self.connections.get(&connection)?.exec?;
        self.commands.get_mut(&command)
    }

    fn start(&mut self, connection: u64, request: StartRequest) -> Result<(), Failure> {
        let id = &request.spec.id;
        let starting = self.helpers.values().any(
            |pending| matches!(&pending.work, Work::Start { container, .. } if container.state.id == *id),
        );
        if starting || self.containers.iter().any(|container| container.state.id == *id) {
            return Err(Failure::Exists);
        }
        if self.stopping.is_some() {
            return Err(Failure::Other("the sandbox is being removed".into()));
        }
        let log = CriLog::open(&request.spec.log_path).map_err(other("opening the log"))?;
        let serial = self.next_serial();
        let state = ContainerState {
            id: id.clone(),
            image: request.spec.image.clone(),
            image_digest: request.image_digest.clone(),
            pid: 0,
            started_at: Timestamp::now(),
            phase: ContainerPhase::Running,
        };
        let mut container = Container::new(serial, state, log);
        container.stop_signal = parse_signal(&request.process.stop_signal);
        (container.takes_stdin, container.stdin_once) = (request.spec.stdin, request.spec.stdin_once);
        let stdio = container_stdio(&request, &mut container).map_err(other("making pipes"))?;
        let config = &self.config;
        let helper =
            helper::spawn(|| helper::start(config, &request, stdio)).map_err(other("making a helper"))?;
        let work = Work::Start { connection, container: Box::new(container) };
        self.helpers.insert(serial, Pending { helper, work });
        Ok(())
    }

    fn signal(&mut self, connection: u64, id: &str, signal: i32) {
        let Ok(signal) = Signal::try_from(signal) else {
            return self.fail(connection, Failure::Invalid(format!("there is no signal {signal}")));
        };
        match self.containers.iter().find(|container| container.state.id == id) {
            None => self.fail(connection, Failure::NoContainer),
            Some(container) => {
                if container.is_running() {
                    let signal = match signal {
                        Signal::SIGTERM => container.stop_signal.unwrap_or(signal),
                        other => other,
                    };
                    // It is this process's child and not reaped, so the id is its own; it may be dead already.
                    let _ = kill(Pid::from_raw(container.state.pid as i32), signal);
                }
                self.respond(connection, &Response::Done { warnings: Vec::new() });
            }
        }
    }

    fn remove(&mut self, connection: u64, id: &str) {
        match self.containers.iter_mut().find(|container| container.state.id == id) {
            None => self.respond(connection, &Response::Done { warnings: Vec::new() }),
            Some(container) => {
                container.removing.push(connection);
                if container.is_running() {
                    // As above. The rest follows when it is reaped.
                    let _ = kill(Pid::from_raw(container.state.pid as i32), Signal::SIGKILL);
                } else {
                    self.finish_removals();
                }
            }
        }
    }

    fn exec(&mut self, connection: u64, job: ExecJob, stdin: bool) -> Result<(), Failure> {
        if self.connections.get(&connection).is_none_or(|it| it.exec.is_some() || it.attached.is_some()) {
            return Err(Failure::Invalid("a connection runs one command".into()));
        }
        let runs = |it: &Container| it.state.id == job.container && it.is_running();
        if !self.containers.iter().any(runs) {
            return Err(Failure::NoContainer);
        }
        let serial = job.serial;
        let mut command = Command::new(connection);
        let stdio = command_stdio(&mut command, stdin, job.tty).map_err(other("making pipes"))?;
        let config = &self.config;
        let helper = helper::spawn(|| helper::exec(config, &job, stdio)).map_err(other("making a helper"))?;
        self.helpers.insert(serial, Pending { helper, work: Work::Exec { command: serial } });
        self.commands.insert(serial, command);
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.exec = Some(serial);
        }
        Ok(())
    }

    /// The terminal behind a connection: its command's, or that of the container that it is attached to.
    fn resize(&mut self, connection: u64, size: TerminalSize) {
        let terminal = match self.command_of(connection) {
            Some(command) => command.outputs[0].as_ref(),
            None => self.attached_to(connection).and_then(|container| container.terminal.as_ref()),
        };
        if let Some(terminal) = terminal {
            helper::set_size(terminal.as_raw_fd(), size);
        }
    }

    /// An agent went away: what it ran goes too, what it started stays.
    pub(super) fn disconnect(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Some(attached) = connection.attached {
            self.detach(id, attached);
        }
        let Some(command) = connection.exec.and_then(|command| self.commands.get_mut(&command)) else {
            return;
        };
        command.abandoned = true;
        if command.pid != 0 {
            kill_session(command.pid);
        }
    }

    /// Ends everything; [`Server::try_stop`] tells when that is done.
    pub(super) fn stop(&mut self, connection: Option<u64>) {
        self.stopping = Some(connection);
        self.hierarchies.kill(&self.config.cgroup);
        for container in self.containers.iter().filter(|container| container.is_running()) {
            // It may be dead already.
            let _ = kill(Pid::from_raw(container.state.pid as i32), Signal::SIGKILL);
        }
    }

    /// True when it is to end and nothing is left to wait for.
    pub(super) fn try_stop(&mut self) -> bool {
        let Some(connection) = self.stopping else { return false };
        if !self.helpers.is_empty() || self.containers.iter().any(Container::is_running) {
            return false;
        }
        if let Some(connection) = connection.and_then(|id| self.connections.get_mut(&id)) {
            connection.respond(&Response::Done { warnings: Vec::new() });
            // Whoever went away does not wait for the answer.
            let _ = connection.stream.set_nonblocking(false);
            connection.flush();
        }
        // The folder, and the socket with it, is the agent's to remove.
        let _ = std::fs::remove_file(self.config.run_dir.join(super::protocol::SOCKET));
        true
    }
}

fn other(context: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Other(format!("{context}: {error}"))
}

/// A pipe closed on exec: the reading end, the writing end.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

pub(super) fn nonblocking(fd: OwnedFd) -> io::Result<File> {
    fcntl(fd.as_raw_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(File::from(fd))
}

fn container_stdio(request: &StartRequest, container: &mut Container) -> io::Result<Stdio> {
    if request.spec.tty {
        return Ok(Stdio { stdin: None, stdout: None, stderr: None });
    }
    let (stdin, held) = stdin_ends(request.spec.stdin)?;
    container.stdin = held.map(nonblocking).transpose()?.map(Stdin::to).unwrap_or_default();
    let mut ends = Vec::new();
    for stream in 0..2 {
        let (read, write) = pipe()?;
        container.add_output(stream, nonblocking(read)?);
        ends.push(write);
    }
    let stderr = ends.pop();
    Ok(Stdio { stdin: Some(stdin), stdout: ends.pop(), stderr })
}

fn command_stdio(command: &mut Command, stdin: bool, tty: bool) -> io::Result<Stdio> {
    if tty {
        return Ok(Stdio { stdin: None, stdout: None, stderr: None });
    }
    let (near, held) = stdin_ends(stdin)?;
    command.stdin = held.map(nonblocking).transpose()?.map(Stdin::to).unwrap_or_default();
    let (stdout, out) = pipe()?;
    let (stderr, err) = pipe()?;
    command.outputs = [Some(nonblocking(stdout)?), Some(nonblocking(stderr)?)];
    Ok(Stdio { stdin: Some(near), stdout: Some(out), stderr: Some(err) })
}

/// The process's stdin, and the end to write to where it is connected.
fn stdin_ends(connected: bool) -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    if !connected {
        return Ok((File::open("/dev/null")?.into(), None));
    }
    let (read, write) = pipe()?;
    Ok((read, Some(write)))
}
