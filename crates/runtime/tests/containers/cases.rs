//! The cases, in the order in which they are run.

use std::fs;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use xebec_runtime::{
    ContainerPhase, ExecEvent, ExecInput, ExecOptions, Mount, MountSource, NodeNetwork, Resources, Runtime,
    Security,
};

use crate::world::{World, eventually, pod_cgroups, remove_empty_cgroups};

type Case = fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// Every case by its name.
pub(crate) fn all() -> Vec<(&'static str, Case)> {
    vec![
        ("run_logs_and_exit_codes", || Box::pin(run_logs_and_exit_codes())),
        ("what_cannot_start_says_why", || Box::pin(what_cannot_start_says_why())),
        ("exec", || Box::pin(exec())),
        ("exec_streams", || Box::pin(exec_streams())),
        ("containers_share_an_address", || Box::pin(containers_share_an_address())),
        ("identity_and_rights", || Box::pin(identity_and_rights())),
        ("mounts_and_limits", || Box::pin(mounts_and_limits())),
        ("host_network_and_privileged", || Box::pin(host_network_and_privileged())),
        ("host_processes", || Box::pin(host_processes())),
        ("pods_survive_their_agent", || Box::pin(pods_survive_their_agent())),
        ("nothing_is_left_after_a_massacre", || Box::pin(nothing_is_left_after_a_massacre())),
        ("an_idle_shim_sleeps", || Box::pin(an_idle_shim_sleeps())),
        ("a_launch_cut_short_is_cleared", || Box::pin(a_launch_cut_short_is_cleared())),
        ("system_image", || Box::pin(system_image())),
        ("routes", || Box::pin(routes())),
        ("cgroups_that_are_not_mounted", || Box::pin(cgroups_that_are_not_mounted())),
        ("unified_cgroups", || Box::pin(unified_cgroups())),
        ("many_pods_at_once", || Box::pin(many_pods_at_once())),
        ("starts_are_fast", || Box::pin(starts_are_fast())),
    ]
}

