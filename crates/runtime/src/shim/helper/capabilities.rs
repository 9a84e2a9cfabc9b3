//! Which capabilities a container gets: Docker's default set, what the pod adds and drops, and never more than this
//! host has to give.

use crate::Security;

/// Every capability, by its number.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What a container has where nothing is asked for.
const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// The set, and what had to be left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted {
    /// With `CAP_`, by number.
    pub(super) names: Vec<String>,
    pub(super) missing: Vec<&'static str>,
}

impl Granted {
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|granted| granted.strip_prefix("CAP_") == Some(name))
    }
}

/// Computes the set. `available` is this process's bounding set as a bit mask. Where no cgroup keeps a container off the
/// host's devices (`device_cgroup` is false: v2, whose device rules libcontainer does not load), MKNOD is not among the
/// defaults.
pub(super) fn grant(security: &Security, available: u64, device_cgroup: bool) -> Result<Granted, String> {
    let mut wanted = if security.privileged { all() } else { mask(&DEFAULT) };
    if !device_cgroup && !security.privileged {
        wanted &= !mask(&["MKNOD"]);
    }
    let mut asked = 0;
    for name in &security.add_capabilities {
        asked |= parse(name)?;
    }
    wanted |= asked;
    // What is added by its name stays though ALL is dropped.
    for name in &security.drop_capabilities {
        let dropped = parse(name)?;
        wanted &= if dropped == all() { asked } else { !dropped };
    }
    let pick = |bits: u64| NAMES.iter().enumerate().filter(move |(bit, _)| bits & (1 << bit) != 0);
    Ok(Granted {
        names: pick(wanted & available).map(|(_, name)| format!("CAP_{name}")).collect(),
        missing: pick(wanted & !available).map(|(_, name)| *name).collect(),
    })
}

fn all() -> u64 {
    (1 << NAMES.len()) - 1
}

fn mask(names: &[&str]) -> u64 {
    NAMES.iter().enumerate().filter(|(_, name)| names.contains(name)).map(|(bit, _)| 1 << bit).sum()
}

fn parse(name: &str) -> Result<u64, String> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if bare == "ALL" {
        return Ok(all());
    }
    match mask(&[bare]) {
        0 => Err(format!("there is no capability {name:?}")),
        bit => Ok(bit),
    }
}

/// This process's bounding set.
pub(super) fn available() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    bounding.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or_else(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn sets_are_added_dropped_and_bounded() {
        let with = |add: &[&str], drop: &[&str], privileged| Security {
            privileged,
            add_capabilities: add.iter().map(|name| (*name).to_owned()).collect(),
            drop_capabilities: drop.iter().map(|name| (*name).to_owned()).collect(),
            ..Security::default()
        };
        let no_resource = all() & !mask(&["SYS_RESOURCE"]);
        let cases = [
            with(&[], &[], false),
            with(&["NET_ADMIN", "cap_sys_resource"], &["CHOWN"], false),
            with(&["NET_BIND_SERVICE"], &["ALL"], false),
            with(&["NOPE"], &[], false),
        ];
        let show = |security: &Security| match grant(security, no_resource, true) {
            Ok(granted) => format!("{} missing {:?}\n", granted.names.join(" "), granted.missing),
            Err(message) => format!("{message}\n"),
        };
        expect![[r#"
            CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SYS_CHROOT CAP_MKNOD CAP_AUDIT_WRITE CAP_SETFCAP missing []
            CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_CHROOT CAP_MKNOD CAP_AUDIT_WRITE CAP_SETFCAP missing ["SYS_RESOURCE"]
            CAP_NET_BIND_SERVICE missing []
            there is no capability "NOPE"
        "#]]
        .assert_eq(&cases.iter().map(show).collect::<String>());
        let privileged = grant(&with(&[], &[], true), no_resource, false).expect("valid");
        let unified = grant(&with(&[], &[], false), all(), false).expect("valid");
        assert!(!unified.has("MKNOD") && unified.has("CHOWN"));
        assert_eq!((privileged.names.len(), privileged.missing), (40, vec!["SYS_RESOURCE"]));
    }
}
