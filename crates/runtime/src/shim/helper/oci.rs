//! Builds the OCI runtime configuration of a container, and the process document of an exec.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::capabilities::Granted;
use super::seccomp;
use super::user::User;
use crate::shim::protocol::{ShimConfig, StartRequest};
use crate::{Mount, MountSource, Resources};

/// How long a CPU quota's period is, in microseconds.
const CPU_PERIOD_US: u64 = 100_000;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What the configuration is built from.
pub(super) struct Parts<'a> {
    pub(super) config: &'a ShimConfig,
    pub(super) request: &'a StartRequest,
    /// The request's, with parts of volumes where they are staged.
    pub(super) mounts: &'a [Mount],
    pub(super) root: &'a Path,
    pub(super) user: &'a User,
    pub(super) granted: &'a Granted,
    /// The sandbox has its own cgroup namespace to give: cgroup v2.
    pub(super) unified: bool,
    /// The limits that this host can set.
    pub(super) resources: Resources,
}

/// The command: the pod's, else the image's. A command of the pod's drops the image's arguments too.
pub(super) fn command(request: &StartRequest) -> Vec<String> {
    let (spec, image) = (&request.spec, &request.process);
    let image_entrypoint = image.entrypoint.clone().unwrap_or_default();
    let image_cmd = image.cmd.clone().unwrap_or_default();
    let (head, tail) = match (spec.command.is_empty(), spec.args.is_empty()) {
        (true, true) => (image_entrypoint, image_cmd),
        (true, false) => (image_entrypoint, spec.args.clone()),
        (false, _) => (spec.command.clone(), spec.args.clone()),
    };
    [head, tail].concat()
}

/// The working directory: the pod's, else the image's, else `/`.
pub(super) fn working_dir(request: &StartRequest) -> String {
    let image = Some(request.process.working_dir.clone()).filter(|dir| !dir.is_empty());
    request.spec.working_dir.clone().or(image).unwrap_or_else(|| "/".into())
}

/// The whole configuration.
pub(super) fn configuration(parts: &Parts<'_>) -> Value {
    let spec = &parts.request.spec;
    let privileged = spec.security.privileged;
    let mut linux = json!({
        "namespaces": namespaces(parts),
        "cgroupsPath": format!("{}/{}", parts.config.cgroup, spec.id),
        "resources": resources(&parts.resources, privileged),
    });
    if privileged {
        linux["devices"] = host_devices();
    } else {
        linux["maskedPaths"] = json!(MASKED);
        linux["readonlyPaths"] = json!(READ_ONLY);
        if !spec.security.seccomp_unconfined {
            linux["seccomp"] = seccomp::profile(parts.granted);
        }
    }
    json!({
        "ociVersion": "1.0.2",
        "root": { "path": parts.root, "readonly": spec.security.read_only_root },
        "process": process(parts),
        "mounts": mounts(parts),
        "linux": linux,
    })
}

fn process(parts: &Parts<'_>) -> Value {
    let (user, names) = (parts.user, &parts.granted.names);
    let mut process = json!({
        "terminal": parts.request.spec.tty,
        "user": { "uid": user.uid, "gid": user.gid, "umask": 0o022, "additionalGids": user.groups },
        "args": command(parts.request),
        "env": environment(parts),
        "cwd": working_dir(parts.request),
        "capabilities": { "bounding": names, "effective": names, "permitted": names },
    });
    if parts.request.spec.security.no_new_privileges {
        process["noNewPrivileges"] = json!(true);
    }
    process
}

/// The image's variables, then the pod's, each name once. PATH, HOME and HOSTNAME are there in any case.
fn environment(parts: &Parts<'_>) -> Vec<String> {
    let mut found: Vec<(String, String)> = vec![("PATH".into(), DEFAULT_PATH.into())];
    let mut set = |name: &str, value: &str| match found.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value.to_owned(),
        None => found.push((name.to_owned(), value.to_owned())),
    };
    set("HOME", &parts.user.home);
    if !parts.config.spec.host_network {
        set("HOSTNAME", &parts.config.spec.hostname);
    }
    if parts.request.spec.tty {
        set("TERM", "xterm");
    }
    for variable in parts.request.process.env.iter().flatten() {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        set(name, value);
    }
    for (name, value) in &parts.request.spec.env {
        set(name, value);
    }
    found.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// The network, IPC and host name come from the shim, which lives in the sandbox's: a child inherits them.
