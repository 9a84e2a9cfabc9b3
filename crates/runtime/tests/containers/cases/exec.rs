//! Commands in containers, their streams, and a shim that has nothing to do.

use std::fs;
use std::time::Duration;

use xebec_runtime::{ExecEvent, ExecInput, ExecOptions, Runtime, TerminalSize};

use crate::world::{World, eventually};

pub(super) async fn exec() {
    let world = &World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let mut spec = world.container("a-0", "exec sleep 1000");
    spec.env = vec![("COLOUR".into(), "blue".into())];
    spec.working_dir = Some("/made/for/it".into());
    world.node.start_container("u1", spec).await.expect("starts");
    assert_eq!(
        world.exec("u1", "a-0", "echo $COLOUR; pwd; exit 4").await,
        (4, "blue\n/made/for/it\n".into())
    );
    assert_eq!(world.exec("u1", "a-0", "grep -c . /proc/1/cmdline; cat /proc/1/comm").await.1, "1\nsleep\n");
    let command = vec!["/nothere".into()];
    let outcome = world.node.exec_sync("u1", "a-0", command, Duration::from_secs(5)).await.expect("answers");
    assert_eq!(outcome.exit_code, 127);
    assert_eq!(String::from_utf8_lossy(&outcome.output), "/nothere: no such file or directory\n");

    let slow = vec!["sleep".into(), "1000".into()];
    let error =
        world.node.exec_sync("u1", "a-0", slow, Duration::from_millis(200)).await.expect_err("times out");
    assert_eq!(error.to_string(), "command timed out after 200 ms");
    // It is killed, not forgotten: only the container's own sleep is left.
    eventually(async || {
        let (_, text) = world.exec("u1", "a-0", "grep -l sleep /proc/[0-9]*/comm").await;
        (text.lines().count() == 1).then_some(())
    })
    .await;
    let error = world.node.exec_sync("u1", "b-0", vec!["true".into()], Duration::from_secs(5)).await;
    assert_eq!(error.expect_err("no container").to_string(), "no running container \"b-0\" in pod u1");
    // Many at once in one container: none takes from another what that has yet to use.
    let at_once = (0..24).map(|number| async move {
        let command = vec!["sh".into(), "-c".into(), format!("echo {number}")];
        let outcome = world.node.exec_sync("u1", "a-0", command, Duration::from_secs(20)).await;
        outcome.map(|outcome| (outcome.exit_code, String::from_utf8_lossy(&outcome.output).into_owned()))
    });
    for (number, outcome) in futures::future::join_all(at_once).await.into_iter().enumerate() {
        assert_eq!(outcome.expect("it runs beside others"), (0, format!("{number}\n")));
    }
    let leftovers = fs::read_dir(world.dir.join("run/u1/lc/a-0")).expect("reads").flatten();
    assert_eq!(
        leftovers.filter(|entry| entry.file_name().to_string_lossy().starts_with("tenant")).count(),
        0
    );
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

pub(super) async fn exec_streams() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    world.node.start_container("u1", world.container("a-0", "exec sleep 1000")).await.expect("starts");
    let options = ExecOptions { stdin: true, ..ExecOptions::default() };
    let mut handle = world.node.exec("u1", "a-0", vec!["cat".into()], options).await.expect("runs");
    let chunk = bytes::Bytes::from(vec![b'x'; 300_000]);
    handle.input.send(ExecInput::Stdin(chunk)).await.expect("takes it");
    handle.input.send(ExecInput::CloseStdin).await.expect("takes it");
    let (mut bytes, mut code) = (0, None);
    while let Some(event) = handle.output.recv().await {
        match event {
            ExecEvent::Stdout(chunk) => bytes += chunk.len(),
            ExecEvent::Stderr(chunk) => panic!("{chunk:?}"),
            ExecEvent::Exit(exit) => code = Some(exit),
        }
    }
    assert_eq!((bytes, code), (300_000, Some(0)));

    let size = Some(TerminalSize { columns: 100, rows: 30 });
    let options = ExecOptions { stdin: true, tty: true, size };
    let mut handle = world.node.exec("u1", "a-0", vec!["sh".into()], options).await.expect("runs");
    let line = "test -t 0 && test -t 1 && echo is''atty $(stty size)\n";
    handle.input.send(ExecInput::Stdin(line.into())).await.expect("takes it");
    let mut text = String::new();
    let mut code = None;
    let mut resized = false;
    while let Some(event) = handle.output.recv().await {
        match event {
            ExecEvent::Stdout(chunk) => text.push_str(&String::from_utf8_lossy(&chunk)),
            ExecEvent::Stderr(chunk) => panic!("{chunk:?}"),
            ExecEvent::Exit(exit) => code = Some(exit),
        }
        if !resized && text.contains("isatty 30 100") {
            let larger = TerminalSize { columns: 101, rows: 31 };
            handle.input.send(ExecInput::Resize(larger)).await.expect("takes it");
            let line = "while test \"$(stty size)\" != '31 101'; do :; done; exit 5\n";
            handle.input.send(ExecInput::Stdin(line.into())).await.expect("takes it");
            resized = true;
        }
    }
    assert_eq!((resized, code), (true, Some(5)), "{text:?}");
    let mut spec = world.container("t-0", "test -t 1 && echo terminal");
    spec.tty = true;
    world.node.start_container("u1", spec).await.expect("starts");
    assert_eq!(world.ended("u1", "t-0").await.0, 0);
    assert_eq!(world.log("t-0"), "stdout F terminal\n");
    world.node.remove_sandbox("u1").await.expect("removes");
}

