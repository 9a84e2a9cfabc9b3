//! One or three real masters without nodes, in a folder of their own: on loopback
//! addresses that no other test has, or each on a host of [`Hosts`].

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::hosts::Hosts;
use crate::kubectl::Kubectl;
use crate::machine::Machine;
use crate::programs;
use crate::waiting::eventually;
use crate::xctl::Xctl;

/// How long a master may take to answer, or to get a vote.
const PATIENCE: Duration = Duration::from_secs(20);

/// Running masters. Dropping them ends them.
pub struct Masters {
    masters: Vec<Master>,
    hosts: Option<Hosts>,
    dir: TempDir,
    _machine: Machine,
}

/// One of them.
struct Master {
    name: String,
    address: String,
    child: Option<Child>,
}

impl Masters {
    /// One master on loopback.
    ///
    /// # Panics
    /// When it does not come up; shows its log.
    #[must_use]
    pub fn one() -> Self {
        Self::on(Machine::shared(), 1, None)
    }

    /// Three masters on loopback.
    ///
    /// # Panics
    /// When they do not come up; shows their logs.
    #[must_use]
    pub fn three() -> Self {
        Self::on(Machine::shared(), 3, None)
    }

    /// Three masters on three hosts. `None`, said loudly, without root.
    ///
    /// # Panics
    /// When they do not come up; shows their logs.
    #[must_use]
    pub fn on_hosts() -> Option<Self> {
        let machine = Machine::shared();
        Some(Self::on(machine, 3, Some(Hosts::new(3)?)))
    }

    fn on(machine: Machine, count: u8, hosts: Option<Hosts>) -> Self {
        let dir = tempfile::tempdir().expect("a folder for the masters");
        let loopback = loopback();
        let master = |number| Master {
            name: format!("m{number}"),
            address: hosts.as_ref().map_or_else(|| loopback(number), |hosts| hosts.address(number)),
            child: None,
        };
        let masters = (1..=count).map(master).collect();
        let mut all = Self { masters, hosts, dir, _machine: machine };
        for index in 0..all.masters.len() {
            all.bring_in(index);
        }
        all
    }

    /// Starts a master for the first time: the first makes the cluster, the others join.
    fn bring_in(&mut self, index: usize) {
        let name = self.masters[index].name.clone();
        fs::create_dir_all(self.dir_of(&name)).expect("a folder");
        fs::write(self.dir_of(&name).join("master.toml"), self.config(index)).expect("a configuration");
        if index > 0 {
            let token = self.xctl().run(&["token", "create", "--master", "--ttl", "10m"]).expect("a token");
            write_private(&self.dir_of(&name).join("token"), &token);
        }
        self.start(&name);
        self.eventually(&format!("{name} is a voter"), || {
            let status = self.xctl().json(&["cluster", "status"])?;
            ensure!(voters(&status).contains(&name), "the voters are {:?}", voters(&status));
            Ok(())
        });
    }

    fn config(&self, index: usize) -> String {
        let Master { name, address, .. } = &self.masters[index];
        let dir = self.dir_of(name);
        let others = self.masters.iter().filter(|other| other.name != *name);
        let join: Vec<String> = others.map(|other| format!("{}:6443", other.address)).collect();
        let mut text = format!(
            "name = {name:?}\ndata_dir = {:?}\nclient_address = \"{address}:6443\"\n\
             peer_address = \"{address}:6444\"\njoin = {join:?}\ntoken_file = {:?}\n",
            dir.join("data"),
            dir.join("token"),
        );
        if index == 0 {
            text.push_str(&format!("bootstrap = true\nadmin_kubeconfig = {:?}\n", self.kubeconfig()));
        }
        text
    }

    /// Starts a master that does not run.
    ///
    /// # Panics
    /// When it runs, or cannot be started.
    pub fn start(&mut self, name: &str) {
        let log = File::options().create(true).append(true).open(self.dir_of(name).join("log"));
        let log = log.expect("a log");
        let mut command = match &self.hosts {
            Some(hosts) => hosts.command(self.index(name), &programs::xebec()),
            None => Command::new(programs::xebec()),
        };
        command.args(["master", "--config"]).arg(self.dir_of(name).join("master.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let index = self.index(name);
        assert!(self.masters[index].child.is_none(), "{name} runs already");
        self.masters[index].child = Some(command.spawn().expect("xebec starts"));
    }

    /// Ends a master with no chance to say goodbye.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self, name: &str) {
        let index = self.index(name);
        let mut child = self.masters[index].child.take().expect("the master runs");
        child.kill().expect("a live process can be killed");
        child.wait().expect("it is gone");
    }

    /// Waits until a master has ended by itself, and says how.
    ///
    /// # Panics
    /// When it does not run, or goes on running.
    pub fn ended(&mut self, name: &str) -> ExitStatus {
        let index = self.index(name);
        let child = self.masters[index].child.as_mut().expect("the master runs");
        let what = format!("{name} ends");
        let status = eventually(&what, PATIENCE, || child.try_wait()?.context("it goes on running"));
        self.masters[index].child = None;
        status
    }

    /// The client with the admin's kubeconfig, which names every master.
    #[must_use]
    pub fn xctl(&self) -> Xctl {
        Xctl::new(&self.kubeconfig())
    }

    /// kubectl with the admin's kubeconfig as it is.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig())
    }