fn namespaces(parts: &Parts<'_>) -> Vec<Value> {
    let mut kinds = vec!["mount"];
    if !parts.config.spec.host_pid {
        kinds.push("pid");
    }
    if parts.unified {
        kinds.push("cgroup");
    }
    kinds.into_iter().map(|kind| json!({ "type": kind })).collect()
}

/// A CPU request in millicores as cgroup v1 shares, as the kubelet computes them.
pub(crate) fn cpu_shares(millis: u64) -> u64 {
    (millis * 1024 / 1000).clamp(2, 262_144)
}

/// A CPU limit in millicores as microseconds per 100 ms.
pub(crate) fn cpu_quota_us(millis: u64) -> u64 {
    (millis * CPU_PERIOD_US / 1000).max(1000)
}

fn resources(resources: &Resources, privileged: bool) -> Value {
    let mut cpu = json!({});
    if let Some(millis) = resources.cpu_request_millis {
        cpu["shares"] = json!(cpu_shares(millis));
    }
    if let Some(millis) = resources.cpu_limit_millis {
        cpu["quota"] = json!(cpu_quota_us(millis));
        cpu["period"] = json!(CPU_PERIOD_US);
    }
    let mut value = json!({ "cpu": cpu, "devices": [{ "allow": privileged, "access": "rwm" }] });
    if let Some(bytes) = resources.memory_limit_bytes {
        value["memory"] = json!({ "limit": bytes });
    }
    if let Some(limit) = resources.pids_limit {
        value["pids"] = json!({ "limit": limit });
    }
    value
}

fn mounts(parts: &Parts<'_>) -> Vec<Value> {
    let privileged = parts.request.spec.security.privileged;
    let sys = if privileged { "rw" } else { "ro" };
    let run = &parts.config.run_dir;
    let mount = |to: &str, kind: &str, options: &[&str]| json!({ "destination": to, "type": kind, "source": kind, "options": options });
    let bind = |from: PathBuf, to: &str| json!({ "destination": to, "type": "bind", "source": from, "options": ["rbind", "rprivate", "rw"] });
    let mut all = vec![
        mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", sys]),
        mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", sys]),
        bind(if parts.config.spec.host_ipc { "/dev/shm".into() } else { run.join("shm") }, "/dev/shm"),
    ];
    let targets: Vec<&PathBuf> = parts.mounts.iter().map(|mount| &mount.target).collect();
    for name in ["hosts", "hostname", "resolv.conf"] {
        let target = format!("/etc/{name}");
        if !targets.iter().any(|path| path.as_os_str() == target.as_str()) {
            all.push(bind(run.join(name), &target));
        }
    }
    all.extend(parts.mounts.iter().map(user_mount));
    all
}

fn user_mount(mount: &Mount) -> Value {
    let access = if mount.read_only { "ro" } else { "rw" };
    match &mount.source {
        MountSource::Bind(source) => {
            let propagation = if mount.propagate { "rslave" } else { "rprivate" };
            let options = ["rbind", propagation, access];
            json!({ "destination": mount.target, "type": "bind", "source": source, "options": options })
        }
        MountSource::Below { .. } => unreachable!("parts of volumes are staged before"),
        MountSource::Tmpfs { size_bytes } => {
            let mut options = vec!["nosuid".to_owned(), "nodev".into(), "mode=1777".into(), access.into()];
            options.extend(size_bytes.map(|bytes| format!("size={bytes}")));
            json!({ "destination": mount.target, "type": "tmpfs", "source": "tmpfs", "options": options })
        }
    }
}

/// The host's devices, for a privileged container.
fn host_devices() -> Value {
    let mut devices = Vec::new();
    let walk = walkdir::WalkDir::new("/dev").same_file_system(true).into_iter().filter_entry(|entry| {
        !matches!(entry.path().to_str(), Some("/dev/pts" | "/dev/shm" | "/dev/mqueue" | "/dev/console"))
    });
    for entry in walk.flatten() {
        let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
        let kind = match metadata.file_type() {
            kind if kind.is_char_device() => "c",
            kind if kind.is_block_device() => "b",
            _ => continue,
        };
        devices.push(json!({
            "path": entry.path(), "type": kind,
            "major": libc::major(metadata.rdev()), "minor": libc::minor(metadata.rdev()),
            "fileMode": metadata.mode() & 0o777, "uid": metadata.uid(), "gid": metadata.gid(),
        }));
    }
    json!(devices)
}

