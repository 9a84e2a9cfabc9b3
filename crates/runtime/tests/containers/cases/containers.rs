//! What containers are, do and may, and why some do not start.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use expect_test::expect;
use xebec_runtime::{Mount, MountSource, Resources, Runtime, Security};

use super::survival::is_dead;
use crate::world::{World, eventually};

pub(super) async fn run_logs_and_exit_codes() {
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

pub(super) async fn what_cannot_start_says_why() {
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
        CreateContainerConfigError: container has runAsNonRoot and image will run as root: set runAsUser
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

pub(super) async fn identity_and_rights() {
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

pub(super) async fn mounts_and_limits() {
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
    let (_, text) = world
        .exec(
            "u1",
            "a-0",
            "cat /etc/one/file /proc/1/oom_score_adj /proc/self/oom_score_adj; ls /sys/fs/cgroup",
        )
        .await;
    assert!(text.starts_with("shared\n900\n900\n"), "{text}");
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

pub(super) async fn parts_of_volumes() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let (volume, host) = (world.dir.join("volume"), world.dir.join("host"));
    for folder in [&volume, &host] {
        fs::create_dir(folder).expect("mkdir");
    }
    fs::set_permissions(&volume, fs::Permissions::from_mode(0o777)).expect("set");
    fs::write(volume.join("file"), "one\n").expect("writes");
    symlink("file", volume.join("link")).expect("symlink");
    symlink(&host, volume.join("trap")).expect("symlink");
    let below = |path: &str, target: &str| {
        let (volume, written) = (volume.clone(), "$(PART)".to_owned());
        let source = MountSource::Below { volume, path: path.into(), written };
        Mount { source, target: target.into(), read_only: false, propagate: false }
    };
    for path in ["trap/etc", "../host/etc", "/etc"] {
        let mut spec = world.container("a-0", "true");
        spec.mounts = vec![below("made/first", "/m"), below(path, "/v")];
        let error = world.node.start_container("u1", spec).await.expect_err("it leads out");
        assert_eq!(error.to_string(), "subPath \"$(PART)\" must stay inside its volume", "{path}");
    }
    assert_eq!(fs::read_dir(&host).expect("reads").count(), 0, "nothing is made outside");

    let script = "exec 2>&1; cat /l; echo two > /l; echo x > /m/new && ls /m; exec sleep 1000";
    let mut spec = world.container("a-0", script);
    spec.security.run_as_user = Some(33);
    spec.security.run_as_group = Some(34);
    spec.mounts = vec![below("made/deep", "/m"), below("link", "/l")];
    fs::set_permissions(volume.join("file"), fs::Permissions::from_mode(0o666)).expect("set");
    world.node.start_container("u1", spec).await.expect("starts");
    let log = eventually(async || Some(world.log("a-0")).filter(|log| log.lines().count() >= 2)).await;
    assert_eq!(log, "stdout F one\nstdout F new\n");
    assert_eq!(fs::read_to_string(volume.join("file")).expect("reads"), "two\n");
    // What it has stays what it is, whatever the names lead to by now; nothing else is left mounted.
    fs::rename(volume.join("made"), volume.join("moved")).expect("renames");
    symlink(&host, volume.join("made")).expect("symlink");
    assert_eq!(world.exec("u1", "a-0", "echo y > /m/later && ls /m").await, (0, "later\nnew\n".into()));
    assert_eq!(world.exec("u1", "a-0", "cat /proc/self/mounts").await.1.matches(" /m ").count(), 1);
    assert!(!world.dir.join("run/u1/v").join("a-0").exists());
    world.node.remove_container("u1", "a-0").await.expect("removes");
    world.node.remove_sandbox("u1").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
    assert_eq!(fs::read_to_string(volume.join("moved/deep/later")).expect("volumes stay"), "y\n");
}

pub(super) async fn host_network_and_privileged() {
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

pub(super) async fn host_processes() {
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

pub(super) async fn system_image() {
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
    // Whatever may run as this executable in a container, the file on the host cannot be written through it.
    let sandbox = world.node.list().await.expect("lists").remove(0);
    let read_only = |pid: u32| {
        let found = nix::sys::statvfs::statvfs(format!("/proc/{pid}/exe").as_str()).expect("reads");
        found.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY)
    };
    assert!(read_only(sandbox.pid) && !read_only(std::process::id()));
    let mut spec = world.container("b-0", "");
    spec.command = ["/proc/self/exe", "greet"].map(String::from).to_vec();
    world.node.start_container("u1", spec).await.expect("starts");
    assert_eq!(world.ended("u1", "b-0").await, (0, None, false));
    let images = world.node.list_images().await.expect("lists");
    let names: Vec<&str> = images.iter().flat_map(|image| &image.names).map(String::as_str).collect();
    assert_eq!(names, ["docker.io/library/busybox:latest", "xebec.local/system:test"]);
    world.node.remove_all().await.expect("removes everything");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}
