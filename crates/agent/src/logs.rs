//! Container logs in the CRI format: `TIME STREAM P|F TEXT`, one file a run.
//!
//! A log is read in batches, so that its size costs no memory. One that is followed is kept open: when it is rotated,
//! its rest is read before the new file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::mpsc;

/// Between two looks at a file that is followed.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// About how much is read before it is sent.
const BATCH_BYTES: usize = 64 << 10;

/// What is wanted of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) follow: bool,
    pub(crate) tail: Option<usize>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) timestamps: bool,
    pub(crate) limit_bytes: Option<u64>,
}

/// The file of a container's newest run, or of the one before it.
pub(crate) fn file(folder: &Path, previous: bool) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut runs: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((attempt(&entry.path())?, entry.path()))).collect();
    runs.sort();
    let index = runs.len().checked_sub(if previous { 2 } else { 1 })?;
    Some(runs.swap_remove(index).1)
}

/// Which run's log a file is; none for the older half of a rotated one.
pub(crate) fn attempt(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_suffix(".log")?.parse().ok()
}

/// Sends a log's text until its end, or, where it is followed, until its run is over;
/// ends when nobody listens.
pub(crate) async fn send(
    path: PathBuf,
    wanted: Wanted,
    out: mpsc::Sender<Vec<u8>>,
    over: impl Fn() -> BoxFuture<'static, bool>,
) {
    if let Err(error) = follow(&path, &wanted, &out, over).await {
        tracing::debug!(path = %path.display(), %error, "a log cannot be read");
    }
}

async fn follow(
    path: &Path,
    wanted: &Wanted,
    out: &mpsc::Sender<Vec<u8>>,
    over: impl Fn() -> BoxFuture<'static, bool>,
) -> io::Result<()> {
    let mut log = Log::open(path)?;
    log.skip(wanted)?;
    let mut left = wanted.limit_bytes.unwrap_or(u64::MAX);
    loop {
        // What is written until it is over is read after this is asked.
        let was_over = !wanted.follow || over().await;
        while let Some(mut text) = log.batch(wanted.timestamps)? {
            text.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= text.len() as u64;
            if out.send(text).await.is_err() || left == 0 {
                return Ok(());
            }
        }
        if was_over {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = out.closed() => return Ok(()),
        }
    }
}

/// An open log and the place in it.
struct Log {
    path: PathBuf,
    file: BufReader<File>,
    /// A line whose end is not written yet.
    partial: Vec<u8>,
    /// What was shown last goes on: it was a part of a long line.
    goes_on: bool,
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        let file = BufReader::new(File::open(path)?);
        Ok(Self { path: path.to_owned(), file, partial: Vec::new(), goes_on: false })
    }

    /// Goes to the first line that is wanted.
    fn skip(&mut self, wanted: &Wanted) -> io::Result<()> {
        if wanted.tail.is_none() && wanted.since.is_none() {
            return Ok(());
        }
        let tail = wanted.tail.unwrap_or(usize::MAX);
        let (mut offset, mut starts) = (0, VecDeque::new());
        while let Some(line) = self.line()? {
            if is_since(&line, wanted.since) {
                starts.push_back(offset);
            }
            if starts.len() > tail {
                starts.pop_front();
            }
            offset += line.len() as u64 + 1;
        }
        self.partial.clear();
        self.file.seek(SeekFrom::Start(starts.front().copied().unwrap_or(offset)))?;
        Ok(())
    }

    /// Some of its text as the user sees it; nothing where there is none for now.
    fn batch(&mut self, timestamps: bool) -> io::Result<Option<Vec<u8>>> {
        let mut text = Vec::new();
        while text.len() < BATCH_BYTES {
            match self.line()? {
                Some(line) => {
                    // The time of a line stands at its beginning alone.
                    text.extend(shown(&line, timestamps && !self.goes_on));
                    self.goes_on = is_part(&line);
                }
                None if text.is_empty() && self.reopen()? => {}
                None => break,
            }
        }
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.file.read_until(b'\n', &mut self.partial)?;
        if self.partial.pop_if(|last| *last == b'\n').is_none() {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.partial)))
    }

    /// Goes on with the new file where the log was rotated and this one has no more.
    fn reopen(&mut self) -> io::Result<bool> {
        // While it is being rotated, or once it is removed, there is no new one.
        let Ok(newest) = std::fs::metadata(&self.path) else { return Ok(false) };
        if newest.ino() == self.file.get_ref().metadata()?.ino() || !self.file.fill_buf()?.is_empty() {
            return Ok(false);
        }
        *self = Self { goes_on: self.goes_on, ..Self::open(&self.path)? };
        Ok(true)
    }
}

/// The end of a log as its container wrote it: so many lines, so many bytes.
pub(crate) fn end(path: &Path, window: u64, lines: usize, bytes: usize) -> String {
    // A log that is not there has said nothing.
    let text = read_end(path, window, lines).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(bytes)..]).into_owned()
}

fn read_end(path: &Path, window: u64, lines: usize) -> io::Result<Vec<u8>> {
    let mut log = Log::open(path)?;
    let length = log.file.get_ref().metadata()?.len();
    log.file.seek(SeekFrom::Start(length.saturating_sub(window)))?;
    let mut all = VecDeque::new();
    while let Some(line) = log.line()? {
        all.push_back(shown(&line, false));
        if all.len() > lines {
            all.pop_front();
        }
    }
    Ok(all.into_iter().flatten().collect())
}

