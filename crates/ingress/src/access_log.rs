//! One line a request on stdout. Lines are gathered and written a few times a second by one
//! task, so that a request costs no system call for its line; when nobody takes them, they
//! are lost and counted, and no request waits.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// So long lines are gathered.
const GATHER: Duration = Duration::from_millis(100);
/// More than this never waits.
const MOST_BYTES: usize = 4 << 20;
/// Of a host or a path, so many bytes are shown.
const LONGEST_PART: usize = 1024;

/// The first half of a line: who asked for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) client: &'a str,
    pub(crate) method: &'a str,
    pub(crate) scheme: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) version: &'a str,
}

/// A request as it runs. Its line is written when this is dropped: at the end of its answer,
/// or when the client went away.
pub(crate) struct Record {
    log: Arc<AccessLog>,
    line: String,
    started: Instant,
    status: u16,
    bytes: usize,
    endpoint: Option<SocketAddr>,
    why: &'static str,
}

/// What is logged for a client that went away before it was answered.
const CLIENT_LEFT: u16 = 499;

impl Record {
    pub(crate) fn new(log: &Arc<AccessLog>, asked: &Asked<'_>) -> Self {
        let mut line = String::with_capacity(160);
        write_asked(&mut line, asked);
        let (log, started) = (Arc::clone(log), Instant::now());
        Self { log, line, started, status: CLIENT_LEFT, bytes: 0, endpoint: None, why: "" }
    }

    pub(crate) fn set_status(&mut self, status: u16) {
        self.status = status;
    }

    pub(crate) fn set_endpoint(&mut self, endpoint: SocketAddr) {
        self.endpoint = Some(endpoint);
    }

    /// Why it was not answered as it should be.
    pub(crate) fn set_why(&mut self, why: &'static str) {
        self.why = why;
    }

    pub(crate) fn add_bytes(&mut self, bytes: usize) {
        self.bytes += bytes;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let line = &mut self.line;
        // Whole numbers: those of a float take longer than all else in the line. Writing to a
        // String cannot fail.
        let _ =
            write!(line, " {} {} {}.{:06}", self.status, self.bytes, took.as_secs(), took.subsec_micros());
        let _ = match self.endpoint {
            Some(endpoint) => write!(line, " {endpoint}"),
            None => write!(line, " -"),
        };
        if !self.why.is_empty() {
            line.extend([" ", self.why]);
        }
        line.push('\n');
        self.log.add(line);
    }
}

/// The lines that wait.
#[derive(Debug, Default)]
pub(crate) struct AccessLog {
    lines: Mutex<Lines>,
    some: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    text: String,
    lost: u64,
}

impl AccessLog {
    fn add(&self, line: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.text.len() > MOST_BYTES {
            lines.lost += 1;
            return;
        }
        let first = lines.text.is_empty();
        lines.text.push_str(line);
        drop(lines);
        if first {
            self.some.notify_one();
        }
    }

    /// Writes lines until `stop`, and then what is left.
    pub(crate) async fn run(&self, mut out: impl AsyncWrite + Unpin, stop: CancellationToken) {
        let wait = async || {
            self.some.notified().await;
            tokio::time::sleep(GATHER).await;
        };
        loop {
            let more = stop.run_until_cancelled(wait()).await.is_some();
            let Lines { text, lost } =
                std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
            if lost > 0 {
                tracing::warn!(lost, "lines of the access log were lost: nobody took them");
            }
            let written = async {
                out.write_all(text.as_bytes()).await?;
                out.flush().await
            };
            if let Err(error) = written.await {
                tracing::warn!(%error, "the access log cannot be written");
            }
            if !more {
                return;
            }
        }
    }
}

fn write_asked(line: &mut String, asked: &Asked<'_>) {
    let Asked { client, method, scheme, host, path, version } = *asked;
    line.extend([client, " \"", method, " ", scheme, "://"]);
    write_part(line, host);
    write_part(line, path);
    line.extend([" ", version, "\""]);
}

/// A part that a client chose: it cannot end the line or the quotes.
fn write_part(text: &mut String, part: &str) {
    let harmless = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if part.len() <= LONGEST_PART && part.bytes().all(harmless) {
        return text.push_str(part);
    }
    for byte in part.bytes().take(LONGEST_PART) {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            byte if byte.is_ascii_graphic() => text.push(char::from(byte)),
            byte => text.extend(std::ascii::escape_default(byte).map(char::from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(log: &Arc<AccessLog>, host: &str, path: &str) -> Record {
        let client = "10.0.0.1";
        Record::new(log, &Asked { client, method: "GET", scheme: "https", host, path, version: "HTTP/1.1" })
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_gathered_and_none_is_left_behind() {
        let (log, stop, mut out) = (Arc::new(AccessLog::default()), CancellationToken::new(), Vec::new());
        let mut answered = record(&log, "a.com", "/x?y=\"1\"");
        answered.set_status(200);
        answered.add_bytes(12);
        answered.set_endpoint(SocketAddr::from(([10, 42, 0, 1], 80)));
        tokio::time::advance(Duration::from_micros(1500)).await;
        drop(answered);
        let later = async {
            tokio::time::sleep(2 * GATHER).await;
            record(&log, "", "").set_why("no Host");
            stop.cancel();
        };
        tokio::join!(log.run(&mut out, stop.clone()), later);
        let lines = String::from_utf8(out).expect("text");
        expect_test::expect![[r#"
            10.0.0.1 "GET https://a.com/x?y=\"1\" HTTP/1.1" 200 12 0.001500 10.42.0.1:80
            10.0.0.1 "GET https:// HTTP/1.1" 499 0 0.000000 - no Host
        "#]]
        .assert_eq(&lines);
    }

    #[tokio::test]
    async fn a_client_cannot_write_lines_of_its_own_and_nothing_grows_without_bound() {
        let (log, stop, mut out) = (Arc::new(AccessLog::default()), CancellationToken::new(), Vec::new());
        drop(record(&log, "a\nb\u{e9}", &"/".repeat(100_000)));
        stop.cancel();
        log.run(&mut out, stop.clone()).await;
        let lines = String::from_utf8(out).expect("text");
        assert!(
            lines.lines().count() == 1
                && lines.contains("a\\nb\\xc3\\xa9/")
                && lines.len() < 2 * LONGEST_PART
        );
        let path = "/".repeat(LONGEST_PART);
        (0..10_000).for_each(|_| drop(record(&log, "a", &path)));
        let waiting = log.lines.lock().expect("whole");
        assert!(waiting.lost > 0 && waiting.text.len() < MOST_BYTES + 2 * LONGEST_PART);
    }
}
