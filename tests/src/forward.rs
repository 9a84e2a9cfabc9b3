//! A port-forward as a user has one open beside their work: `xctl` or `kubectl`, in a
//! process of its own. Dropping it ends it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// A program that forwards, and the port of ours that it chose.
pub struct Forward {
    child: Child,
    port: u16,
}

impl Forward {
    /// Runs a command that ends in `:REMOTE`, and waits until it listens.
    ///
    /// # Errors
    /// It ends before.
    pub fn open(mut command: Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().context("it starts")?;
        let stdout = child.stdout.take().context("its stdout is ours")?;
        let mut forward = Self { child, port: 0 };
        // It goes on to write a line a connection, which a pipe has room for.
        let mut line = String::new();
        let mut reader = BufReader::new(stdout);
        reader.read_line(&mut line)?;
        // `Forwarding from 127.0.0.1:40000 -> 80`
        let port = line.split(" -> ").next().and_then(|from| from.rsplit(':').next());
        let port = port.and_then(|port| port.parse().ok());
        forward.port = port.with_context(|| format!("it does not forward: {line:?}"))?;
        forward.child.stdout = Some(reader.into_inner());
        Ok(forward)
    }

    /// Our end.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
