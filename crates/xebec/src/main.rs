//! The binary: picks one of the components. Called as `xctl` it is the command line
//! client. The shim starts before any thread does.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokio_util::sync::CancellationToken;

mod image;
mod kubeconfig;
mod process;
mod settle;
mod up;

use process::Threads;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps huge pages away from this process on hosts that give them to everybody: 60 MiB of
/// use would be 130 MiB of memory. Containers get them back.
fn refuse_huge_pages() {
    // A kernel without them has nothing to refuse.
    let _ = nix::sys::prctl::set_thp_disable(true);
}

/// A Kubernetes-compatible cluster in one binary.
#[derive(Parser)]
#[command(name = "xebec", version)]
enum Command {
    /// Run a master.
    Master {
        /// Its configuration, TOML.
        #[arg(long)]
        config: PathBuf,
    },
    /// Write a new kubeconfig for the cluster's admin, on the host of a running master.
    Kubeconfig(kubeconfig::Args),
    /// Run a whole cluster in one process: one master, one node.
    Up {
        /// Where it keeps everything.
        #[arg(long, default_value = "/var/lib/xebec")]
        data_dir: PathBuf,
        /// A folder of image archives that are imported at start.
        #[arg(long)]
        images: Option<PathBuf>,
    },
    /// Run a node's agent.
    Node {
        /// Its configuration, TOML.
        #[arg(long)]
        config: PathBuf,
    },
    /// Run a node's Service proxy, as the pod kube-proxy does; configured by its environment.
    Proxy {
        /// Take out of the kernel what a killed proxy left there, and end.
        #[arg(long)]
        clean_up: bool,
    },
    /// Run the Ingress data path, as the pods of the Deployment ingress do; configured by its environment.
    Ingress,
    /// Run a name server, as the pods of kube-dns do; configured by its environment.
    Dns,
    /// Pack, import and list container images.
    #[command(subcommand)]
    Image(image::Command),
    /// The command line client, also found as `xctl`.
    #[command(disable_help_flag = true)]
    Ctl {
        /// What `xctl` takes.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    refuse_huge_pages();
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if called.file_name().is_some_and(|name| name == "xctl") {
        return xctl(std::env::args_os().skip(1).collect());
    }
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "shim") {
        let code = xebec_runtime::shim_main(words, settle::give_back);
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    match Command::parse() {
        Command::Master { config } => process::run("master", Threads::Two, |stop| master(config, stop)),
        Command::Kubeconfig(args) => process::run("kubeconfig", Threads::Two, |_| kubeconfig::run(args)),
        Command::Up { data_dir, images } => {
            process::run("up", Threads::Two, |stop| up::run(data_dir, images, stop))
        }
        Command::Node { config } => process::run("node", Threads::Two, |stop| node(config, stop)),
        Command::Proxy { clean_up: false } => process::run("proxy", Threads::Two, proxy),
        Command::Proxy { clean_up: true } => process::told(clean_up_proxy()),
        Command::Ingress => process::run("ingress", Threads::ByCores, ingress),
        Command::Dns => process::run("dns", Threads::Two, dns),
        Command::Image(command) => process::told(image::run(command)),
        Command::Ctl { args } => xctl(args.into_iter().map(Into::into).collect()),
    }
}

fn xctl(args: Vec<std::ffi::OsString>) -> ExitCode {
    xebec_ctl::main(std::iter::once("xctl".into()).chain(args))
}

/// Each connection of a client is a file, and the usual limit is a thousand. Not for who starts
/// containers, which would inherit it.
fn allow_many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it is refused, there are fewer connections.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

async fn master(config: PathBuf, stop: CancellationToken) -> anyhow::Result<()> {
    // The store holds Secrets, and its library makes files for everybody to read.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    allow_many_files();
    Ok(xebec_master::run(xebec_master::Config::load(&config)?, stop).await?)
}

async fn node(config: PathBuf, stop: CancellationToken) -> anyhow::Result<()> {
    Ok(xebec_agent::run(xebec_agent::Config::load(&config)?, stop).await?)
}

#[allow(clippy::disallowed_methods, reason = "a pod is configured by its environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

async fn proxy(stop: CancellationToken) -> anyhow::Result<()> {
    let config = xebec_proxy::Config::from_environment(variable)?;
    Ok(xebec_proxy::run(config, stop).await?)
}

async fn ingress(stop: CancellationToken) -> anyhow::Result<()> {
    let config = xebec_ingress::Config::from_environment(variable)?;
    Ok(xebec_ingress::run(config, stop).await?)
}

async fn dns(stop: CancellationToken) -> anyhow::Result<()> {
    let config = xebec_dns::Config::from_environment(variable)?;
    Ok(xebec_dns::run(config, stop).await?)
}

fn clean_up_proxy() -> anyhow::Result<()> {
    let services = xebec_proxy::service_cidr(variable)?;
    Ok(xebec_proxy::clean_up(services)?)
}
