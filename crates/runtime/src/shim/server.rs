//! The shim's loop: wait for whatever is ready, move it on, never block.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::WaitStatus;

use super::command::Command;
use super::connection::Connection;
use super::container::Container;
use super::frame::Kind;
use super::helper::Helper;
use super::protocol::{Response, STATE, ShimConfig};
use super::write_whole;
use crate::cgroup::Hierarchies;

/// How many agents may be connected at once.
const CONNECTIONS: usize = 256;
/// Between two looks at whoever holds a container up.
const LOOK_EVERY_MS: u16 = 1000;
/// After so long without anything to do nothing more is expected.
const QUIET_MS: u16 = 10_000;

pub(super) struct Server {
    pub(super) config: ShimConfig,
    pub(super) hierarchies: Hierarchies,
    listener: UnixListener,
    signals: SignalFd,
    serial: u64,
    pub(super) connections: BTreeMap<u64, Connection>,
    /// In the order of their starts.
    pub(super) containers: Vec<Container>,
    pub(super) helpers: BTreeMap<u64, Pending>,
    pub(super) commands: BTreeMap<u64, Command>,
    /// Ends of processes that no helper has named yet; kept only while one works.
    pub(super) exits: HashMap<i32, WaitStatus>,
    /// It is to end; the connection that asked, where one did.
    pub(super) stopping: Option<Option<u64>>,
    /// Counts the changes of the containers.
    revision: u64,
    /// They changed since they were last told.
    changed: bool,
    /// What is done once nothing was for a while.
    when_quiet: fn(),
    /// It was done, and nothing since.
    is_settled: bool,
}

/// A helper and what it does.
pub(super) struct Pending {
    pub(super) helper: Helper,
    pub(super) work: Work,
}

pub(super) enum Work {
    Start { connection: u64, container: Box<Container> },
    Exec { command: u64 },
}

/// What can be ready.
#[derive(Debug, Clone, Copy)]
enum Token {
    Listener,
    Signal,
    Connection(u64),
    Output(u64, usize),
    Helper(u64),
    CommandOutput(u64, usize),
    CommandStdin(u64),
    ContainerStdin(u64),
}

