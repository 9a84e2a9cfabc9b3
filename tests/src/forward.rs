//! A port-forward as a user has one open beside their work: `xctl` or `kubectl`, in a
//! process of its own. Dropping it ends it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};

/// A program that forwards, and the port of ours that it chose first.
pub struct Forward {
    child: Child,
    stdout: BufReader<ChildStdout>,
    port: u16,
}

impl Forward {
    /// Runs a command that ends in `:REMOTE`, and waits until it listens.
    ///
    /// # Errors
    /// It ends before.
    pub fn open(mut command: Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().context("it starts")?;
        // It goes on to write a line a connection, which a pipe has room for.
        let stdout = BufReader::new(child.stdout.take().context("its stdout is ours")?);
        let mut forward = Self { child, stdout, port: 0 };
        forward.port = forward.next_port()?;
        Ok(forward)
    }

    /// Our end.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Our end of the next `:REMOTE`, where the command has several.
    ///
    /// # Errors
    /// It forwards nothing more.
    pub fn next_port(&mut self) -> Result<u16> {
        loop {
            let mut line = String::new();
            self.stdout.read_line(&mut line)?;
            // `Forwarding from 127.0.0.1:40000 -> 80`, and kubectl says the same of [::1].
            if line.contains("[::1]") {
                continue;
            }
            let port = line.split(" -> ").next().and_then(|from| from.rsplit(':').next());
            let port = port.and_then(|port| port.parse().ok());
            return port.with_context(|| format!("it does not forward: {line:?}"));
        }
    }

    /// Waits until it ends by itself: what it says on stderr, where that is a pipe, and whether all was well.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn ends(&mut self) -> Result<(String, bool)> {
        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut said)?;
        }
        Ok((said, self.child.wait()?.success()))
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
