//! What the tests with child processes share: a cluster of one, and how a test's
//! binary runs one of its own functions in a process of its own.

use std::io::Write as _;
use std::path::Path;

use bytes::Bytes;
use xebec_raft::{Member, Node, Options, Timings};
use xebec_state::{Key, Operation, Transaction};

/// The folder that a child works in.
pub(crate) const FOLDER: &str = "XEBEC_TEST_FOLDER";

/// A member that is its own quorum, leading.
pub(crate) async fn alone(dir: &Path, new: bool) -> Node {
    let member = Member { name: "m1".to_owned(), ..Member::default() };
    let options = Options {
        dir: dir.to_owned(),
        cluster_id: "test".to_owned(),
        raft_id: 1,
        member: member.clone(),
        peer_tls: None,
        timings: Timings { heartbeat_ms: 20, election_min_ms: 60, election_max_ms: 120 },
        expect_log: !new,
    };
    let node = Node::start(options).await.expect("the folder is whole");
    if new {
        node.bootstrap(member).await.expect("a new cluster");
    }
    node.leadership().wait_for(|leadership| leadership.leading.is_some()).await.expect("leads");
    node
}

pub(crate) fn key(name: &str) -> Key {
    Key::new("configmaps", "default", name)
}

/// A value that says whose it is, so that one of another key would be seen.
pub(crate) fn value(name: &str, bytes: usize) -> Bytes {
    name.bytes().cycle().take(bytes).collect()
}

pub(crate) fn put(name: &str, bytes: usize) -> Transaction {
    let operations = vec![Operation::Put(key(name), value(name, bytes))];
    Transaction { operations, ..Transaction::default() }
}

/// This binary again, with only the ignored test `name` to run.
pub(crate) fn again(name: &str) -> [String; 5] {
    let me = std::env::current_exe().expect("known on Linux").display().to_string();
    [me, name.to_owned(), "--exact".to_owned(), "--ignored".to_owned(), "--nocapture".to_owned()]
}

/// Tells the parent, in one write.
pub(crate) fn tell(line: &str) {
    std::io::stdout().write_all(format!("\n{line}\n").as_bytes()).expect("the parent listens");
}