fn is_since(line: &[u8], since: Option<Timestamp>) -> bool {
    let Some(since) = since else { return true };
    let time = line.split(|byte| *byte == b' ').next().and_then(|time| std::str::from_utf8(time).ok());
    time.and_then(|time| time.parse::<Timestamp>().ok()).is_none_or(|time| time >= since)
}

/// Whether a record is the part of a line that another one goes on with.
fn is_part(line: &[u8]) -> bool {
    line.splitn(4, |byte| *byte == b' ').nth(2).is_some_and(|tag| tag.starts_with(b"P"))
}

/// A line as the user sees it; a partial one goes on without a line's end.
fn shown(line: &[u8], timestamps: bool) -> Vec<u8> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let (Some(time), Some(_), Some(tag), text) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return [line, b"\n"].concat();
    };
    let end: &[u8] = if tag.starts_with(b"P") { b"" } else { b"\n" };
    let text = text.unwrap_or_default();
    if timestamps { [time, b" ", text, end].concat() } else { [text, end].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Write;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    const LOG: &str = "2026-01-01T00:00:01.0Z stdout F one\n2026-01-01T00:00:02.0Z stderr P tw\n\
                       2026-01-01T00:00:02.0Z stderr F o\n2026-01-01T00:00:03.0Z stdout F three\nhalf a li";

    async fn read_all(wanted: Wanted) -> String {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("0.log");
        std::fs::write(&path, LOG).expect("written");
        let (sender, mut receiver) = mpsc::channel(16);
        send(path, wanted, sender, || Box::pin(async { true })).await;
        let mut all = Vec::new();
        while let Some(part) = receiver.recv().await {
            all.extend(part);
        }
        String::from_utf8(all).expect("text")
    }

    #[test]
    fn a_logs_end_is_cut_to_lines_and_bytes() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("0.log");
        assert_eq!(end(&path, 1000, 9, 99), "", "there is none");
        std::fs::write(&path, LOG).expect("written");
        assert_eq!(end(&path, 1000, 9, 99), "one\ntwo\nthree\n");
        assert_eq!(end(&path, 1000, 1, 99), "three\n");
        assert_eq!(end(&path, 1000, 9, 4), "ree\n");
    }

    #[tokio::test]
    async fn what_is_asked_for_is_shown() {
        assert_eq!(read_all(Wanted::default()).await, "one\ntwo\nthree\n");
        assert_eq!(read_all(Wanted { tail: Some(1), ..Wanted::default() }).await, "three\n");
        assert_eq!(read_all(Wanted { tail: Some(0), ..Wanted::default() }).await, "");
        assert_eq!(read_all(Wanted { tail: Some(9), ..Wanted::default() }).await, "one\ntwo\nthree\n");
        let since = Some("2026-01-01T00:00:03Z".parse().expect("a time"));
        assert_eq!(read_all(Wanted { since, ..Wanted::default() }).await, "three\n");
        assert_eq!(read_all(Wanted { limit_bytes: Some(5), ..Wanted::default() }).await, "one\nt");
        let stamped = read_all(Wanted { timestamps: true, tail: Some(1), ..Wanted::default() }).await;
        assert_eq!(stamped, "2026-01-01T00:00:03.0Z three\n");
        let stamped = read_all(Wanted { timestamps: true, ..Wanted::default() }).await;
        let wanted = "2026-01-01T00:00:01.0Z one\n2026-01-01T00:00:02.0Z two\n2026-01-01T00:00:03.0Z three\n";
        assert_eq!(stamped, wanted, "a line that was cut has one time");
        assert_eq!(read_all(Wanted { follow: true, ..Wanted::default() }).await, "one\ntwo\nthree\n");
    }

    /// Writes a line as a shim does; how a user sees it.
    fn write(log: &mut File, text: &str) -> String {
        writeln!(log, "2026-01-01T00:00:01.0Z stdout F {text}").expect("written");
        format!("{text}\n")
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_lost_when_a_followed_log_is_rotated() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("3.log");
        let (sender, mut receiver) = mpsc::channel(1);
        let over = Arc::new(AtomicBool::new(false));
        let mut log = File::create(&path).expect("made");
        let asked = over.clone();
        let followed = path.clone();
        let wanted = Wanted { follow: true, ..Wanted::default() };
        let task = tokio::spawn(send(followed, wanted, sender, move || {
            let asked = asked.clone();
            Box::pin(async move { asked.load(Ordering::SeqCst) })
        }));
        let mut found = Vec::new();
        let mut until = async |wanted: &str| {
            while found.len() < wanted.len() {
                found.extend(receiver.recv().await.expect("more"));
            }
            assert_eq!(String::from_utf8_lossy(&found), wanted);
        };
        let mut wanted = String::new();
        for number in 0..3 {
            wanted.push_str(&write(&mut log, &format!("read {number}")));
            until(&wanted).await;
            // What the follower has not seen when the log is rotated.
            wanted.push_str(&write(&mut log, &format!("late {number}")));
            std::fs::rename(&path, dir.path().join("3.log.1")).expect("rotated");
            log = File::create(&path).expect("made");
            wanted.push_str(&write(&mut log, &format!("new {number}")));
            until(&wanted).await;
        }
        over.store(true, Ordering::SeqCst);
        assert_eq!(receiver.recv().await, None);
        task.await.expect("it ends");
        assert_eq!(file(dir.path(), false), Some(path));
    }

    #[test]
    fn the_files_of_runs_are_told_from_rotated_ones() {
        assert_eq!(attempt(Path::new("/logs/12.log")), Some(12));
        assert_eq!(attempt(Path::new("/logs/12.log.1")), None);
    }
}
