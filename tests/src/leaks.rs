//! What the machine holds that a cluster could leave behind, before and after.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Everything that a cluster makes on a machine, as text, one line each.
pub struct Footprint(BTreeSet<String>);

impl Footprint {
    /// Reads the machine as it is now.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let mut lines = BTreeSet::new();
        lines.extend(processes());
        lines.extend(files("/proc/mounts"));
        lines.extend(cgroups());
        for (program, args) in [
            ("ip", "netns list"),
            ("ip", "-o link show"),
            ("ip", "-o addr show"),
            ("ip", "route show table all"),
            ("ip", "rule show"),
            ("nft", "list ruleset"),
        ] {
            lines.extend(command(program, args));
        }
        Self(lines)
    }

    /// # Panics
    /// Names everything that is there now and was not when this was read.
    pub fn assert_nothing_new(&self) {
        let now = Self::of_this_machine();
        let new: Vec<&String> = now.0.difference(&self.0).collect();
        assert!(new.is_empty(), "left behind:\n{new:#?}");
    }
}

fn processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc is there").filter_map(Result::ok);
    let names = entries.filter_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let program = line.split(' ').next().unwrap_or_default();
        let ours = ["xebec", "guestbook", "redis-server", "busybox"];
        ours.iter().any(|name| program.ends_with(name)).then(|| format!("process: {line}"))
    });
    names.collect()
}

fn cgroups() -> Vec<String> {
    let find = command("find", "/sys/fs/cgroup -type d -path */xebec*");
    find.into_iter().map(|line| format!("cgroup: {line}")).collect()
}

fn files(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| format!("{path}: {line}")).collect()
}

fn command(program: &str, args: &str) -> Vec<String> {
    let output = Command::new(program).args(args.split(' ')).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let stable = text.lines().filter(|line| !line.contains("expires"));
    stable.map(|line| format!("{program} {args}: {}", line.trim())).collect()
}
