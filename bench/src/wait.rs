//! Waiting for what was started.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const PATIENCE: Duration = Duration::from_secs(10);

/// Looks again and again until it is so.
///
/// # Errors
/// With the last reason, when it takes too long.
pub(crate) fn eventually(what: &str, mut look: impl FnMut() -> Result<()>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => bail!("{what}: {error:#}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
