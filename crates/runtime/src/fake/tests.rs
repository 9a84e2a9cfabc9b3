//! The fake keeps the trait's contract.

use std::time::Duration;

use expect_test::expect;

use super::{Behaviour, FakeRuntime};
use crate::{ContainerPhase, ContainerSpec, Runtime, SandboxSpec};

fn sandbox() -> SandboxSpec {
    SandboxSpec {
        pod_uid: "u1".into(),
        namespace: "default".into(),
        name: "web".into(),
        ..Default::default()
    }
}

fn container(id: &str, image: &str) -> ContainerSpec {
    ContainerSpec { id: id.into(), image: image.into(), ..Default::default() }
}

#[tokio::test(start_paused = true)]
async fn scripted_containers_run_exit_and_fail() {
    let fake = FakeRuntime::new();
    fake.add_image("run", Behaviour::Run);
    fake.add_image("once", Behaviour::Exit { code: 3, after: Duration::from_secs(2) });
    fake.add_image("broken", Behaviour::FailStart { message: "no such file".into() });
    fake.on_exec("true", 0, "fine");
    let mut events = fake.events();
    fake.run_sandbox(sandbox()).await.expect("works");
    fake.start_container("u1", container("a-0", "run")).await.expect("works");
    fake.start_container("u1", container("b-0", "once")).await.expect("works");
    for (id, image) in [("c-0", "broken"), ("d-0", "absent")] {
        let error = fake.start_container("u1", container(id, image)).await.expect_err("fails");
        fake.lock().calls.push(format!("  {}: {error}", error.reason()));
    }
    for _ in 0..4 {
        events.recv().await.expect("works");
    }
    let exec = fake.exec_sync("u1", "a-0", vec!["true".into()], Duration::from_secs(1)).await.expect("works");
    assert_eq!((exec.exit_code, exec.output.as_slice()), (0, b"fine".as_slice()));
    fake.signal_container("u1", "a-0", libc::SIGTERM).await.expect("works");
    let phases: Vec<ContainerPhase> =
        fake.list().await.expect("works").remove(0).containers.into_iter().map(|found| found.phase).collect();
    expect![[r#"
        [
            Exited {
                code: 143,
                signal: Some(
                    15,
                ),
                finished_at: 2026-01-01T00:00:02Z,
                oom_killed: false,
            },
            Exited {
                code: 3,
                signal: None,
                finished_at: 2026-01-01T00:00:02Z,
                oom_killed: false,
            },
        ]
    "#]]
    .assert_debug_eq(&phases);
    fake.stop_sandbox("u1").await.expect("works");
    let stopped = fake.list().await.expect("works").remove(0);
    assert_eq!((stopped.alive, stopped.stopped, stopped.containers.len()), (false, true, 2));
    fake.remove_sandbox("u1").await.expect("works");
    assert!(fake.list().await.expect("works").is_empty());
    expect![[r#"
        run_sandbox default/web u1
        start_container u1 a-0 run
        start_container u1 b-0 once
        start_container u1 c-0 broken
          StartError: cannot start "": no such file
        start_container u1 d-0 absent
          ErrImageNeverPull: image "absent" is not on this node; import it with `xebec image import`
        exec u1 a-0: true
        signal_container u1 a-0 15
        stop_sandbox u1
        remove_sandbox u1"#]]
    .assert_eq(&fake.take_calls().join("\n"));
}