impl Server {
    pub(super) fn new(config: ShimConfig, listener: UnixListener, when_quiet: fn()) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        mask.add(Signal::SIGTERM);
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&mask), None)?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Server {
            config,
            hierarchies: Hierarchies::detect(),
            listener,
            signals,
            serial: 0,
            connections: BTreeMap::new(),
            containers: Vec::new(),
            helpers: BTreeMap::new(),
            commands: BTreeMap::new(),
            exits: HashMap::new(),
            stopping: None,
            revision: 0,
            changed: true,
            when_quiet,
            is_settled: false,
        })
    }

    /// Serves until it is shut down.
    pub(super) fn run(mut self) -> io::Result<()> {
        loop {
            self.publish();
            self.flush_connections();
            if self.try_stop() {
                return Ok(());
            }
            for token in self.wait()? {
                self.handle(token);
            }
            self.let_go_of_stalled();
        }
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The containers changed: everyone who watches is told, before anything else is waited for.
    pub(super) fn touch(&mut self) {
        self.revision += 1;
        self.changed = true;
    }

    pub(super) fn state(&self) -> Response {
        let containers = self.containers.iter().map(|container| container.state.clone()).collect();
        Response::State { revision: self.revision, containers }
    }

    /// Everything to wait for, and what for.
    fn interests(&self) -> Vec<(Token, BorrowedFd<'_>, PollFlags)> {
        let (read, write) = (PollFlags::POLLIN, PollFlags::POLLOUT);
        let mut all = vec![(Token::Signal, self.signals.as_fd(), read)];
        if self.connections.len() < CONNECTIONS {
            all.push((Token::Listener, self.listener.as_fd(), read));
        }
        for (id, connection) in &self.connections {
            let mut flags = PollFlags::empty();
            if !self.feeds_what_is_full(connection) {
                flags |= read;
            }
            if connection.pending() > 0 {
                flags |= write;
            }
            all.push((Token::Connection(*id), connection.stream.as_fd(), flags));
        }
        for container in &self.containers {
            let serial = container.serial;
            if !self.is_held_up(container) {
                all.extend(container.outputs().map(|(stream, fd)| (Token::Output(serial, stream), fd, read)));
            }
            all.extend(container.stdin.waiting().map(|fd| (Token::ContainerStdin(serial), fd, write)));
        }
        all.extend(self.helpers.iter().map(|(id, it)| (Token::Helper(*id), it.helper.channel.as_fd(), read)));
        for (id, command) in &self.commands {
            let full = self.connections.get(&command.connection).is_some_and(Connection::is_full);
            for (index, output) in command.outputs.iter().enumerate().filter(|_| !full && command.pid != 0) {
                all.extend(
                    output.as_ref().map(|file| (Token::CommandOutput(*id, index), file.as_fd(), read)),
                );
            }
            all.extend(command.stdin.waiting().map(|fd| (Token::CommandStdin(*id), fd, write)));
        }
        all
    }

    /// What a connection sends is for a process that does not take it at present.
    fn feeds_what_is_full(&self, connection: &Connection) -> bool {
        let command = connection.exec.and_then(|command| self.commands.get(&command));
        let container = connection.attached.filter(|attached| attached.stdin);
        let container = container.and_then(|it| self.containers.iter().find(|at| at.serial == it.serial));
        command.is_some_and(|it| it.stdin.is_full()) || container.is_some_and(|it| it.stdin.is_full())
    }

    /// Waits until something is ready. Once nothing was for a while, what only the busy time
    /// before it needed is given back: most shims then wait for weeks.
    fn wait(&mut self) -> io::Result<Vec<Token>> {
        let held_up = self.containers.iter().any(|container| self.is_held_up(container));
        let timeout = match (held_up, self.is_settled) {
            (true, _) => PollTimeout::from(LOOK_EVERY_MS),
            (false, false) => PollTimeout::from(QUIET_MS),
            (false, true) => PollTimeout::NONE,
        };
        let ready = self.wait_for(timeout)?;
        let is_quiet = ready.is_empty() && !held_up;
        if is_quiet && !self.is_settled {
            (self.when_quiet)();
        }
        self.is_settled = is_quiet;
        Ok(ready)
    }

    fn wait_for(&self, timeout: PollTimeout) -> io::Result<Vec<Token>> {
        let interests = self.interests();
        let mut fds: Vec<PollFd<'_>> =
            interests.iter().map(|(_, fd, flags)| PollFd::new(*fd, *flags)).collect();
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|found| !found.is_empty());
        Ok(interests.iter().zip(&fds).filter(|(_, fd)| ready(fd)).map(|((token, ..), _)| *token).collect())
    }

    fn handle(&mut self, token: Token) {
        match token {
            Token::Listener => self.accept(),
            Token::Signal => self.on_signal(),
            Token::Connection(id) => self.on_connection(id),
            Token::Output(serial, stream) => {
                self.pump(serial, stream);
            }
            Token::Helper(id) => self.on_helper(id),
            Token::CommandOutput(id, index) => self.move_output(id, index),
            Token::CommandStdin(id) => {
                if let Some(command) = self.commands.get_mut(&id) {
                    command.stdin.flush();
                }
            }
            Token::ContainerStdin(serial) => {
                if let Some(container) = self.containers.iter_mut().find(|it| it.serial == serial) {
                    container.stdin.flush();
                }
            }
        }
    }

    fn accept(&mut self) {
        // One that is gone again is no loss.
        if let Ok((stream, _)) = self.listener.accept()
            && let Ok(connection) = Connection::new(stream)
        {
            let id = self.next_serial();
            self.connections.insert(id, connection);
        }
    }

    fn on_signal(&mut self) {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            if signal.ssi_signo == Signal::SIGTERM as u32 {
                self.stop(None);
            }
        }
        self.reap();
    }

    fn on_connection(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut open = connection.fill();
        loop {
            let Some(connection) = self.connections.get_mut(&id) else { return };
            match connection.next_frame() {
                Ok(Some(frame)) => self.on_frame(id, &frame),
                Ok(None) => break,
                Err(_) => {
                    open = false;
                    break;
                }
            }
        }
        if !open {
            self.disconnect(id);
        }
    }

    /// Moves what a command wrote to its connection.
    fn move_output(&mut self, id: u64, index: usize) {
        let Some(command) = self.commands.get_mut(&id) else { return };
        let mut buffer = [0; 32 << 10];
        if let Some(read @ 1..) = command.read(index, &mut buffer)
            && let Some(connection) = self.connections.get_mut(&command.connection)
        {
            let kind = if index == 0 { Kind::Stdout } else { Kind::Stderr };
            connection.send(kind, &buffer[..read]);
        }
        self.finish_command(id);
    }

    /// Tells of a change, and keeps it where it survives this process.
    fn publish(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let response = self.state();
        let bytes = serde_json::to_vec(&response).expect("a state has only string keys");
        // A full disk must not stop the pod; the agent asks over the socket first.
        let _ = write_whole(&self.config.run_dir.join(STATE), &bytes);
        // Who does not read any more is let go; it may come again.
        let stuck = |connection: &Connection| connection.watching && connection.is_full();
        self.connections.retain(|_, connection| !stuck(connection));
        for connection in self.connections.values_mut().filter(|connection| connection.watching) {
            connection.respond(&response);
        }
    }

    fn flush_connections(&mut self) {
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        for id in ids {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            let open = connection.flush();
            if !open || (connection.closing && connection.pending() == 0) {
                self.disconnect(id);
            }
        }
    }
}