pub(super) async fn an_idle_shim_sleeps() {
    let world = World::new().await;
    let shim = world.node.run_sandbox(world.sandbox("u1")).await.expect("runs").pid;
    // Every kind of descriptor that could be ready for ever: closed streams, terminals, stdin, gone connections.
    let mut spec = world.container("a-0", "exec sleep 1000 >&- 2>&-");
    spec.stdin = true;
    world.node.start_container("u1", spec).await.expect("starts");
    let mut spec = world.container("b-0", "exec sleep 1000");
    spec.tty = true;
    world.node.start_container("u1", spec).await.expect("starts");
    let options = ExecOptions { stdin: true, tty: true, size: None };
    let command = vec!["sleep".into(), "1000".into()];
    let held = world.node.exec("u1", "a-0", command.clone(), options.clone()).await.expect("runs");
    drop(world.node.exec("u1", "a-0", command, options).await.expect("runs"));
    world.exec("u1", "a-0", "true").await;
    let calls = || {
        let status = fs::read_to_string(format!("/proc/{shim}/status")).expect("reads");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let ticks = fs::read_to_string(format!("/proc/{shim}/stat")).expect("reads");
        let used: u64 =
            ticks.split(' ').skip(13).take(2).map(|it| it.parse::<u64>().expect("a number")).sum();
        (line.map(str::to_owned), used)
    };
    // What is under way may end first; then nothing happens any more.
    eventually(async || {
        let before = calls();
        tokio::time::sleep(Duration::from_millis(200)).await;
        (calls() == before).then_some(())
    })
    .await;
    drop(held);
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

pub(super) async fn exec_moves_both_ways_at_once() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    world.node.start_container("u1", world.container("a-0", "exec sleep 1000")).await.expect("starts");
    let options = ExecOptions { stdin: true, ..ExecOptions::default() };
    let handle = world.node.exec("u1", "a-0", vec!["cat".into()], options).await.expect("runs");
    // More than every buffer on the way, so that each side waits for the other.
    let (chunk, count) = (bytes::Bytes::from(vec![b'x'; 64 << 10]), 128);
    let (input, mut output) = (handle.input, handle.output);
    let feeding = tokio::spawn(async move {
        for _ in 0..count {
            input.send(ExecInput::Stdin(chunk.clone())).await.expect("takes it");
        }
    });
    let mut bytes = 0;
    while let Some(ExecEvent::Stdout(chunk)) = output.recv().await {
        bytes += chunk.len();
    }
    feeding.await.expect("fed");
    assert_eq!(bytes, count * (64 << 10));
    world.node.remove_sandbox("u1").await.expect("removes");
}

pub(super) async fn a_command_goes_with_its_client() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    // A shell as the first process takes in what the killed ones leave.
    let mut spec = world.container("a-0", "cat; true");
    spec.stdin = true;
    world.node.start_container("u1", spec).await.expect("starts");
    for tty in [true, false] {
        // Jobs of a shell are process groups of their own.
        let command =
            ["sh", "-mc", "/bin/sleep 1001 & /bin/sleep 1002 & echo up; /bin/sleep 1003"].map(String::from);
        let options = ExecOptions { stdin: true, tty, size: None };
        let mut handle = world.node.exec("u1", "a-0", command.into(), options).await.expect("runs");
        // Without a terminal the shell may complain of that first.
        let is_up = |event: &ExecEvent| matches!(event, ExecEvent::Stdout(text) if text.windows(2).any(|pair| pair == b"up"));
        while !is_up(&handle.output.recv().await.expect("says that it is up")) {}
        eventually(async || (sleeps(&world).await == 3).then_some(())).await;
        drop(handle);
        eventually(async || (sleeps(&world).await == 0).then_some(())).await;
    }
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

async fn sleeps(world: &World) -> usize {
    world.exec("u1", "a-0", "grep -l sleep /proc/[0-9]*/comm").await.1.lines().count()
}
