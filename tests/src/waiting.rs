//! Waiting for a condition with a bound, instead of sleeping for a guess.

use std::thread;
use std::time::{Duration, Instant};

/// Polls until `probe` gives a value.
///
/// # Panics
/// When `within` has passed, with the last reason that `probe` gave.
pub fn eventually<T>(what: &str, within: Duration, mut probe: impl FnMut() -> anyhow::Result<T>) -> T {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(error) if start.elapsed() > within => {
                panic!("gave up after {within:?} waiting for {what}: {error:#}")
            }
            Err(_) => thread::park_timeout(Duration::from_millis(50)),
        }
    }
}
