//! What survives a kill, what is cleared after one, and hosts whose cgroups are elsewhere.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use xebec_runtime::{ContainerPhase, Runtime};

use crate::world::{World, eventually, pod_cgroups, remove_empty_cgroups};

/// The agent that is killed: it starts a pod, says so, and waits.
pub(crate) async fn agent(dir: PathBuf) {
    let world = World::open(&dir).await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let script = "n=0; while true; do echo $n; n=$((n+1)); sleep 0.05; done";
    world.node.start_container("u1", world.container("a-0", script)).await.expect("starts");
    let quick = world.container("b-0", "sleep 0.3; exit 9");
    world.node.start_container("u1", quick).await.expect("starts");
    #[allow(clippy::print_stdout, reason = "the test waits for it")]
    {
        println!("ready");
    }
    std::future::pending::<()>().await;
}

pub(super) async fn pods_survive_their_agent() {
    let world = World::new().await;
    let mut child = Command::new("/proc/self/exe")
        .args(["agent".as_ref(), world.dir.as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts itself");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("reads");
    assert_eq!(line, "ready\n");
    child.kill().expect("kills");
    child.wait().expect("waits");

    let next = World::open(&world.dir).await;
    let sandbox = next.node.list().await.expect("lists").remove(0);
    assert!(sandbox.alive);
    assert_eq!((sandbox.pod_uid.as_str(), sandbox.containers.len()), ("u1", 2));
    let state = next.state("u1", "a-0").await.expect("is there");
    assert_eq!(state.phase, ContainerPhase::Running);
    assert_eq!(next.ended("u1", "b-0").await, (9, None, false));
    let before = next.log("a-0").lines().count();
    eventually(async || (next.log("a-0").lines().count() > before + 3).then_some(())).await;
    assert_eq!(next.exec("u1", "a-0", "echo still here").await, (0, "still here\n".into()));
    let ip = next.node.run_sandbox(next.sandbox("u2")).await.expect("runs").ips;
    assert_ne!(ip, sandbox.ips, "its address is still its own");
    for uid in ["u1", "u2"] {
        next.node.remove_sandbox(uid).await.expect("removes");
    }
    next.node.close().await;
    assert_eq!(next.left_behind(), Vec::<String>::new());
}

pub(super) async fn nothing_is_left_after_a_massacre() {
    let world = World::new().await;
    let mut events = world.node.events();
    for uid in ["u1", "u2"] {
        world.node.run_sandbox(world.sandbox(uid)).await.expect("runs");
        world.node.start_container(uid, world.container("a-0", "exec sleep 1000")).await.expect("starts");
    }
    let before = world.node.list().await.expect("lists");
    kill(Pid::from_raw(before[0].pid as i32), Signal::SIGKILL).expect("kills a shim");
    let container = before[0].containers[0].pid;
    // A container does not outlive its shim, which owned its output.
    eventually(async || {
        (!PathBuf::from(format!("/proc/{container}/ns")).exists() || is_dead(container)).then_some(())
    })
    .await;
    eventually(async || (!world.node.list().await.expect("lists")[0].alive).then_some(())).await;
    assert!(events.try_recv().is_ok());
    kill(Pid::from_raw(before[1].pid as i32), Signal::SIGKILL).expect("kills a shim");
    world.node.close().await;

    let next = World::open(&world.dir).await;
    let list = next.node.list().await.expect("lists");
    assert_eq!(list.iter().map(|sandbox| sandbox.alive).collect::<Vec<_>>(), [false, false]);
    assert_eq!(list[0].containers[0].id, "a-0");
    assert_eq!(
        list.iter().map(|sandbox| sandbox.stopped).collect::<Vec<_>>(),
        [true, true],
        "nothing holds an address"
    );
    next.node.remove_container("u1", "a-0").await.expect("there is nothing to remove");
    next.node.remove_sandbox("u1").await.expect("removes");
    let again = next.node.run_sandbox(next.sandbox("u2")).await.expect("makes it anew");
    assert!(again.alive && again.containers.is_empty());
    next.node.start_container("u2", next.container("a-0", "exec sleep 1000")).await.expect("starts");
    next.node.remove_sandbox("u2").await.expect("removes");
    assert_eq!(next.left_behind(), Vec::<String>::new());
}

/// The files of a sandbox whose record alone is left.
const RECORD: [&str; 3] = ["config.json", "ready", "state.json"];

pub(super) async fn a_stopped_sandbox_holds_nothing() {
    let world = World::new().await;
    let first = world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    world.node.start_container("u1", world.container("a-0", "echo said; exit 3")).await.expect("starts");
    world.node.start_container("u1", world.container("b-0", "exec sleep 1000")).await.expect("starts");
    assert_eq!(world.ended("u1", "a-0").await, (3, None, false));
    let held = |world: &World| {
        let record = RECORD.map(|file| format!("run/u1/{file}"));
        let files = walkdir::WalkDir::new(world.dir.join("run")).into_iter().flatten();
        let files = files.filter(|entry| !entry.file_type().is_dir()).map(|entry| entry.into_path());
        let mut left: Vec<String> = files
            .filter(|path| !record.iter().any(|it| path.ends_with(it)))
            .map(|path| format!("{path:?}"))
            .collect();
        let run = format!("file {}", world.dir.join("run/u1").display());
        left.extend(world.left_behind().into_iter().filter(|it| *it != run));
        left
    };
    assert_ne!(held(&world), Vec::<String>::new());
    for _ in 0..2 {
        world.node.stop_sandbox("u1").await.expect("stops");
        assert_eq!(held(&world), Vec::<String>::new());
    }
    let record = |list: Vec<xebec_runtime::Sandbox>| {
        let sandbox = list.into_iter().find(|it| it.pod_uid == "u1").expect("its record stays");
        let codes: Vec<String> = sandbox.containers.iter().map(|it| it.id.clone()).collect();
        (sandbox.alive, sandbox.stopped, sandbox.ips, codes)
    };
    let wanted = (false, true, first.ips.clone(), vec!["a-0".to_owned(), "b-0".to_owned()]);
    assert_eq!(record(world.node.list().await.expect("lists")), wanted);
    assert_eq!(world.ended("u1", "a-0").await, (3, None, false));
    assert_eq!(world.log("a-0"), "stdout F said\n");
    world.node.close().await;

    // The next agent has the same record, and the address is free.
    let next = World::open(&world.dir).await;
    assert_eq!(record(next.node.list().await.expect("lists")), wanted);
    assert_eq!(
        fs::read_to_string(next.dir.join("data/addresses.json")).expect("reads").matches("u1").count(),
        0
    );
    next.node.remove_sandbox("u1").await.expect("removes");
    next.node.run_sandbox(next.sandbox("u1")).await.expect("and it may run again");
    next.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(next.left_behind(), Vec::<String>::new());
}

pub(super) fn is_dead(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, after)| after.starts_with(['Z', 'X']))
}

