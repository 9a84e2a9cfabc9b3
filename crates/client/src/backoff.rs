//! Waits that double, up to a limit. Without jitter: a client asks one master at a time,
//! and masters shed load by themselves.

use std::time::Duration;

/// The waits between tries: the first is short, each next one twice as long.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    limit: Duration,
    next: Duration,
}

impl Backoff {
    /// From `first`, doubling, never longer than `limit`.
    #[must_use]
    pub fn new(first: Duration, limit: Duration) -> Self {
        Self { first, limit, next: first }
    }

    /// The wait that is due now.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.next.min(self.limit);
        self.next = wait.saturating_mul(2);
        wait
    }

    /// Something worked: the next wait is the first one again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(300));
        let mut waits: Vec<_> = (0..5).map(|_| backoff.next_wait().as_millis()).collect();
        backoff.reset();
        waits.push(backoff.next_wait().as_millis());
        assert_eq!(waits, [50, 100, 200, 300, 300, 50]);
    }
}
