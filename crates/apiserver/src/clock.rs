//! Time and ids, injected so that tests fix them. The system's own are the only
//! readers of the wall clock and of randomness in this crate.

use jiff::Timestamp;
use rand::Rng;
pub use xebec_api::time::{rfc3339, rfc3339_micro};

/// Where the present comes from.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Where ids come from.
pub trait Ids: Send + Sync + 'static {
    /// A fresh UUID, in text.
    fn uid(&self) -> String;
    /// A number without a pattern, for name suffixes and address choice.
    fn random(&self) -> u64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The machine's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    #[allow(clippy::disallowed_methods)]
    fn uid(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }

    #[allow(clippy::disallowed_methods)]
    fn random(&self) -> u64 {
        rand::rng().random()
    }
}

/// Kubernetes' alphabet for generated names: no vowels and no look-alikes.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Five characters for `generateName`.
#[must_use]
pub fn suffix(mut random: u64) -> String {
    (0..5)
        .map(|_| {
            let character = ALPHABET[usize::try_from(random % 27).expect("below 27")];
            random /= 27;
            char::from(character)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_have_five_characters() {
        assert_eq!(suffix(0), "bbbbb");
        assert_eq!(suffix(27 + 5), "hcbbb");
        assert_eq!(suffix(u64::MAX).len(), 5);
    }
}
