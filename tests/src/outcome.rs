//! What becomes of a program that is expected to refuse: it ends by itself, in time.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use crate::waiting::eventually;

/// What a refusal may take: longer than a joiner looks for a master that answers.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a program wrote to stderr, which ended by itself and not well.
///
/// # Panics
/// When it goes on running, or ends well.
#[must_use]
pub fn refusal(command: &mut Command) -> String {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = Ended(child.expect("the program starts"));
    let status =
        eventually("the program's end", PATIENCE, || child.0.try_wait()?.context("it goes on running"));
    let mut told = String::new();
    let mut stderr = child.0.stderr.take().expect("piped");
    std::io::Read::read_to_string(&mut stderr, &mut told).expect("text");
    assert!(!status.success(), "it must fail, but said: {told}");
    told
}

/// Not left running, whatever becomes of the test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
