//! One process under test, with what it costs. Dropping it kills it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

/// A running process.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it; what it writes goes to a file.
    ///
    /// # Errors
    /// The program cannot be started, or the log not be made.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log).context(log.display().to_string())?;
        let child = command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).spawn();
        let name = command.get_program().display().to_string();
        Ok(Self { child: child.with_context(|| format!("start {name}"))? })
    }

    /// CPU time of the process so far, user and system.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(self.child.id())
    }

    /// Resident memory in MiB.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn rss_mib(&self) -> Result<f64> {
        self.status_mib("VmRSS:")
    }

    /// What of it is the process' own, in MiB: all but pages of files, such as its binary's,
    /// which processes share.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn anonymous_mib(&self) -> Result<f64> {
        self.status_mib("RssAnon:")
    }

    fn status_mib(&self, label: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(label));
        let kib: f64 = line.and_then(|line| line.split_whitespace().next()).context("a figure")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// Ends it at once and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn cpu_of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// CPU time that the whole machine has spent so far, on anything.
pub(crate) fn cpu_of_machine() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq: all but idle and iowait.
    let busy: u64 =
        ticks.iter().take(7).enumerate().filter(|(i, _)| !matches!(i, 3 | 4)).map(|(_, t)| t).sum();
    Duration::from_millis(busy * 10)
}
