//! Which endpoint a request goes to: one drawn at random, then the next ones in turn. Those
//! that did not take a connection lately come last.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

/// An endpoint that did not answer is tried last for so long.
const SUSPECT: Duration = Duration::from_secs(5);
/// More are not remembered.
const MOST_SUSPECTS: usize = 1024;

/// Endpoints that did not take a connection lately.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    until: RwLock<HashMap<SocketAddr, Instant>>,
    /// How many there are: mostly none, and then nothing is locked.
    count: AtomicUsize,
}

impl Suspects {
    /// A connect failed.
    pub(crate) fn add(&self, endpoint: SocketAddr, now: Instant) {
        let mut until = self.until.write().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, until| *until > now);
        if until.len() < MOST_SUSPECTS {
            until.insert(endpoint, now + SUSPECT);
        }
        self.count.store(until.len(), Ordering::Relaxed);
    }

    fn contains(&self, endpoint: &SocketAddr, now: Instant) -> bool {
        let until = self.until.read().unwrap_or_else(PoisonError::into_inner);
        until.get(endpoint).is_some_and(|until| *until > now)
    }

    /// The endpoint for the try with this number, 0 the first; `drawn` is the same for all
    /// tries of a request. `None` when there are no endpoints.
    pub(crate) fn choose(
        &self,
        endpoints: &[SocketAddr],
        drawn: usize,
        tries: usize,
        now: Instant,
    ) -> Option<SocketAddr> {
        let turn = |step: usize| endpoints[drawn.wrapping_add(step) % endpoints.len()];
        if endpoints.is_empty() {
            return None;
        }
        if self.count.load(Ordering::Relaxed) == 0 {
            return Some(turn(tries));
        }
        // A try that failed made its endpoint a suspect: the first good one is a new one.
        let good = (0..endpoints.len()).map(turn).find(|endpoint| !self.contains(endpoint, now));
        Some(good.unwrap_or_else(|| turn(tries)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Vec<SocketAddr> {
        [1, 2, 3].map(|last| SocketAddr::from(([10, 42, 0, last], 80))).to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn suspects_come_last_until_they_are_forgiven() {
        let (suspects, all) = (Suspects::default(), endpoints());
        let choose = |drawn, tries| suspects.choose(&all, drawn, tries, Instant::now());
        assert_eq!([choose(0, 0), choose(1, 0), choose(5, 1)], [Some(all[0]), Some(all[1]), Some(all[0])]);
        suspects.add(all[1], Instant::now());
        assert_eq!([choose(1, 0), choose(0, 0)], [Some(all[2]), Some(all[0])]);
        suspects.add(all[0], Instant::now());
        suspects.add(all[2], Instant::now());
        let tried: Vec<_> = (0..3).map(|tries| choose(1, tries)).collect();
        assert_eq!(tried, [Some(all[1]), Some(all[2]), Some(all[0])], "when all are, each is tried");
        tokio::time::advance(SUSPECT).await;
        assert_eq!(choose(1, 0), Some(all[1]));
        assert_eq!(suspects.choose(&[], 1, 0, Instant::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let suspects = Suspects::default();
        for port in 1..=u16::try_from(2 * MOST_SUSPECTS).expect("it fits") {
            suspects.add(SocketAddr::from(([10, 42, 0, 1], port)), Instant::now());
        }
        assert_eq!(suspects.count.load(Ordering::Relaxed), MOST_SUSPECTS);
    }
}
