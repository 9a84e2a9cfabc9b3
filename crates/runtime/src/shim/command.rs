//! A command run in a container: its streams, on the way between its connection and its process.

use std::fs::File;
use std::io::{self, Read, Write};

/// Above this, a command that does not read its stdin is no longer sent any.
pub(super) const STDIN_BYTES: usize = 1 << 20;

pub(super) struct Command {
    pub(super) connection: u64,
    /// 0 until it runs, and again once it has ended.
    pub(super) pid: i32,
    pub(super) stdin: Option<File>,
    stdin_buffer: Vec<u8>,
    close_stdin: bool,
    /// stdout and stderr; with a terminal only the first.
    pub(super) outputs: [Option<File>; 2],
    pub(super) ended: Option<i32>,
    /// Its connection went away before it ran.
    pub(super) abandoned: bool,
}

impl Command {
    pub(super) fn new(connection: u64) -> Command {
        Command {
            connection,
            pid: 0,
            stdin: None,
            stdin_buffer: Vec::new(),
            close_stdin: false,
            outputs: [None, None],
            ended: None,
            abandoned: false,
        }
    }

    pub(super) fn push_stdin(&mut self, bytes: &[u8]) {
        if self.stdin.is_some() {
            self.stdin_buffer.extend_from_slice(bytes);
        }
        self.flush_stdin();
    }

    pub(super) fn close_stdin(&mut self) {
        self.close_stdin = true;
        self.flush_stdin();
    }

    pub(super) fn stdin_pending(&self) -> usize {
        self.stdin_buffer.len()
    }

    /// Writes what the command takes; closes its stdin once all is written and no more comes.
    pub(super) fn flush_stdin(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        while !self.stdin_buffer.is_empty() {
            match stdin.write(&self.stdin_buffer) {
                Ok(written) => {
                    self.stdin_buffer.drain(..written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.stdin_buffer.clear();
                    self.close_stdin = true;
                }
            }
        }
        if self.close_stdin {
            self.stdin = None;
        }
    }

    /// Reads what an output has: nothing for now, or its end (`Some` of nothing), or bytes.
    pub(super) fn read(&mut self, index: usize, buffer: &mut [u8]) -> Option<usize> {
        let file = self.outputs[index].as_mut()?;
        match file.read(buffer) {
            Ok(0) => self.outputs[index] = None,
            Ok(read) => return Some(read),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return None;
            }
            // A terminal says so when its last user is gone.
            Err(_) => self.outputs[index] = None,
        }
        Some(0)
    }
}
