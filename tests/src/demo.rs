//! One demo cluster, from `scripts/up.sh` to `scripts/down.sh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::leaks::Footprint;
use crate::machine::Machine;
use crate::programs;
use crate::skips::root_or_skip;
use crate::xctl::{Watch, Xctl};

/// A running demo. Dropping it takes it down, also when the test failed.
pub struct Demo {
    dir: PathBuf,
    form: Form,
    closing: Closing,
    before: Footprint,
    _machine: Machine,
}

/// The lines that `up.sh` closes with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// Where the guestbook is.
    pub url: String,
    /// Where the ingress takes HTTP.
    pub ingress: String,
    /// The admin kubeconfig.
    pub kubeconfig: String,
}

/// What `up.sh` boots.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    ThreeMasters,
    Single,
}

impl Demo {
    /// Boots three masters, two nodes and the webshop, the guestbook included. `None` without root.
    ///
    /// # Panics
    /// When the cluster does not come up; shows every host's log.
    #[must_use]
    pub fn up() -> Option<Self> {
        Self::boot(Form::ThreeMasters)
    }

    /// Boots the embedded form and the webshop. `None` without root.
    ///
    /// # Panics
    /// When the cluster does not come up; shows its log.
    #[must_use]
    pub fn up_single() -> Option<Self> {
        Self::boot(Form::Single)
    }

    fn boot(form: Form) -> Option<Self> {
        if !root_or_skip("network namespaces, mounts and cgroups") {
            return None;
        }
        let machine = Machine::alone();
        let dir = PathBuf::from("/var/lib/xebec-e2e");
        let before = Footprint::of_this_machine();
        let mut demo = Self { dir, form, closing: Default::default(), before, _machine: machine };
        demo.script("down.sh", &[]).expect("down.sh works on nothing");
        demo.closing = demo.bring_up();
        Some(demo)
    }

    /// What the first `up.sh` closed with.
    #[must_use]
    pub fn closing(&self) -> &Closing {
        &self.closing
    }

    /// Runs `up.sh` again, which mends what is down. Gives the lines that it closes with.
    ///
    /// # Panics
    /// When it fails; shows every host's log.
    pub fn bring_up(&self) -> Closing {
        let args: &[&str] = if self.form == Form::Single { &["--single"] } else { &[] };
        match self.script("up.sh", args) {
            Ok(output) => {
                let mut last = output.lines().rev();
                let mut value = |key: &str| {
                    let line = last.next().and_then(|line| line.strip_prefix(key));
                    line.expect("up.sh closes with url=, ingress= and kubeconfig=").to_owned()
                };
                let kubeconfig = value("kubeconfig=");
                let ingress = value("ingress=");
                Closing { url: value("url="), ingress, kubeconfig }
            }
            Err(error) => panic!("up.sh failed: {error:#}\n{}", self.logs()),
        }
    }

    /// Cuts the power of one host.
    ///
    /// # Panics
    /// When the script fails.
    pub fn cut_power(&self, host: &str) {
        self.script("down.sh", &[host]).expect("down.sh cuts one host");
    }

    /// Takes everything down and shows that nothing is left.
    ///
    /// # Panics
    /// When something is: names it.
    pub fn down(self) {
        self.script("down.sh", &[]).expect("down.sh ends everything");
        self.before.assert_nothing_new();
    }

    /// Kills one process of a host, by its pid file: the component, not its pods.
    ///
    /// # Panics
    /// When the host has no running component.
    pub fn kill_component(&self, host: &str) {
        let pid = self.pid(host).expect("the host runs");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
            .expect("a live process can be killed");
    }

    /// Starts the agent of a host, whose component was killed, by another configuration than the demo's.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_node(&self, host: &str, config: &Path) {
        let dir = self.dir.join(host);
        let log = || fs::File::options().append(true).open(dir.join("log")).expect("the host has run");
        // As up.sh starts it, and with the mark that down.sh finds it by.
        let script = format!("echo $$ >'{}'; exec \"$@\"", dir.join("pid").display());
        let started = Command::new("setsid")
            .args(["--fork", "ip", "netns", "exec", &format!("xeb-{host}"), "sh", "-c", &script, "sh"])
            .arg(programs::xebec())
            .args(["node", "--config"])
            .arg(config)
            .env("XEBEC_DEMO_HOST", host)
            .env("XEBEC_DEMO_DIR", &self.dir)
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .status();
        assert!(started.expect("setsid starts").success(), "{host} was not started");
    }

    /// The pid of a host's component.
    ///
    /// # Errors
    /// When the host never ran.
    pub fn pid(&self, host: &str) -> Result<i32> {
        Ok(fs::read_to_string(self.dir.join(host).join("pid"))?.trim().parse()?)
    }

    /// The folder where hosts keep their pid, log and data.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The admin kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        match self.form {
            Form::ThreeMasters => self.dir.join("admin.kubeconfig"),
            Form::Single => self.dir.join("single/data/admin.kubeconfig"),
        }
    }

    /// Runs `xctl` and gives its output.
    ///
    /// # Errors
    /// With what it wrote to stderr, when it fails.
    pub fn xctl(&self, args: &[&str]) -> Result<String> {
        Xctl::new(&self.kubeconfig()).run(args)
    }

    /// Runs `xctl … -w` beside everything else.
    #[must_use]
    pub fn watch(&self, args: &[&str]) -> Watch {
        Xctl::new(&self.kubeconfig()).watch(args)
    }

    /// Runs `xctl`, whatever becomes of it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn xctl_output(&self, args: &[&str]) -> Result<Output> {
        Xctl::new(&self.kubeconfig()).output(args)
    }

    /// Runs `xctl … -o json` and parses what it prints.
    ///
    /// # Errors
    /// When it fails or prints no JSON.
    pub fn xctl_json(&self, args: &[&str]) -> Result<Value> {
        Xctl::new(&self.kubeconfig()).json(args)
    }

    /// The name of the master that leads now.
    ///
    /// # Errors
    /// When nobody answers or nobody leads.
    pub fn leader(&self) -> Result<String> {
        let status = self.xctl_json(&["cluster", "status"])?;
        let leader = status["leader"].as_str().unwrap_or_default();
        ensure!(!leader.is_empty(), "there is no leader");
        Ok(leader.to_owned())
    }

    /// Every host's log, its last lines, for a failure's message.
    #[must_use]
    pub fn logs(&self) -> String {
        let tail = |host: &str| {
            let log = fs::read_to_string(self.dir.join(host).join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            format!("--- {host}\n{}\n", lines[lines.len().saturating_sub(25)..].join("\n"))
        };
        ["m1", "m2", "m3", "n1", "n2", "single"].map(tail).concat()
    }

    fn script(&self, name: &str, args: &[&str]) -> Result<String> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
        let output = Command::new(scripts.join(name))
            .args(args)
            .env("XEBEC_DEMO_DIR", &self.dir)
            .env("XEBEC_BIN", programs::xebec())
            .output()
            .with_context(|| format!("{name} starts"))?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        Ok(stdout.into_owned())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Ok after `down()` too: down.sh changes nothing when nothing is there.
        let _ = self.script("down.sh", &[]);
    }
}