    /// The client with a kubeconfig of the admin that names this master only.
    ///
    /// # Panics
    /// When there is no kubeconfig yet.
    #[must_use]
    pub fn xctl_of(&self, name: &str) -> Xctl {
        let mut config = self.admin();
        let cluster = &mut config["clusters"][0]["cluster"];
        cluster["server"] = format!("https://{}", self.client_address(name)).into();
        cluster["extensions"] = Value::Array(Vec::new());
        let path = self.dir.path().join(format!("only-{name}.kubeconfig"));
        write_private(&path, &config.to_string());
        Xctl::new(&path)
    }

    /// The admin's kubeconfig, read.
    ///
    /// # Panics
    /// When there is none yet.
    #[must_use]
    pub fn admin(&self) -> Value {
        let text = fs::read_to_string(self.kubeconfig()).expect("the admin's kubeconfig");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Where the admin's kubeconfig lies.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("admin.kubeconfig")
    }

    /// The process of a master.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self, name: &str) -> u32 {
        self.masters[self.index(name)].child.as_ref().expect("the master runs").id()
    }

    /// host:port of a master's API.
    #[must_use]
    pub fn client_address(&self, name: &str) -> String {
        format!("{}:6443", self.masters[self.index(name)].address)
    }

    /// host:port that a master talks with the others by.
    #[must_use]
    pub fn peer_address(&self, name: &str) -> String {
        format!("{}:6444", self.masters[self.index(name)].address)
    }

    /// Every master's name.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.masters.iter().map(|master| master.name.clone()).collect()
    }

    /// The folder of everything.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A master's own folder: its configuration, its log, its data.
    #[must_use]
    pub fn dir_of(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What a master has logged.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.dir_of(name).join("log")).unwrap_or_default()
    }

    /// The hosts that they run on.
    ///
    /// # Panics
    /// When they run on loopback.
    #[must_use]
    pub fn hosts(&self) -> &Hosts {
        self.hosts.as_ref().expect("these masters are on hosts")
    }

    /// The name of the master that leads now, as `xctl` is told.
    ///
    /// # Errors
    /// When nobody answers or nobody leads.
    pub fn leader_by(&self, xctl: &Xctl) -> Result<String> {
        let status = xctl.json(&["cluster", "status"])?;
        let leader = status["leader"].as_str().context("a leader's name")?;
        ensure!(!leader.is_empty(), "there is no leader");
        Ok(leader.to_owned())
    }

    /// As [`eventually`], and shows every log when it gives up.
    pub fn eventually<T>(&self, what: &str, probe: impl FnMut() -> Result<T>) -> T {
        let shown = LogsOnPanic(self);
        let value = eventually(what, PATIENCE, probe);
        std::mem::forget(shown);
        value
    }

    /// The place of a master in the list, from 0.
    fn index(&self, name: &str) -> usize {
        self.masters.iter().position(|master| master.name == name).expect("one of the masters")
    }
}

impl Drop for Masters {
    fn drop(&mut self) {
        for master in &mut self.masters {
            if let Some(mut child) = master.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

/// Shows the logs when a wait ends in a panic.
struct LogsOnPanic<'a>(&'a Masters);

impl Drop for LogsOnPanic<'_> {
    #[allow(clippy::print_stderr, reason = "a failure shows what the masters said")]
    fn drop(&mut self) {
        for name in self.0.names() {
            eprintln!("--- {name}\n{}", self.0.log(&name));
        }
    }
}

/// The names of the voters in what `xctl cluster status` says.
#[must_use]
pub fn voters(status: &Value) -> Vec<String> {
    let masters = status["masters"].as_array().into_iter().flatten();
    let voters = masters.filter(|master| master["voter"] == true);
    voters.map(|master| master["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A /29 of 127.0.0.0/8 that nobody else uses, without its last number.
fn loopback() -> impl Fn(u8) -> String {
    static CLUSTERS: AtomicU8 = AtomicU8::new(0);
    let first = u16::from(CLUSTERS.fetch_add(1, Ordering::Relaxed) % 31) * 8;
    let [.., high, low] = std::process::id().to_be_bytes();
    move |number| format!("127.{}.{low}.{}", 1 + (high & 0x7e), first + u16::from(number))
}

/// Writes a file that only its owner reads.
///
/// # Panics
/// When it cannot be written.
pub fn write_private(path: &Path, text: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("a private file");
}
