//! Stands in for the crate of this name, as far as openraft uses it: for the sizes of its
//! batches, at powers of two. The crate itself fills tables for all of its 16 resolutions
//! when it is first used, of which one is needed: 26 MiB, half of what an idle master
//! holds. Take the patch out once the crate fills only what it uses.

use std::fmt;
use std::marker::PhantomData;

/// One bucket for zero and one for each power of two.
const BUCKETS: usize = 65;

/// How often values of each size came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: [u64; BUCKETS],
    slots: PhantomData<T>,
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], slots: PhantomData }
    }
}

impl<T> Histogram<T> {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value several times.
    pub fn record_n(&mut self, value: u64, times: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        self.counts[bucket] = self.counts[bucket].saturating_add(times);
    }

    /// How many values were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The usual percentiles, each as the least value of its bucket.
    #[must_use]
    pub fn percentile_stats(&self) -> PercentileStats {
        let samples = self.total();
        let at = |per_mille: u128| {
            let rank = (u128::from(samples) * per_mille).div_ceil(1000).max(1);
            let mut seen = 0;
            let reached = self.counts.iter().position(|count| {
                seen += u128::from(*count);
                seen >= rank
            });
            reached.map_or(0, |bucket| if bucket == 0 { 0 } else { 1 << (bucket - 1) })
        };
        PercentileStats {
            samples,
            p0_1: at(1),
            p1: at(10),
            p5: at(50),
            p10: at(100),
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p99_9: at(999),
        }
    }
}

/// What [`Histogram::percentile_stats`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the percentile of its name")]
pub struct PercentileStats {
    /// How many values were counted.
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

/// Several histograms, a line each.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart(Vec<(String, PercentileStats)>);

impl AsciiChart {
    /// One without lines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one line more.
    #[must_use]
    pub fn add(mut self, name: &str, histogram: Histogram) -> Self {
        self.0.push((name.to_owned(), histogram.percentile_stats()));
        self
    }
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples, p50 {}, p99 {}", self.samples, self.p50, self.p99)
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, stats) in &self.0 {
            writeln!(f, "{name}: {stats}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_least_values_of_their_buckets() {
        let mut sizes = Histogram::<()>::new();
        sizes.record_n(1, 50);
        sizes.record_n(70, 49);
        sizes.record(u64::MAX);
        let stats = sizes.percentile_stats();
        assert_eq!((stats.samples, stats.p50, stats.p90, stats.p99), (100, 1, 64, 64));
        assert_eq!(stats.p99_9, 1 << 63);
        assert_eq!(Histogram::<()>::new().percentile_stats().p50, 0);
    }
}