pub(super) async fn a_launch_cut_short_is_cleared() {
    let world = World::new().await;
    for uid in ["u1", "u2", "u3"] {
        world.node.run_sandbox(world.sandbox(uid)).await.expect("runs");
    }
    world.node.close().await;
    // Before the network was there; before the shim was; before anything but a folder was.
    fs::remove_file(world.dir.join("run/u1/ready")).expect("removes");
    fs::write(world.dir.join("run/u2/config.json"), "{").expect("writes");
    fs::create_dir(world.dir.join("data/pods/u4")).expect("mkdir");
    let next = World::open(&world.dir).await;
    let left: Vec<String> = next.node.list().await.expect("lists").into_iter().map(|it| it.pod_uid).collect();
    assert_eq!(left, ["u3"]);
    next.node.remove_sandbox("u3").await.expect("removes");
    assert_eq!(next.left_behind(), Vec::<String>::new());
}

/// Runs some of the cases again where the mounts are others.
fn again(prepare: &str, cases: &str) {
    let script = format!("mount --make-rprivate / && {prepare} && exec \"$0\" {cases}");
    let command = ["-m", "sh", "-c", &script, "/proc/self/exe"];
    let executable = std::env::current_exe().expect("a path");
    let command =
        command.map(|word| if word == "/proc/self/exe" { executable.as_os_str() } else { word.as_ref() });
    let output = Command::new("unshare").args(command).output().expect("util-linux is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Seen from where everything is mounted.
    assert_eq!(pod_cgroups(), Vec::<PathBuf>::new());
    remove_empty_cgroups();
}

pub(super) async fn cgroups_that_are_not_mounted() {
    // What `ip netns exec` does.
    again("umount -l /sys && mount -t sysfs sysfs /sys", "run_logs mounts_and massacre");
}

pub(super) async fn unified_cgroups() {
    // Its controllers may all be v1's: then there are no limits, and the pods run.
    let unified = "umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup";
    again(unified, "run_logs exec what_cannot massacre");
}
