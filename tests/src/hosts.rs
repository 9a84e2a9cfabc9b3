//! Hosts as network namespaces on a bridge of their own, for a test that parts them.
//! Their names carry this process's id; dropping them removes them.

use std::path::Path;
use std::process::Command;

use crate::skips::root_or_skip;

/// Three hosts, numbered from 1.
pub struct Hosts {
    id: u32,
    count: u8,
}

impl Hosts {
    /// Makes them. `None`, said loudly, without root.
    ///
    /// # Panics
    /// When a command fails.
    #[must_use]
    pub fn new(count: u8) -> Option<Self> {
        if !root_or_skip("network namespaces") {
            return None;
        }
        let hosts = Self { id: std::process::id(), count };
        let bridge = hosts.bridge();
        run(&format!("ip link add {bridge} type bridge"));
        run(&format!("ip addr add {}/24 dev {bridge}", hosts.address(254)));
        run(&format!("ip link set {bridge} up"));
        for number in 1..=count {
            let (ns, link) = (hosts.namespace(number), hosts.link(number));
            run(&format!("ip netns add {ns}"));
            run(&format!("ip link add {link} type veth peer name eth0 netns {ns}"));
            run(&format!("ip link set {link} master {bridge} up"));
            run(&format!("ip -n {ns} link set lo up"));
            run(&format!("ip -n {ns} addr add {}/24 dev eth0", hosts.address(number)));
            run(&format!("ip -n {ns} link set eth0 up"));
        }
        Some(hosts)
    }

    /// A host's address.
    #[must_use]
    pub fn address(&self, number: u8) -> String {
        format!("10.98.{}.{number}", self.id % 250)
    }

    /// A program to be started on the host at this place, counted from 0.
    #[must_use]
    pub fn command(&self, index: usize, program: &Path) -> Command {
        let number = u8::try_from(index + 1).expect("few hosts");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(number)]).arg(program);
        command
    }

    /// Packets between this host and the others vanish, without anybody being told; the
    /// test still reaches every one.
    ///
    /// # Panics
    /// When nft fails.
    pub fn part(&self, number: u8) {
        let others = (1..=self.count).filter(|other| *other != number);
        for other in others {
            self.drop_from(number, other);
            self.drop_from(other, number);
        }
    }

    /// Takes back every [`Hosts::part`].
    ///
    /// # Panics
    /// When nft fails.
    pub fn heal(&self) {
        for number in 1..=self.count {
            run(&format!("ip netns exec {} nft flush ruleset", self.namespace(number)));
        }
    }

    fn drop_from(&self, at: u8, from: u8) {
        let nft = format!("ip netns exec {} nft", self.namespace(at));
        run(&format!("{nft} add table ip parted"));
        run(&format!("{nft} add chain ip parted in {{ type filter hook input priority 0 ; }}"));
        run(&format!("{nft} add rule ip parted in ip saddr {} drop", self.address(from)));
    }

    fn namespace(&self, number: u8) -> String {
        format!("xebt{}-{number}", self.id)
    }

    fn link(&self, number: u8) -> String {
        format!("xt{}-{number}", self.id)
    }

    fn bridge(&self) -> String {
        format!("xt{}", self.id)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for number in 1..=self.count {
            let _ = words(&format!("ip link del {}", self.link(number))).output();
            let _ = words(&format!("ip netns del {}", self.namespace(number))).output();
        }
        let _ = words(&format!("ip link del {}", self.bridge())).output();
    }
}

fn words(line: &str) -> Command {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

fn run(line: &str) {
    let output = words(line).output().unwrap_or_else(|error| panic!("{line}: {error}"));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}
