//! Time and random names, injected so that tests choose them.

use jiff::Timestamp;

/// Where time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Now, to the second or finer.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock for the API")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Where uids and random suffixes come from.
pub trait Ids: Send + Sync + 'static {
    /// A fresh uid.
    fn uid(&self) -> String;
    /// Five characters for `generateName`, without vowels, as Kubernetes draws them.
    fn suffix(&self) -> String;
}

/// Random ones.
pub struct RandomIds;

/// Kubernetes' alphabet for generated names: no vowels, no look-alikes.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

impl Ids for RandomIds {
    fn uid(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }

    fn suffix(&self) -> String {
        let letters = (0..5).map(|_| ALPHABET[rand::random_range(0..ALPHABET.len())]);
        letters.map(char::from).collect()
    }
}

/// RFC 3339 in whole seconds, as Kubernetes writes times.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// RFC 3339 with microseconds, as Kubernetes writes MicroTime.
#[must_use]
pub fn rfc3339_micros(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
