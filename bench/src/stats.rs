//! Medians and percentiles of a handful of values.

use std::time::Duration;

/// The value below which `percent` of the values lie; they are sorted on the way.
///
/// # Panics
/// On no values at all.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    assert!(!values.is_empty(), "something was measured");
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

/// The value in the middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 50)
}

/// Milliseconds with their fraction.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
