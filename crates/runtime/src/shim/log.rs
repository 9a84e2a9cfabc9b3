//! A container's log file in CRI format: `2026-11-24T10:00:00.000000000Z stdout F a line`.
//!
//! A line longer than 16 KiB is cut into parts tagged `P`; its last part is tagged `F`. Every record is written with one
//! call, so that a reader never sees half of one unless the disk is full. A file over 10 MiB is renamed to `<name>.1`,
//! replacing the one before, and a new one is begun: a container's log takes at most twice that.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// Where a line is cut.
const PART_BYTES: usize = 16 << 10;
/// Where a new file is begun.
const FILE_BYTES: u64 = 10 << 20;

/// The log of one container.
#[derive(Debug)]
pub(super) struct CriLog {
    path: PathBuf,
    file: File,
    written: u64,
    /// The line begun on each stream.
    partial: [Vec<u8>; 2],
}

/// The names of the streams, by their index.
const STREAMS: [&str; 2] = ["stdout", "stderr"];

impl CriLog {
    /// Opens the log, made with its folder where it is not there.
    pub(super) fn open(path: &Path) -> io::Result<CriLog> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = open_append(path)?;
        let written = file.metadata()?.len();
        Ok(CriLog { path: path.to_owned(), file, written, partial: Default::default() })
    }

    /// Adds what a stream (0 is stdout, 1 is stderr) wrote, and writes each whole line.
    pub(super) fn push(&mut self, stream: usize, bytes: &[u8], now: Timestamp) -> io::Result<()> {
        let mut records = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = &mut self.partial[stream];
            let (content, ended) = match piece.split_last() {
                Some((b'\n', content)) => (content, true),
                _ => (piece, false),
            };
            line.extend_from_slice(content);
            while line.len() > PART_BYTES {
                let rest = line.split_off(PART_BYTES);
                record(&mut records, stream, 'P', line, now);
                *line = rest;
            }
            if ended {
                record(&mut records, stream, 'F', line, now);
                line.clear();
            }
        }
        self.write(&records)
    }

    /// Writes what is left of lines without an end.
    pub(super) fn finish(&mut self, now: Timestamp) -> io::Result<()> {
        let mut records = Vec::new();
        for stream in 0..STREAMS.len() {
            let line = std::mem::take(&mut self.partial[stream]);
            if !line.is_empty() {
                record(&mut records, stream, 'F', &line, now);
            }
        }
        self.write(&records)
    }

    fn write(&mut self, records: &[u8]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        if self.written > FILE_BYTES {
            let mut older = self.path.clone().into_os_string();
            older.push(".1");
            fs::rename(&self.path, older)?;
            self.file = open_append(&self.path)?;
            self.written = 0;
        }
        self.file.write_all(records)?;
        self.written += records.len() as u64;
        Ok(())
    }
}

fn open_append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().create(true).append(true).mode(0o640).open(path)
}

fn record(out: &mut Vec<u8>, stream: usize, tag: char, content: &[u8], now: Timestamp) {
    out.extend_from_slice(format!("{now:.9} {} {tag} ", STREAMS[stream]).as_bytes());
    out.extend_from_slice(content);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn lines_parts_and_ends_are_written_as_cri_says() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("deep/0.log");
        let now = Timestamp::from_nanosecond(1_767_225_600_000_000_042).expect("in range");
        let mut log = CriLog::open(&path).expect("opens");
        log.push(0, b"one\ntw", now).expect("writes");
        log.push(1, b"other\n\n", now).expect("writes");
        log.push(0, b"o\nrest", now).expect("writes");
        log.finish(now).expect("writes");
        let long = vec![b'x'; PART_BYTES + 3];
        log.push(0, &[long.as_slice(), b"\n"].concat(), now).expect("writes");
        let text = fs::read_to_string(&path).expect("reads").replace(&"x".repeat(PART_BYTES), "X");
        expect![[r#"
            2026-01-01T00:00:00.000000042Z stdout F one
            2026-01-01T00:00:00.000000042Z stderr F other
            2026-01-01T00:00:00.000000042Z stderr F 
            2026-01-01T00:00:00.000000042Z stdout F two
            2026-01-01T00:00:00.000000042Z stdout F rest
            2026-01-01T00:00:00.000000042Z stdout P X
            2026-01-01T00:00:00.000000042Z stdout F xxx
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn a_large_log_is_rotated_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("0.log");
        let now = Timestamp::UNIX_EPOCH;
        let mut log = CriLog::open(&path).expect("opens");
        log.written = FILE_BYTES + 1;
        log.push(0, b"late\n", now).expect("writes");
        assert!(dir.path().join("0.log.1").exists());
        assert_eq!(
            fs::read_to_string(&path).expect("reads"),
            "1970-01-01T00:00:00.000000000Z stdout F late\n"
        );
    }
}