/// The process document of an exec: everything of the container's process but its identity, which the executor takes
/// on last (see [`super::program`]).
pub(super) fn exec_process(configuration: &Value, command: &[String], tty: bool) -> Value {
    let process = &configuration["process"];
    let mut env = process["env"].clone();
    if let (true, Some(env)) = (tty, env.as_array_mut())
        && !env.iter().any(|variable| variable.as_str().is_some_and(|text| text.starts_with("TERM=")))
    {
        env.push(json!("TERM=xterm"));
    }
    json!({ "terminal": tty, "user": { "uid": 0, "gid": 0 }, "args": command, "env": env, "cwd": process["cwd"] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::ProcessConfig;
    use crate::{ContainerSpec, SandboxSpec, Security};
    use expect_test::expect;

    fn request(spec: ContainerSpec) -> StartRequest {
        let process = ProcessConfig {
            entrypoint: Some(vec!["/entry".into()]),
            cmd: Some(vec!["image".into(), "args".into()]),
            env: Some(vec!["A=image".into(), "B=image".into(), "PATH=/image".into()]),
            working_dir: "/image".into(),
            ..ProcessConfig::default()
        };
        StartRequest { spec, image_digest: String::new(), layers: Vec::new(), process }
    }

    #[test]
    fn commands_follow_kubernetes_table() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let ask = |entry: &str, args: &str| {
            let spec = ContainerSpec { command: words(entry), args: words(args), ..Default::default() };
            command(&request(spec)).join(" ")
        };
        let asked = [ask("", ""), ask("", "own"), ask("/own", ""), ask("/own", "args")];
        assert_eq!(asked, ["/entry image args", "/entry own", "/own", "/own args"]);
    }

    #[test]
    fn a_configuration_has_what_was_asked_for() {
        let config = ShimConfig {
            spec: SandboxSpec { hostname: "web".into(), ..SandboxSpec::default() },
            ips: Vec::new(),
            cgroup: "/xebec/n1/podu1".into(),
            run_dir: "/run/u1".into(),
            work_dir: "/work/u1".into(),
        };
        let resources = Resources {
            cpu_request_millis: Some(500),
            cpu_limit_millis: Some(1500),
            memory_limit_bytes: Some(64 << 20),
            ..Resources::default()
        };
        let request = request(ContainerSpec {
            id: "a-0".into(),
            env: vec![("B".into(), "pod".into())],
            mounts: vec![Mount::bind("/from", "/etc/hosts", true)],
            security: Security { no_new_privileges: true, ..Security::default() },
            ..ContainerSpec::default()
        });
        let user = User { uid: 1, gid: 2, groups: vec![3], home: "/home".into() };
        let granted = Granted { names: vec!["CAP_KILL".into()], missing: Vec::new() };
        let parts = Parts {
            config: &config,
            request: &request,
            mounts: &request.spec.mounts,
            root: Path::new("/root"),
            user: &user,
            granted: &granted,
            unified: true,
            resources,
        };
        let built = configuration(&parts);
        let mounts: Vec<&str> = built["mounts"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it["destination"].as_str())
            .collect();
        expect![[r#"
            {"args":["/entry","image","args"],"capabilities":{"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"]},"cwd":"/image","env":["PATH=/image","HOME=/home","HOSTNAME=web","A=image","B=pod"],"noNewPrivileges":true,"terminal":false,"user":{"additionalGids":[3],"gid":2,"uid":1,"umask":18}}
            {"cpu":{"period":100000,"quota":150000,"shares":512},"devices":[{"access":"rwm","allow":false}],"memory":{"limit":67108864}}
            [{"type":"mount"},{"type":"pid"},{"type":"cgroup"}]
            "/xebec/n1/podu1/a-0"
            ["/proc", "/dev", "/dev/pts", "/dev/mqueue", "/sys", "/sys/fs/cgroup", "/dev/shm", "/etc/hostname", "/etc/resolv.conf", "/etc/hosts"]
        "#]].assert_eq(&format!(
            "{}\n{}\n{}\n{}\n{mounts:?}\n",
            built["process"],
            built["linux"]["resources"],
            built["linux"]["namespaces"],
            built["linux"]["cgroupsPath"]
        ));
        // What is written for libcontainer is what it reads.
        serde_json::from_value::<libcontainer::oci_spec::runtime::Spec>(built)
            .expect("a runtime configuration");
    }
}
