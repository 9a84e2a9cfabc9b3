//! Makes the shim's process the sandbox: its namespaces, its name, its loopback, its shared memory, its files.
//!
//! Nothing has to be pinned elsewhere: the namespaces live as long as the shim and the containers in it, and the mounts
//! go with its mount namespace.
#![allow(unsafe_code, reason = "bringing an interface up needs an ioctl, prctl has no wrapper here")]

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::protocol::ShimConfig;
use crate::SandboxSpec;
use crate::cgroup::{self, Hierarchies};

/// Turns this process into the sandbox; returns what the host did not permit.
pub(super) fn enter(config: &ShimConfig) -> io::Result<Vec<String>> {
    let spec = &config.spec;
    let mut flags = CloneFlags::CLONE_NEWNS;
    if !spec.host_network {
        flags |= CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS;
    }
    if !spec.host_ipc {
        flags |= CloneFlags::CLONE_NEWIPC;
    }
    named("making namespaces", unshare(flags))?;
    // Mounts of the host still arrive here; none of ours leaves.
    let slave = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    named("detaching mounts", mount(None::<&str>, "/", None::<&str>, slave, None::<&str>))?;
    if !spec.host_network {
        named("setting the host name", nix::unistd::sethostname(&spec.hostname))?;
        loopback_up()?;
        network_defaults();
    }
    if !spec.host_ipc {
        shared_memory(config)?;
    }
    write_files(config)?;
    cgroup::mount_missing()
        .map_err(|error| io::Error::new(error.kind(), format!("mounting cgroups: {error}")))?;
    Ok(Hierarchies::detect().create(&config.cgroup, &spec.resources))
}

fn named<T>(what: &str, done: nix::Result<T>) -> io::Result<T> {
    done.map_err(|errno| io::Error::new(io::Error::from(errno).kind(), format!("{what}: {}", errno.desc())))
}

fn loopback_up() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: ifreq is plain data for which all zeroes is valid; it lives through the call.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
        if libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// As containerd and Docker set them: any port and ping for every user, inside the pod's own network.
fn network_defaults() {
    for (name, value) in [("ip_unprivileged_port_start", "0"), ("ping_group_range", "0 2147483647")] {
        // A kernel without them keeps its own defaults.
        let _ = fs::write(format!("/proc/sys/net/ipv4/{name}"), value);
    }
}

/// /dev/shm, which the pod's containers share.
fn shared_memory(config: &ShimConfig) -> io::Result<()> {
    let target = config.run_dir.join("shm");
    fs::create_dir_all(&target)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    named(
        "mounting /dev/shm",
        mount(Some("shm"), &target, Some("tmpfs"), flags, Some("mode=1777,size=65536k")),
    )
}

fn write_files(config: &ShimConfig) -> io::Result<()> {
    let spec = &config.spec;
    let host = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let hosts = hosts_file(spec, &config.ips, &host("/etc/hosts"));
    fs::write(config.run_dir.join("hosts"), hosts)?;
    let hostname = if spec.host_network { host("/etc/hostname") } else { format!("{}\n", spec.hostname) };
    fs::write(config.run_dir.join("hostname"), hostname)?;
    let resolv = spec.resolv_conf.clone().unwrap_or_else(crate::host_resolv_conf);
    fs::write(config.run_dir.join("resolv.conf"), resolv)
}

/// /etc/hosts: the kubelet's, line for line. A pod in the host's network has the host's.
fn hosts_file(spec: &SandboxSpec, ips: &[IpAddr], host: &str) -> String {
    let mut text = String::new();
    if spec.host_network {
        text.push_str(host);
    } else {
        text.push_str("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        text.push_str("fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\n");
        text.push_str("fe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
        for ip in ips {
            let names = match &spec.fqdn {
                Some(fqdn) => format!("{fqdn}\t{}", spec.hostname),
                None => spec.hostname.clone(),
            };
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{ip}\t{names}");
        }
    }
    for alias in &spec.host_aliases {
        // As above.
        let _ = writeln!(text, "{}\t{}", alias.ip, alias.names.join("\t"));
    }
    text
}

/// Makes this process the leader of its own session, the parent of orphans below it, and hard to kill for memory where
/// the host permits it; returns what it does not.
pub(super) fn become_parent() -> io::Result<Vec<String>> {
    named("setsid", nix::unistd::setsid())?;
    // SAFETY: a prctl without pointers, and one whose string is a constant.
    unsafe {
        if libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::prctl(libc::PR_SET_NAME, c"xebec-shim".as_ptr());
    }
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    // Without CAP_SYS_RESOURCE this is refused, and the shim is as likely to be killed as any other process.
    let refused = fs::write("/proc/self/oom_score_adj", "-998").err();
    Ok(refused.map(|error| format!("oom_score_adj of shims: {error}")).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostAlias;
    use expect_test::expect;

    #[test]
    fn hosts_files_are_as_the_kubelet_writes_them() {
        let mut spec = SandboxSpec {
            hostname: "web-0".into(),
            fqdn: Some("web-0.web.default.svc.cluster.local".into()),
            host_aliases: vec![HostAlias { ip: "10.0.0.1".into(), names: vec!["a".into(), "b".into()] }],
            ..SandboxSpec::default()
        };
        let own = hosts_file(&spec, &["10.42.0.7".parse().expect("an address")], "");
        spec.host_network = true;
        let host = hosts_file(&spec, &[], "127.0.0.1 localhost\n");
        expect![[r#"
            127.0.0.1	localhost
            ::1	localhost ip6-localhost ip6-loopback
            fe00::0	ip6-localnet
            fe00::0	ip6-mcastprefix
            fe00::1	ip6-allnodes
            fe00::2	ip6-allrouters
            10.42.0.7	web-0.web.default.svc.cluster.local	web-0
            10.0.0.1	a	b
            ---
            127.0.0.1 localhost
            10.0.0.1	a	b
        "#]]
        .assert_eq(&format!("{own}---\n{host}"));
    }
}
