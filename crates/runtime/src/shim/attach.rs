//! Joining the streams of a container that runs: its output goes to the log and to everyone attached.
//!
//! Whoever is attached and reads too slowly slows the container down, as a terminal does; who does not read at all is
//! let go after a while, so that no client stops a container. The log has everything in any case.

use super::connection::{Attached, Connection};
use super::container::Container;
use super::frame::Kind;
use super::protocol::{Failure, Response};
use super::server::Server;

/// How often an ended container's stream is read, at most: what somebody else writes on into it does not keep us.
const LAST_READS: usize = 64;

impl Server {
    pub(super) fn attach(&mut self, connection: u64, id: &str, stdin: bool) -> Result<(), Failure> {
        let Some(it) = self.connections.get_mut(&connection) else { return Ok(()) };
        if it.exec.is_some() || it.attached.is_some() {
            return Err(Failure::Invalid("a connection attaches once".into()));
        }
        let mut running = self.containers.iter_mut().filter(|container| container.is_running());
        let container = running.find(|container| container.state.id == id).ok_or(Failure::NoContainer)?;
        container.attached.push(connection);
        it.attached = Some(Attached { serial: container.serial, stdin: stdin && container.takes_stdin });
        it.respond(&Response::Done { warnings: Vec::new() });
        Ok(())
    }

    /// The container that a connection is attached to.
    pub(super) fn attached_to(&mut self, connection: u64) -> Option<&mut Container> {
        let serial = self.connections.get(&connection)?.attached?.serial;
        self.containers.iter_mut().find(|container| container.serial == serial)
    }

    /// As above, where the connection may write to it.
    pub(super) fn fed_by(&mut self, connection: u64) -> Option<&mut Container> {
        let attached = self.connections.get(&connection)?.attached?;
        self.attached_to(connection).filter(|_| attached.stdin)
    }

    /// Whoever is attached has no more stdin. Where others may come after it, it has left; else it waits for the rest of
    /// the output.
    pub(super) fn end_attached_stdin(&mut self, connection: u64) {
        let Some(container) = self.fed_by(connection) else { return };
        if !container.stdin_once {
            container.attached.retain(|id| *id != connection);
            if let Some(it) = self.connections.get_mut(&connection) {
                (it.attached, it.closing) = (None, true);
            }
        } else if container.terminal.is_none() {
            container.stdin.end();
        }
    }

    /// Whoever was attached is gone.
    pub(super) fn detach(&mut self, connection: u64, attached: Attached) {
        let Some(container) = self.containers.iter_mut().find(|it| it.serial == attached.serial) else {
            return;
        };
        container.attached.retain(|id| *id != connection);
        if attached.stdin && container.stdin_once && container.terminal.is_none() {
            container.stdin.end();
        }
    }

    /// Moves what a container wrote to its log and to everyone attached; how much that was.
    pub(super) fn pump(&mut self, serial: u64, stream: usize) -> usize {
        let Some(container) = self.containers.iter_mut().find(|it| it.serial == serial) else { return 0 };
        let mut buffer = [0; 64 << 10];
        let read = container.pump(stream, &mut buffer);
        let kind = if stream == 0 { Kind::Stdout } else { Kind::Stderr };
        for id in container.attached.iter().filter(|_| read > 0) {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.send(kind, &buffer[..read]);
            }
        }
        read
    }

    /// A container has ended: what its streams still hold, and how it ended, goes to everyone attached.
    pub(super) fn end_streams(&mut self, index: usize, code: i32) {
        let serial = self.containers[index].serial;
        for stream in 0..2 {
            for _ in 0..LAST_READS {
                if self.pump(serial, stream) == 0 {
                    break;
                }
            }
        }
        for id in std::mem::take(&mut self.containers[index].attached) {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.exit(code);
            }
        }
    }

    /// Someone attached to this container must take something before more is read from it.
    pub(super) fn is_held_up(&self, container: &Container) -> bool {
        container.attached.iter().any(|id| self.connections.get(id).is_some_and(Connection::is_full))
    }

    /// Lets go of those attached who hold their container up and do not read.
    pub(super) fn let_go_of_stalled(&mut self) {
        let stalled = |it: &Connection| it.attached.is_some() && it.is_stalled();
        let ids: Vec<u64> =
            self.connections.iter().filter(|(_, it)| stalled(it)).map(|(id, _)| *id).collect();
        for id in ids {
            self.disconnect(id);
        }
    }
}
