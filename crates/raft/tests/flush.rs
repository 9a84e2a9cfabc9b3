//! sled's flush is an fdatasync, in a binary linked like ours: before each answer the
//! log is on the disk. See `durable.rs`; it depends on linkage, so it is looked at from
//! outside, with strace.

mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use xebec_tests::skips::skip;

const WRITES: usize = 20;
/// Writes that come at once.
const CROWD: usize = 64;

#[test]
#[ignore = "runs only as the child of the test below"]
fn child_that_writes() {
    let Some(dir) = std::env::var_os(shared::FOLDER).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let node = shared::alone(&dir, true).await;
        shared::tell("ready");
        for number in 0..WRITES {
            node.propose(&shared::put(&format!("w-{number}"), 1_000)).await.expect("accepted");
            shared::tell(&format!("answered {number}"));
        }
        let crowd: Vec<_> = (0..CROWD).map(|number| shared::put(&format!("crowd-{number}"), 1_000)).collect();
        shared::tell("crowd");
        let all = futures::future::join_all(crowd.iter().map(|write| node.propose(write))).await;
        assert!(all.iter().all(Result::is_ok), "each is accepted");
        node.shutdown().await;
    });
}

#[test]
fn a_flush_is_an_fdatasync() {
    if Command::new("strace").arg("-V").output().is_err() {
        return skip("strace is not installed");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let trace = dir.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-y", "-s", "20000", "-e", "trace=write,pwrite64,fdatasync,sync_file_range", "-o"])
        .arg(&trace)
        .args(shared::again("child_that_writes"))
        .env(shared::FOLDER, dir.path().join("data"))
        .stdout(std::process::Stdio::null())
        .status()
        .expect("strace runs");
    assert!(status.success(), "{status}");
    let trace = std::fs::read_to_string(&trace).expect("strace wrote it");
    assert!(!trace.contains("sync_file_range"), "the C library's own was linked");
    assert_eq!(answers_after_a_sync(&trace), WRITES);
    let (_, crowd) = trace.split_once("\"\\ncrowd\\n").expect("the writes that came at once");
    let syncs =
        crowd.lines().filter(|line| line.contains("fdatasync(") && line.contains("/data/log/db>")).count();
    assert!(syncs > 0 && syncs * 4 < CROWD, "{CROWD} writes at once took {syncs} syncs: they share them");
}

/// How many answers were given. Each must come after an fdatasync that was begun once
/// its write had reached the file.
fn answers_after_a_sync(trace: &str) -> usize {
    let mut log = LogFile::default();
    let mut answers = 0;
    for line in trace.lines() {
        let (pid, call) = line.split_once(' ').expect("strace -f begins with the process");
        let call = call.trim_start();
        if let Some(answer) = call.split_once("\"\\nanswered ").map(|(_, rest)| rest) {
            let number = answer.split_once('\\').expect("ends in an escaped newline").0;
            assert!(log.durable.contains(number), "answer {number} came before its fdatasync");
            answers += 1;
        }
        log.saw(pid, call);
    }
    answers
}

/// The numbers of the writes that a trace has seen on their way to the log.
#[derive(Default)]
struct LogFile {
    /// Calls that have begun and not ended, with what they carry.
    open: BTreeMap<String, BTreeSet<String>>,
    written: BTreeSet<String>,
    durable: BTreeSet<String>,
}

impl LogFile {
    fn saw(&mut self, pid: &str, call: &str) {
        let begins = call.contains("/data/log/db>");
        let writes = call.contains("pwrite64");
        if begins && (writes || call.contains("fdatasync")) {
            let carried = if writes { numbers(call) } else { self.written.clone() };
            self.open.insert(pid.to_owned(), carried);
        }
        if call.ends_with("<unfinished ...>") || !(begins || call.starts_with("<...")) {
            return;
        }
        // A call on another file may end here too: it has carried nothing.
        let Some(carried) = self.open.remove(pid) else { return };
        if writes {
            self.written.extend(carried);
        } else if call.contains("fdatasync") {
            assert!(call.ends_with("= 0"), "{call}");
            self.durable.extend(carried);
        }
    }
}

/// Of `w-7w-7w-7…`, the value of write 7, its number.
fn numbers(call: &str) -> BTreeSet<String> {
    let names = call.split("w-").skip(1);
    let numbers = names.map(str::to_owned);
    numbers.filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())).collect()
}
