//! A command run in a container: its streams, on the way between its connection and its process.

use std::fs::File;
use std::io::{self, Read};

use super::stdin::Stdin;

pub(super) struct Command {
    pub(super) connection: u64,
    /// 0 until it runs, and again once it has ended.
    pub(super) pid: i32,
    pub(super) stdin: Stdin,
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
            stdin: Stdin::default(),
            outputs: [None, None],
            ended: None,
            abandoned: false,
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
