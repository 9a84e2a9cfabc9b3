//! The default seccomp profile: what lets a container reach for the kernel itself is refused.
//!
//! It lists what is refused, where Docker's lists what is allowed; the refused calls are those that Docker's leaves out.
//! A short list makes a short filter, which every system call of the container runs through, and it loads in a tenth
//! of the time. What a capability of the container permits is not refused.

use serde_json::{Value, json};

use super::capabilities::Granted;

/// Refused, unless the container has the capability named with them.
const REFUSED: [(&str, &[&str]); 10] = [
    (
        "SYS_ADMIN",
        &[
            "bpf",
            "fanotify_init",
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "lookup_dcookie",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "perf_event_open",
            "pivot_root",
            "quotactl",
            "quotactl_fd",
            "setdomainname",
            "sethostname",
            "setns",
            "swapoff",
            "swapon",
            "umount",
            "umount2",
            "unshare",
            "nfsservctl",
            "uselib",
            "userfaultfd",
            "vm86",
            "vm86old",
            "ustat",
            "sysfs",
        ],
    ),
    ("SYS_MODULE", &["create_module", "delete_module", "finit_module", "init_module", "query_module"]),
    ("SYS_BOOT", &["kexec_file_load", "kexec_load", "reboot"]),
    ("SYS_TIME", &["adjtimex", "clock_adjtime", "clock_settime", "settimeofday", "stime"]),
    ("SYS_RAWIO", &["ioperm", "iopl"]),
    ("SYS_PACCT", &["acct"]),
    ("SYS_NICE", &["mbind", "migrate_pages", "move_pages", "set_mempolicy"]),
    ("SYSLOG", &["syslog"]),
    ("DAC_READ_SEARCH", &["open_by_handle_at"]),
    ("", &["add_key", "keyctl", "request_key", "io_uring_setup", "io_uring_enter", "io_uring_register"]),
];

/// The bits of clone's flags that make a namespace.
const NAMESPACE_FLAGS: [u64; 8] =
    [0x0000_0080, 0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

/// The profile as OCI's `linux.seccomp`.
pub(super) fn profile(granted: &Granted) -> Value {
    let refused: Vec<&str> = REFUSED
        .iter()
        .filter(|(capability, _)| capability.is_empty() || !granted.has(capability))
        .flat_map(|(_, calls)| calls.iter().copied())
        .collect();
    let mut rules = vec![json!({ "names": refused, "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EPERM })];
    if !granted.has("SYS_ADMIN") {
        for flag in NAMESPACE_FLAGS {
            rules.push(json!({
                "names": ["clone"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": libc::EPERM,
                "args": [{ "index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ" }],
            }));
        }
        // Its flags lie in memory, where a filter cannot look: libraries fall back to clone.
        rules.push(json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS }));
    }
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": rules,
    })
}
