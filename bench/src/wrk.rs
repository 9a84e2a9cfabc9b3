//! wrk as a load generator, and what it says.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// What wrk saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Http {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Half of the answers came within so many microseconds.
    pub(crate) p50_us: f64,
    /// And all but one in a hundred within so many.
    pub(crate) p99_us: f64,
    /// Requests that were answered.
    pub(crate) requests: f64,
}

/// Requests for a URL over so many connections; with `close`, each on one of its own. The
/// command runs wrk wherever that is to be.
///
/// # Errors
/// When wrk fails, or any request, or any kept connection.
pub(crate) fn wrk(
    mut command: Command,
    url: &str,
    connections: u32,
    close: bool,
    seconds: u64,
) -> Result<Http> {
    let threads = connections.min(2);
    command.args(["--latency", "-t", &threads.to_string(), "-c", &connections.to_string()]);
    command.args(["-d", &format!("{seconds}s")]);
    if close {
        command.args(["-H", "Connection: close"]);
    }
    let output = command.arg(url).output().context("wrk (package wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let broken = text.contains("Non-2xx") || (!close && text.contains("Socket errors"));
    ensure!(output.status.success() && !broken, "wrk {url}: {text}");
    let value = |label: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
        line.map(|rest| rest.trim().to_owned()).with_context(|| format!("{label} in {text}"))
    };
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in "));
    Ok(Http {
        rate: value("Requests/sec:")?.parse()?,
        p50_us: microseconds(&value("50%")?)?,
        p99_us: microseconds(&value("99%")?)?,
        requests: requests.with_context(|| format!("requests in {text}"))?.0.parse()?,
    })
}

/// wrk's `45.00us`, `1.20ms` or `2.00s`.
fn microseconds(text: &str) -> Result<f64> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let factor = match &text[digits.len()..] {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        unit => bail!("{unit} is no unit of time"),
    };
    Ok(digits.parse::<f64>()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_wrk_are_read() {
        let read = |text| microseconds(text).expect("a time");
        assert_eq!((read("45.50us"), read("1.20ms"), read("2s")), (45.5, 1200.0, 2e6));
        assert!(microseconds("7 days").is_err());
    }
}