async fn run_logs_and_exit_codes() {
    let world = World::new().await;
    let sandbox = world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    assert_eq!(sandbox, world.node.run_sandbox(world.sandbox("u1")).await.expect("is there already"));
    let script = "echo out; echo err >&2; hostname; cat /etc/resolv.conf; exit 7";
    world.node.start_container("u1", world.container("a-0", script)).await.expect("starts");
    assert_eq!(world.ended("u1", "a-0").await, (7, None, false));
    let mut log: Vec<String> = world.log("a-0").lines().map(str::to_owned).collect();
    log.sort();
    let wanted = ["stderr F err", "stdout F host-u1", "stdout F nameserver 10.43.0.10", "stdout F out"];
    assert_eq!(log, wanted);

    // In the foreground: a shell that waits for its child does not handle the signal before that has ended.
    let script = "trap 'exit 3' TERM; sleep 1000 & wait";
    world.node.start_container("u1", world.container("b-0", script)).await.expect("starts");
    world.node.signal_container("u1", "b-0", libc::SIGTERM).await.expect("signals");
    world.node.start_container("u1", world.container("c-0", "exec sleep 1000")).await.expect("starts");
    world.node.signal_container("u1", "c-0", libc::SIGKILL).await.expect("signals");
    assert_eq!(world.ended("u1", "c-0").await, (137, Some(9), false));
    world.node.remove_container("u1", "b-0").await.expect("removes what may still run");
    world.node.remove_container("u1", "b-0").await.expect("once more");
    assert_eq!(world.state("u1", "b-0").await, None);
    world.node.remove_sandbox("u1").await.expect("removes");
    world.node.remove_sandbox("u1").await.expect("once more");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

async fn what_cannot_start_says_why() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let mut errors = Vec::new();
    let mut start = async |spec| {
        let error = world.node.start_container("u1", spec).await.expect_err("does not start");
        errors.push(format!("{}: {error}\n", error.reason()));
    };
    let base = world.container("a-0", "true");
    start(xebec_runtime::ContainerSpec { image: "nothere:1".into(), ..base.clone() }).await;
    start(xebec_runtime::ContainerSpec { command: vec!["/nothere".into()], ..base.clone() }).await;
    start(xebec_runtime::ContainerSpec { command: vec!["/etc/passwd".into()], ..base.clone() }).await;
    start(xebec_runtime::ContainerSpec { id: "../a".into(), ..base.clone() }).await;
    let security = Security { run_as_non_root: true, ..Security::default() };
    start(xebec_runtime::ContainerSpec { security, ..base.clone() }).await;
    let security = Security { add_capabilities: vec!["FLY".into()], ..Security::default() };
    start(xebec_runtime::ContainerSpec { security, ..base.clone() }).await;
    let mounts = vec![Mount::bind("/nothere/at/all", "/x", false)];
    start(xebec_runtime::ContainerSpec { mounts, ..base.clone() }).await;
    expect![[r#"
        ErrImageNeverPull: image "nothere:1" is not on this node; import it with `xebec image import`
        StartError: cannot start "/nothere": no such file or directory
        StartError: cannot start "/etc/passwd": permission denied
        CreateContainerConfigError: container id "../a" must be letters, digits, '-', '_' and '.', at most 128
        CreateContainerConfigError: runAsNonRoot is set and the image's user is root: set runAsUser
        CreateContainerConfigError: there is no capability "FLY"
        CreateContainerConfigError: the mount at /x: /nothere/at/all is not there
    "#]]
    .assert_eq(&errors.concat());
    world.node.start_container("u1", base.clone()).await.expect("the same id still starts");
    let error = world.node.start_container("u1", base).await.expect_err("it is there");
    assert_eq!(error.to_string(), "container \"a-0\" already exists");
    let error =
        world.node.start_container("u2", world.container("a-0", "true")).await.expect_err("no sandbox");
    assert_eq!(error.to_string(), "no sandbox for pod u2");
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

async fn exec() {
    let world = World::new().await;
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
    let leftovers = fs::read_dir(world.dir.join("run/u1/lc/a-0")).expect("reads").flatten();
    assert_eq!(
        leftovers.filter(|entry| entry.file_name().to_string_lossy().starts_with("tenant")).count(),
        0
    );
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

async fn exec_streams() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    world.node.start_container("u1", world.container("a-0", "exec sleep 1000")).await.expect("starts");
    let options = ExecOptions { stdin: true, tty: false };
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

    let options = ExecOptions { stdin: true, tty: true };
    let mut handle = world.node.exec("u1", "a-0", vec!["sh".into()], options).await.expect("runs");
    let line = "test -t 0 && test -t 1 && echo is''atty; exit 5\n";
    handle.input.send(ExecInput::Resize { columns: 100, rows: 30 }).await.expect("takes it");
    handle.input.send(ExecInput::Stdin(line.into())).await.expect("takes it");
    let (mut text, mut code) = (String::new(), None);
    while let Some(event) = handle.output.recv().await {
        match event {
            ExecEvent::Stdout(chunk) => text.push_str(&String::from_utf8_lossy(&chunk)),
            ExecEvent::Stderr(chunk) => panic!("{chunk:?}"),
            ExecEvent::Exit(exit) => code = Some(exit),
        }
    }
    assert!(text.contains("isatty"), "{text:?}");
    assert_eq!(code, Some(5));
    let mut spec = world.container("t-0", "test -t 1 && echo terminal");
    spec.tty = true;
    world.node.start_container("u1", spec).await.expect("starts");
    assert_eq!(world.ended("u1", "t-0").await.0, 0);
    assert_eq!(world.log("t-0"), "stdout F terminal\n");
    world.node.remove_sandbox("u1").await.expect("removes");
}

async fn containers_share_an_address() {
    let world = World::new().await;
    let one = world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let two = world.node.run_sandbox(world.sandbox("u2")).await.expect("runs");
    let serve = "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w";
    let serve = serve.replace("mkdir", "busybox mkdir");
    world.node.start_container("u1", world.container("web-0", &serve)).await.expect("starts");
    world.node.start_container("u1", world.container("side-0", "exec sleep 1000")).await.expect("starts");
    world.node.start_container("u2", world.container("far-0", "exec sleep 1000")).await.expect("starts");
    let ask = |host: &str| format!("wget -q -O - http://{host}/");
    let answers = async |uid, id, host: &str| {
        eventually(async || Some(world.exec(uid, id, &ask(host)).await).filter(|(code, _)| *code == 0))
            .await
            .1
    };
    let ip = one.ips[0].to_string();
    assert_eq!(answers("u1", "side-0", "127.0.0.1").await, "hello\n");
    assert_eq!(answers("u1", "side-0", "host-u1").await, "hello\n");
    // Between pods of one node the packets are routed, by the host.
    assert_eq!(answers("u2", "far-0", &ip).await, "hello\n");
    assert_ne!(one.ips, two.ips);
    // From the host, by the address that the test's network namespace has.
    let stream = tokio::net::TcpStream::connect((one.ips[0], 80)).await;
    assert!(stream.is_ok(), "{stream:?}");
    world.node.remove_sandbox("u1").await.expect("removes");
    world.node.remove_sandbox("u2").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

async fn identity_and_rights() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let script = "id; grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status; echo umask $(umask)";
    let probe = format!("{script}; mount -t tmpfs x /bin 2>&1; echo $HOME; exec sleep 1000");
    let mut spec = world.container("a-0", &probe);
    spec.security = Security { run_as_user: Some(33), supplemental_groups: vec![9], ..Security::default() };
    world.node.start_container("u1", spec).await.expect("starts");
    let mut spec = world.container("b-0", &probe);
    spec.security = Security { no_new_privileges: true, read_only_root: true, ..Security::default() };
    spec.security.drop_capabilities = vec!["ALL".into()];
    world.node.start_container("u1", spec).await.expect("starts");
    let mut text = String::new();
    for id in ["a-0", "b-0"] {
        let lines = eventually(async || Some(world.log(id)).filter(|log| log.lines().count() >= 8)).await;
        text += &lines.replace("stdout F ", "");
        text += "-- exec\n";
        text += &world.exec("u1", id, script).await.1;
    }
    expect![[r#"
        uid=33(web) gid=34 groups=9
        CapEff:	0000000000000000
        CapBnd:	00000000a80425fb
        NoNewPrivs:	0
        Seccomp:	2
        umask 0022
        mount: permission denied (are you root?)
        /var/www
        -- exec
        uid=33(web) gid=34 groups=9
        CapEff:	0000000000000000
        CapBnd:	00000000a80425fb
        NoNewPrivs:	0
        Seccomp:	2
        umask 0022
        uid=0(root) gid=0
        CapEff:	0000000000000000
        CapBnd:	0000000000000000
        NoNewPrivs:	1
        Seccomp:	2
        umask 0022
        mount: permission denied (are you root?)
        /root
        -- exec
        uid=0(root) gid=0
        CapEff:	0000000000000000
        CapBnd:	0000000000000000
        NoNewPrivs:	1
        Seccomp:	2
        umask 0022
    "#]]
    .assert_eq(&text);
    let (code, _) = world.exec("u1", "b-0", "echo x > /file").await;
    assert_ne!(code, 0, "the root is read-only");
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

async fn mounts_and_limits() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let volume = world.dir.join("volume");
    fs::create_dir(&volume).expect("mkdir");
    fs::write(volume.join("file"), "shared\n").expect("writes");
    let mut spec = world
        .container("a-0", "exec 2>&1; cat /v/file; echo new > /v/made; echo no > /r/made; exec sleep 1000");
    let tmpfs = MountSource::Tmpfs { size_bytes: Some(1 << 20) };
    spec.mounts = vec![
        Mount::bind(&volume, "/v", false),
        Mount::bind(&volume, "/r", true),
        Mount::bind(volume.join("file"), "/etc/one/file", true),
        Mount { source: tmpfs, target: "/t".into(), read_only: false, propagate: false },
    ];
    spec.resources = Resources {
        cpu_request_millis: Some(250),
        cpu_limit_millis: Some(500),
        memory_limit_bytes: Some(16 << 20),
        pids_limit: Some(50),
        oom_score_adj: Some(900),
    };
    world.node.start_container("u1", spec.clone()).await.expect("starts");
    let log = eventually(async || Some(world.log("a-0")).filter(|log| log.lines().count() >= 2)).await;
    expect![[r#"
        stdout F shared
        stdout F sh: can't create /r/made: Read-only file system
    "#]]
    .assert_eq(&log);
    let (_, text) =
        world.exec("u1", "a-0", "cat /etc/one/file /proc/1/oom_score_adj; ls /sys/fs/cgroup").await;
    assert!(text.starts_with("shared\n900\n"), "{text}");
    assert_eq!(fs::read_to_string(volume.join("made")).expect("reads"), "new\n");
    assert!(!fs::read_to_string("/proc/self/mounts").expect("reads").contains("overlay"));

    spec.id = "b-0".into();
    spec.command = ["sh", "-c", "x=x; while true; do x=$x$x; done"].map(String::from).to_vec();
    world.node.start_container("u1", spec).await.expect("starts");
    assert_eq!(world.ended("u1", "b-0").await, (137, Some(9), true));
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
    assert_eq!(fs::read_to_string(volume.join("file")).expect("volumes stay"), "shared\n");
}

async fn host_network_and_privileged() {
    let world = World::new().await;
    let mut sandbox = world.sandbox("u1");
    sandbox.host_network = true;
    let sandbox = world.node.run_sandbox(sandbox).await.expect("runs");
    assert_eq!(sandbox.ips, Vec::<std::net::IpAddr>::new());
    let mut spec = world.container("a-0", "exec sleep 1000");
    spec.security.privileged = true;
    world.node.start_container("u1", spec).await.expect("starts");
    let script =
        "echo 0 > /proc/sys/net/ipv4/ip_forward && echo wrote; mount -t tmpfs x /bin && echo mounted";
    assert_eq!(world.exec("u1", "a-0", script).await, (0, "wrote\nmounted\n".into()));
    // Its network is the node's: here, the test's own.
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_forward").expect("reads"), "0\n");
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("writes");
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

async fn an_idle_shim_sleeps() {
    let world = World::new().await;
    let shim = world.node.run_sandbox(world.sandbox("u1")).await.expect("runs").pid;
    // Every kind of descriptor that could be ready for ever: closed streams, terminals, stdin, gone connections.
    let mut spec = world.container("a-0", "exec sleep 1000 >&- 2>&-");
    spec.stdin = true;
    world.node.start_container("u1", spec).await.expect("starts");
    let mut spec = world.container("b-0", "exec sleep 1000");
    spec.tty = true;
    world.node.start_container("u1", spec).await.expect("starts");
    let options = ExecOptions { stdin: true, tty: true };
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

async fn a_launch_cut_short_is_cleared() {
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

async fn host_processes() {
    let world = World::new().await;
    let mut sandbox = world.sandbox("u1");
    (sandbox.host_pid, sandbox.host_ipc) = (true, true);
    world.node.run_sandbox(sandbox).await.expect("runs");
    // Without a process namespace, what it started would outlive it.
    let script = "sleep 1000 & echo $!; sleep 0.1; exit 3";
    world.node.start_container("u1", world.container("a-0", script)).await.expect("starts");
    assert_eq!(world.ended("u1", "a-0").await, (3, None, false));
    let child: u32 = world.log("a-0").trim_start_matches("stdout F ").trim().parse().expect("a process id");
    eventually(async || is_dead(child).then_some(())).await;
    let sleeper = world.container("b-0", "sleep 1000 & exec sleep 1000");
    world.node.start_container("u1", sleeper).await.expect("starts");
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

async fn system_image() {
    let world = World::new().await;
    let executable = std::env::current_exe().expect("a path");
    for _ in 0..2 {
        let name = world.node.images().add_system_image(&executable, "test").expect("packs itself");
        assert_eq!(name, "xebec.local/system:test");
    }
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let mut spec = world.container("a-0", "");
    spec.image = "xebec.local/system:test".into();
    spec.command = Vec::new();
    spec.args = vec!["greet".into()];
    world.node.start_container("u1", spec).await.expect("starts");
    assert_eq!(world.ended("u1", "a-0").await, (0, None, false));
    assert_eq!(world.log("a-0"), "stderr F hello from /xebec\n");
    let images = world.node.list_images().await.expect("lists");
    let names: Vec<&str> = images.iter().flat_map(|image| &image.names).map(String::as_str).collect();
    assert_eq!(names, ["docker.io/library/busybox:latest", "xebec.local/system:test"]);
    world.node.remove_all().await.expect("removes everything");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

async fn routes() {
    let world = World::new().await;
    let ip = |line: &str| {
        let output = Command::new("ip").args(line.split(' ')).output().expect("iproute2 is installed");
        assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    ip("link add up0 type veth peer name up1");
    ip("address add 10.88.1.1/24 dev up0");
    ip("link set up0 up");
    ip("link set up1 up");
    let set = async |peers: &[(&str, &str)]| {
        let peers = peers.iter().map(|(range, via)| ((*range).to_owned(), via.parse().expect("an address")));
        let network = NodeNetwork { pod_cidrs: vec!["10.77.1.0/24".into()], peers: peers.collect() };
        let result = world.node.set_network(network).await;
        let shown = ip("route show proto 118").lines().map(|line| format!("{}\n", line.trim_end())).collect();
        (result.map_err(|error| error.to_string()), shown)
    };
    let mut text: Vec<(Result<(), String>, String)> = Vec::new();
    text.push(set(&[("10.77.2.0/24", "10.88.1.2"), ("10.77.3.0/24", "10.88.1.3")]).await);
    text.push(set(&[("10.77.2.0/24", "10.88.1.4"), ("10.77.1.0/24", "10.88.1.2")]).await);
    text.push(set(&[("10.77.2.0/24", "192.0.2.1"), ("10.77.4.0/24", "10.88.1.4")]).await);
    text.push(set(&[("nonsense", "10.88.1.4")]).await);
    text.push(set(&[]).await);
    ip("link del up0");
    expect![[r#"
        [
            (
                Ok(
                    (),
                ),
                "unreachable 10.77.1.0/24\n10.77.2.0/24 via 10.88.1.2 dev up0\n10.77.3.0/24 via 10.88.1.3 dev up0\n",
            ),
            (
                Ok(
                    (),
                ),
                "unreachable 10.77.1.0/24\n10.77.2.0/24 via 10.88.1.4 dev up0\n",
            ),
            (
                Err(
                    "pod network: adding the route to 10.77.2.0/24 (Via(192.0.2.1)): Received a netlink error message Network is unreachable (os error 101)",
                ),
                "unreachable 10.77.1.0/24\n10.77.4.0/24 via 10.88.1.4 dev up0\n",
            ),
            (
                Err(
                    "pod network: \"nonsense\" is not an IPv4 range such as 10.42.1.0/24",
                ),
                "unreachable 10.77.1.0/24\n10.77.4.0/24 via 10.88.1.4 dev up0\n",
            ),
            (
                Ok(
                    (),
                ),
                "unreachable 10.77.1.0/24\n",
            ),
        ]
    "#]].assert_debug_eq(&text);
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

async fn cgroups_that_are_not_mounted() {
    // What `ip netns exec` does.
    again("umount -l /sys && mount -t sysfs sysfs /sys", "run_logs mounts_and massacre");
}

async fn unified_cgroups() {
    // Its controllers may all be v1's: then there are no limits, and the pods run.
    let unified = "umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup";
    again(unified, "run_logs exec what_cannot massacre");
}

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

async fn pods_survive_their_agent() {
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

async fn nothing_is_left_after_a_massacre() {
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
    next.node.remove_container("u1", "a-0").await.expect("there is nothing to remove");
    next.node.remove_sandbox("u1").await.expect("removes");
    let again = next.node.run_sandbox(next.sandbox("u2")).await.expect("makes it anew");
    assert!(again.alive && again.containers.is_empty());
    next.node.start_container("u2", next.container("a-0", "exec sleep 1000")).await.expect("starts");
    next.node.remove_sandbox("u2").await.expect("removes");
    assert_eq!(next.left_behind(), Vec::<String>::new());
}

fn is_dead(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, after)| after.starts_with(['Z', 'X']))
}

async fn many_pods_at_once() {
    let world = World::new().await;
    let at = Instant::now();
    let start = async |round: usize| {
        let uid = format!("u{round}");
        world.node.run_sandbox(world.sandbox(&uid)).await.expect("runs");
        for id in ["a", "b"] {
            let spec = world.container(&format!("{id}-{round}"), "echo up; exec sleep 1000");
            world.node.start_container(&uid, spec).await.expect("starts");
        }
        let ended = world.container(&format!("c-{round}"), "exit 2");
        world.node.start_container(&uid, ended).await.expect("starts");
        assert_eq!(world.ended(&uid, &format!("c-{round}")).await.0, 2);
        uid
    };
    let uids = futures::future::join_all((0..20).map(start)).await;
    eprintln!("  60 containers in 20 pods after {} ms", at.elapsed().as_millis());
    let sandboxes = world.node.list().await.expect("lists");
    let ips: std::collections::BTreeSet<_> = sandboxes.iter().flat_map(|sandbox| &sandbox.ips).collect();
    assert_eq!((sandboxes.len(), ips.len()), (20, 20));
    futures::future::join_all(uids.iter().map(async |uid| {
        world.node.remove_sandbox(uid).await.expect("removes");
    }))
    .await;
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

/// Not a test of speed: it prints what it measures.
async fn starts_are_fast() {
    let world = World::new().await;
    let (mut sandboxes, mut containers, mut execs, mut removals) = (vec![], vec![], vec![], vec![]);
    for round in 0..10 {
        let uid = format!("u{round}");
        let at = Instant::now();
        world.node.run_sandbox(world.sandbox(&uid)).await.expect("runs");
        sandboxes.push(at.elapsed());
        let at = Instant::now();
        world.node.start_container(&uid, world.container("a-0", "exec sleep 1000")).await.expect("starts");
        containers.push(at.elapsed());
        let at = Instant::now();
        world.exec(&uid, "a-0", "true").await;
        execs.push(at.elapsed());
        let at = Instant::now();
        world.node.remove_sandbox(&uid).await.expect("removes");
        removals.push(at.elapsed());
    }
    for (what, mut times) in
        [("sandbox", sandboxes), ("container", containers), ("exec", execs), ("removal", removals)]
    {
        times.sort();
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        eprintln!("  {what}: median {:.1} ms, worst {:.1} ms", ms(times[times.len() / 2]), ms(times[9]));
    }
}
