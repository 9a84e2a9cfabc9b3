//! What runs beside the proxy: on the node haproxy as it comes and tuned, nginx's stream
//! module and a DNAT; on the server iperf3, nginx and what echoes datagrams.

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::row::{ECHO, HTTP, IPERF, PORTS, Row, server_address};
use super::udp::Echo;
use crate::process::Process;
use crate::wait::eventually;

/// Added to the server's port, for each way through the node.
const HAPROXY: u16 = 10_000;
const TUNED: u16 = 20_000;
const DNAT: u16 = 30_000;
const NGINX: u16 = 40_000;

/// Everything that runs; it ends when it is dropped.
pub(crate) struct Peers {
    pub(crate) haproxy: Process,
    pub(crate) tuned: Process,
    pub(crate) nginx: Process,
    _servers: [Process; 2],
    _echo: Echo,
    _folder: TempDir,
}

pub(crate) fn haproxy_address(port: u16) -> String {
    format!("10.60.0.1:{}", port + HAPROXY)
}

pub(crate) fn tuned_address(port: u16) -> String {
    format!("10.60.0.1:{}", port + TUNED)
}

pub(crate) fn dnat_address(port: u16) -> String {
    format!("10.60.0.1:{}", port + DNAT)
}

pub(crate) fn nginx_address(port: u16) -> String {
    format!("10.60.0.1:{}", port + NGINX)
}

impl Peers {
    /// Starts them and waits until the web server answers.
    ///
    /// # Errors
    /// When one does not start.
    pub(crate) fn start(row: &Row) -> Result<Self> {
        let folder = TempDir::with_prefix("xebec-bench-peers-")?;
        let file = |name: &str, text: &str| -> Result<String> {
            let path = folder.path().join(name);
            fs::write(&path, text)?;
            Ok(path.display().to_string())
        };
        let log = folder.path().join("log");
        let start = |host, program: &str, arguments: &[&str]| {
            ensure!(Path::new(program).exists(), "{program} is missing");
            Process::start(row.command(host, program).args(arguments), &log).context(program.to_owned())
        };
        let haproxy = |name, offset, tuning| {
            let config = file(name, &haproxy_config(offset, tuning))?;
            start("node", "/usr/sbin/haproxy", &["-db", "-f", &config])
        };
        let nginx = |host, name, body: String| {
            let config = file(name, &nginx_config(name, &body))?;
            start(host, "/usr/sbin/nginx", &["-c", &config, "-p", &folder.path().display().to_string()])
        };
        let rules = file("nft", &dnat_rules())?;
        let loaded = row.command("node", "nft").args(["-f", &rules]).status()?;
        ensure!(loaded.success(), "nft -f {rules}");
        let web = nginx("server", "web", web_config())?;
        let iperf = start("server", "/usr/bin/iperf3", &["-s", "-p", &IPERF.to_string()])?;
        let peers = Self {
            haproxy: haproxy("haproxy", HAPROXY, "")?,
            tuned: haproxy("tuned", TUNED, "option splice-request\n  option splice-response")?,
            nginx: nginx("node", "stream", stream_config())?,
            _servers: [web, iperf],
            _echo: Echo::start(ECHO)?,
            _folder: folder,
        };
        for address in [haproxy_address(HTTP), tuned_address(HTTP), server_address(HTTP)] {
            eventually(&address, || Ok(row.within("client", || TcpStream::connect(&address).map(drop))??))?;
        }
        Ok(peers)
    }
}

fn haproxy_config(offset: u16, tuning: &str) -> String {
    let pipes = if tuning.is_empty() { "" } else { "  tune.pipesize 1048576\n" };
    let listen = |port: &u16| {
        format!("listen p{port}\n  bind :{}\n  server s {}\n", port + offset, server_address(*port))
    };
    let listens: String = PORTS.iter().map(listen).collect();
    format!(
        "global\n  maxconn 4000\n{pipes}defaults\n  mode tcp\n  {tuning}\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n{listens}"
    )
}

fn nginx_config(name: &str, body: &str) -> String {
    format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\nmaster_process off;\nworker_processes 1;\nworker_rlimit_nofile 16384;\npid {name}.pid;\nerror_log stderr crit;\nevents {{ worker_connections 8000; }}\n{body}"
    )
}

fn web_config() -> String {
    let listen = format!("listen {HTTP} backlog=4096; keepalive_requests 1000000000;");
    format!("http {{ access_log off; server {{ {listen} location / {{ return 200 \"ok\\n\"; }} }} }}\n")
}

fn stream_config() -> String {
    let server = server_address(ECHO);
    format!(
        "stream {{ server {{ listen {} udp; proxy_pass {server}; proxy_timeout 10s; }} }}\n",
        ECHO + NGINX
    )
}

fn dnat_rules() -> String {
    let rule = |port: &u16| {
        let (from, to) = (port + DNAT, server_address(*port));
        format!("    tcp dport {from} dnat to {to}\n    udp dport {from} dnat to {to}\n")
    };
    let rules: String = PORTS.iter().map(rule).collect();
    format!(
        "table ip peers {{\n  chain in {{\n    type nat hook prerouting priority dstnat\n{rules}  }}\n  chain out {{\n    type nat hook postrouting priority srcnat\n    oifname \"server\" masquerade\n  }}\n}}\n"
    )
}
