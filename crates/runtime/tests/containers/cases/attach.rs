//! Joining the streams of containers that run.

use std::fs;

use xebec_runtime::{ExecEvent, ExecHandle, ExecInput, Mount, MountSource, Runtime, TerminalSize};

use crate::world::{World, eventually};

pub(super) async fn attach() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let script = "echo before; while read line; do echo \"$line\"; echo \"not $line\" >&2; \
                  test \"$line\" = end && exit 3; done";
    let mut spec = world.container("a-0", script);
    spec.stdin = true;
    world.node.start_container("u1", spec).await.expect("starts");
    eventually(async || (world.log("a-0") == "stdout F before\n").then_some(())).await;
    let mut first = world.node.attach("u1", "a-0", true).await.expect("attaches");
    let mut second = world.node.attach("u1", "a-0", false).await.expect("attaches");
    send(&first, "one\n").await;
    until(&mut first, "one\nnot one\n").await;
    until(&mut second, "one\nnot one\n").await;
    // Who has no say in it is not heard, and who leaves takes nothing along.
    send(&second, "end\n").await;
    drop(first);
    let mut third = world.node.attach("u1", "a-0", true).await.expect("attaches");
    send(&third, "end\n").await;
    until(&mut third, "end\nnot end\n").await;
    assert_eq!(end(&mut third).await, Some(3));
    until(&mut second, "end\nnot end\n").await;
    assert_eq!(end(&mut second).await, Some(3));
    assert_eq!(world.ended("u1", "a-0").await.0, 3);
    let mut lines: Vec<String> = world.log("a-0").lines().map(str::to_owned).collect();
    lines.sort();
    let expected =
        ["stderr F not end", "stderr F not one", "stdout F before", "stdout F end", "stdout F one"];
    assert_eq!(lines, expected);
    let error = world.node.attach("u1", "a-0", false).await.expect_err("it has ended");
    assert_eq!(error.to_string(), "no running container \"a-0\" in pod u1");
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

pub(super) async fn attach_to_a_terminal() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let mut spec = world.container("a-0", "exec sh");
    (spec.tty, spec.stdin, spec.stdin_once) = (true, true, true);
    world.node.start_container("u1", spec).await.expect("starts");
    let mut handle = world.node.attach("u1", "a-0", true).await.expect("attaches");
    let size = TerminalSize { columns: 120, rows: 40 };
    handle.input.send(ExecInput::Resize(size)).await.expect("takes it");
    send(&handle, "while test \"$(stty size)\" != '40 120'; do :; done; echo si''zed\n").await;
    until(&mut handle, "sized").await;
    drop(handle);
    // A terminal is nobody's last.
    let mut handle = world.node.attach("u1", "a-0", true).await.expect("attaches");
    send(&handle, "exit 7\n").await;
    assert_eq!(end(&mut handle).await, Some(7));
    world.node.remove_sandbox("u1").await.expect("removes");
}

pub(super) async fn stdin_once() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    for (id, once) in [("a-0", true), ("b-0", false)] {
        let mut spec = world.container(id, "cat; echo over");
        (spec.stdin, spec.stdin_once) = (true, once);
        world.node.start_container("u1", spec).await.expect("starts");
        let mut handle = world.node.attach("u1", id, true).await.expect("attaches");
        send(&handle, "text\n").await;
        until(&mut handle, "text\n").await;
        handle.input.send(ExecInput::CloseStdin).await.expect("takes it");
        // Where others may come, the end of one's own input is the end of the attachment.
        let code = end(&mut handle).await;
        assert_eq!(code, once.then_some(0), "{id}");
    }
    let mut again = world.node.attach("u1", "b-0", true).await.expect("attaches");
    send(&again, "more\n").await;
    until(&mut again, "more\n").await;
    world.node.remove_sandbox("u1").await.expect("removes");
}

pub(super) async fn older_shims() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    world.node.start_container("u1", world.container("a-0", "exec sleep 1000")).await.expect("starts");
    let identity = world.dir.join("run/u1/shim.json");
    let text = fs::read_to_string(&identity).expect("reads").replace("\"version\":3", "\"version\":1");
    fs::write(&identity, text).expect("writes");
    let error = world.node.attach("u1", "a-0", false).await.expect_err("too old").to_string();
    assert!(error.contains("older version") && error.contains("logs -f"), "{error}");
    let mut part = world.container("b-0", "exec sleep 1000");
    let (volume, written) = (world.dir.clone(), "logs".to_owned());
    let source = MountSource::Below { volume, path: "logs".into(), written };
    part.mounts.push(Mount { source, target: "/v".into(), read_only: false, propagate: false });
    let error = world.node.start_container("u1", part).await.expect_err("too old").to_string();
    assert!(error.contains("older version") && error.contains("delete the pod"), "{error}");
    let whole = world.container("b-0", "exec sleep 1000");
    world.node.start_container("u1", whole).await.expect("what it knows it starts, under the same name");
    assert_eq!(world.exec("u1", "a-0", "echo still").await, (0, "still\n".into()));
    world.node.remove_sandbox("u1").await.expect("removes");
}

async fn send(handle: &ExecHandle, text: &'static str) {
    handle.input.send(ExecInput::Stdin(text.into())).await.expect("takes it");
}

/// Reads until every line of `wanted` has come. Streams are not in step with one another, so their order is not asked
/// for.
async fn until(handle: &mut ExecHandle, wanted: &str) {
    let mut text = String::new();
    while !wanted.lines().all(|line| text.lines().any(|found| found.contains(line))) {
        match handle.output.recv().await {
            Some(ExecEvent::Stdout(bytes) | ExecEvent::Stderr(bytes)) => {
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
            other => panic!("{other:?} after {text:?}"),
        }
    }
}

/// Reads to the end: the exit code, where one came.
async fn end(handle: &mut ExecHandle) -> Option<i32> {
    while let Some(event) = handle.output.recv().await {
        if let ExecEvent::Exit(code) = event {
            return Some(code);
        }
    }
    None
}
