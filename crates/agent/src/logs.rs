//! Container logs in the CRI format: `TIME STREAM P|F TEXT`, one file a run.

use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

/// Between two looks at a file that is followed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
    let is_log = |path: &Path| path.extension().is_some_and(|extension| extension == "log");
    let number = |path: &Path| path.file_stem()?.to_str()?.parse::<u32>().ok().filter(|_| is_log(path));
    let mut runs: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    runs.sort();
    let index = runs.len().checked_sub(if previous { 2 } else { 1 })?;
    Some(runs.swap_remove(index).1)
}

/// Sends a log's text until its end, or for ever when it is followed; ends when nobody
/// listens. `newer` says that the run is over and what follows is in another file.
pub(crate) async fn send(path: PathBuf, wanted: Wanted, out: mpsc::Sender<Vec<u8>>, over: impl Fn() -> bool) {
    let (lines, mut position) = match read(&path, 0) {
        Ok(read) => read,
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "a log cannot be read");
            return;
        }
    };
    let mut left = wanted.limit_bytes.unwrap_or(u64::MAX);
    let lines: Vec<String> = lines.into_iter().filter(|line| is_since(line, wanted.since)).collect();
    let skipped = wanted.tail.map_or(0, |tail| lines.len().saturating_sub(tail));
    let mut batch = lines[skipped..].to_vec();
    loop {
        let was_over = over();
        let text: Vec<u8> = batch.iter().flat_map(|line| shown(line, wanted.timestamps)).collect();
        let text = &text[..text.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        left -= text.len() as u64;
        if !text.is_empty() && out.send(text.to_vec()).await.is_err() {
            return;
        }
        if left == 0 || !wanted.follow || (was_over && batch.is_empty()) {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = out.closed() => return,
        }
        (batch, position) = match read(&path, position) {
            Ok(read) => read,
            Err(_) => return,
        };
    }
}

/// The whole lines behind a position, and the position behind them.
fn read(path: &Path, from: u64) -> std::io::Result<(Vec<String>, u64)> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let (mut reader, mut lines, mut position) = (BufReader::new(file), Vec::new(), from);
    loop {
        let mut line = Vec::new();
        let length = reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Ok((lines, position));
        }
        position += length as u64;
        lines.push(String::from_utf8_lossy(&line).into_owned());
    }
}

/// The end of a log as its container wrote it: so many lines, so many bytes.
pub(crate) fn end(path: &Path, window: u64, lines: usize, bytes: usize) -> String {
    let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let Ok((all, _)) = read(path, length.saturating_sub(window)) else { return String::new() };
    let skipped = all.len().saturating_sub(lines);
    let text: Vec<u8> = all[skipped..].iter().flat_map(|line| shown(line, false)).collect();
    String::from_utf8_lossy(&text[text.len().saturating_sub(bytes)..]).into_owned()
}

fn is_since(line: &str, since: Option<Timestamp>) -> bool {
    let Some(since) = since else { return true };
    let time = line.split(' ').next().and_then(|time| time.parse::<Timestamp>().ok());
    time.is_none_or(|time| time >= since)
}

/// A line as the user sees it; a partial one goes on without a line's end.
fn shown(line: &str, timestamps: bool) -> Vec<u8> {
    let mut parts = line.splitn(4, ' ');
    let (Some(time), Some(_), Some(tag), text) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return format!("{line}\n").into_bytes();
    };
    let end = if tag.starts_with('P') { "" } else { "\n" };
    let text = text.unwrap_or_default();
    if timestamps { format!("{time} {text}{end}").into_bytes() } else { format!("{text}{end}").into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-01-01T00:00:01.0Z stdout F one\n2026-01-01T00:00:02.0Z stderr P tw\n\
                       2026-01-01T00:00:02.0Z stderr F o\n2026-01-01T00:00:03.0Z stdout F three\nhalf a li";

    async fn read_all(wanted: Wanted) -> String {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("0.log");
        std::fs::write(&path, LOG).expect("written");
        let (sender, mut receiver) = mpsc::channel(16);
        send(path, wanted, sender, || true).await;
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
        let since = Some("2026-01-01T00:00:03Z".parse().expect("a time"));
        assert_eq!(read_all(Wanted { since, ..Wanted::default() }).await, "three\n");
        assert_eq!(read_all(Wanted { limit_bytes: Some(5), ..Wanted::default() }).await, "one\nt");
        let stamped = read_all(Wanted { timestamps: true, tail: Some(1), ..Wanted::default() }).await;
        assert_eq!(stamped, "2026-01-01T00:00:03.0Z three\n");
        assert_eq!(read_all(Wanted { follow: true, ..Wanted::default() }).await, "one\ntwo\nthree\n");
    }
}
