//! The binary as it is shipped, and the debug one that every other test runs: how it is
//! linked, how large it is, and that every write it answers lies on the disk.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use xebec_tests::lone::Lone;
use xebec_tests::programs;
use xebec_tests::waiting::eventually;

const MOST_BYTES: u64 = 60_000_000;
const WRITES: usize = 10;
const FOUNDINGS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(20);

/// The release binary lies beside the debug one; `scripts/test.sh` builds both.
fn release() -> PathBuf {
    let path = programs::folder().with_file_name("release").join("xebec");
    assert!(path.exists(), "{} is not there: cargo build --release --package xebec", path.display());
    path
}

#[test]
fn the_binary_is_static_and_small() {
    for binary in [programs::xebec(), release()] {
        let output = Command::new("ldd").arg(&binary).output().expect("ldd");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let is_static = text.contains("statically linked") || text.contains("not a dynamic executable");
        assert!(is_static, "{}: {text}", binary.display());
    }
    let size = fs::metadata(release()).expect("there").len();
    assert!(size < MOST_BYTES, "the release binary has {size} bytes");
}

#[test]
fn the_debug_binary_syncs_before_it_answers() {
    each_answer_follows_a_sync(Lone::new(&programs::xebec(), "127.77.1.1"));
}

#[test]
fn the_release_binary_syncs_before_it_answers() {
    each_answer_follows_a_sync(Lone::new(&release(), "127.77.2.1"));
}

/// The C library's `sync_file_range`, which sled calls and which promises nothing, must
/// never run; and between two answers the log must have been synced.
fn each_answer_follows_a_sync(mut master: Lone) {
    master.start(&["-f", "-y", "-e", "trace=fdatasync,sync_file_range"]);
    let xctl = master.xctl();
    eventually("the first answer", PATIENCE, || {
        xctl.run(&["get", "namespaces"]).with_context(|| master.log()).map(drop)
    });
    for write in 0..WRITES {
        let before = log_syncs(&master.trace());
        xctl.run(&["create", "configmap", &format!("w-{write}")]).expect("a write");
        let after = log_syncs(&master.trace());
        assert!(after > before, "write {write} was answered, and the log not synced");
    }
    let trace = master.trace();
    assert!(!trace.contains("sync_file_range("), "the C library's own was linked");
}

/// How many syncs of the log have ended well.
fn log_syncs(trace: &str) -> usize {
    let ended = |line: &&str| {
        line.trim_end().ends_with("= 0")
            && (line.contains("/data/log/db>)") || line.contains("fdatasync resumed"))
    };
    trace.lines().filter(ended).count()
}

/// A founding that is cut short is begun anew, so nothing may be answered before it is
/// complete: whatever was answered is there after a kill -9, in the same cluster.
#[test]
fn a_master_killed_at_its_first_answer_keeps_what_it_acknowledged() {
    for founding in 0..FOUNDINGS {
        let mut master = Lone::new(&programs::xebec(), &format!("127.77.3.{}", founding + 1));
        master.start(&[]);
        let xctl = master.xctl();
        eventually("the first write", PATIENCE, || {
            let made = xctl.run(&["create", "configmap", "first", "--request-timeout=1s"]);
            // An answer that got lost may belong to a write that did not.
            ensure!(made.is_ok() || xctl.run(&["get", "configmap", "first"]).is_ok(), "{}", master.log());
            Ok(())
        });
        master.kill();
        master.start(&[]);
        eventually("the same cluster", PATIENCE, || {
            xctl.run(&["get", "configmap", "first"]).with_context(|| master.log()).map(drop)
        });
    }
}
