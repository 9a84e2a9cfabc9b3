//! What runs beside the ingress: nginx and haproxy as reverse proxies, and the endpoint.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::service::{Certificate, HOST};
use super::{OTHER_CORE, PROXY_CORE};
use crate::process::Process;
use crate::sandbox::ADDRESS;

/// The port of the endpoint.
pub(crate) const ENDPOINT: u16 = 9080;
pub(crate) const NGINX_HTTP: u16 = 8082;
pub(crate) const NGINX_HTTPS: u16 = 8442;
pub(crate) const HAPROXY_HTTP: u16 = 8083;
pub(crate) const HAPROXY_HTTPS: u16 = 8443;

/// Everything that runs; it ends when it is dropped.
pub(crate) struct Peers {
    pub(crate) nginx: Process,
    pub(crate) haproxy: Process,
    _endpoint: Process,
    _folder: TempDir,
}

impl Peers {
    /// Starts them.
    ///
    /// # Errors
    /// When one is not installed.
    pub(crate) fn start(certificate: &Certificate) -> Result<Self> {
        let folder = TempDir::with_prefix("xebec-bench-peers-")?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let start = |core: &str, name: &str, program: &str, text: &str, flags: &[&str]| {
            ensure!(Path::new(program).exists(), "{program} is missing");
            fs::write(path(name), text)?;
            let mut command = Command::new("taskset");
            command.args(["-c", core, program]).args(flags).arg(path(name));
            Process::start(&mut command, &folder.path().join("log")).context(program.to_owned())
        };
        let prefix = folder.path().display().to_string();
        let flags = ["-p", &prefix, "-c"];
        let endpoint = nginx_config("endpoint", &endpoint_config());
        let proxy = nginx_config("proxy", &proxy_config(certificate));
        Ok(Self {
            _endpoint: start(OTHER_CORE, "endpoint", "/usr/sbin/nginx", &endpoint, &flags)?,
            nginx: start(PROXY_CORE, "proxy", "/usr/sbin/nginx", &proxy, &flags)?,
            haproxy: start(
                PROXY_CORE,
                "haproxy",
                "/usr/sbin/haproxy",
                &haproxy_config(certificate),
                &["-db", "-f"],
            )?,
            _folder: folder,
        })
    }
}

fn nginx_config(name: &str, http: &str) -> String {
    format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid {name}.pid;\nerror_log stderr crit;\n\
         events {{ worker_connections 4000; }}\nhttp {{\n  keepalive_requests 1000000000;\n{http}}}\n"
    )
}

fn endpoint_config() -> String {
    format!(
        "  access_log off;\n  server {{ listen {ADDRESS}:{ENDPOINT} backlog=4096; location / {{ return 200 \"ok\\n\"; }} }}\n"
    )
}

/// The log's fields are those of our own.
fn proxy_config(certificate: &Certificate) -> String {
    let [crt, key] = ["crt", "key"].map(|part| certificate.path(part).display().to_string());
    format!(
        "  log_format ours '$remote_addr \"$request_method $scheme://$http_host$request_uri $server_protocol\" '\n\
         \x20   '$status $body_bytes_sent $request_time $upstream_addr';\n\
         \x20 access_log access.log ours buffer=64k flush=1s;\n\
         \x20 upstream endpoint {{ server {ADDRESS}:{ENDPOINT}; keepalive 256; keepalive_requests 1000000000; }}\n\
         \x20 server {{\n\
         \x20   listen 127.0.0.1:{NGINX_HTTP} backlog=4096;\n\
         \x20   listen 127.0.0.1:{NGINX_HTTPS} ssl backlog=4096;\n\
         \x20   server_name {HOST};\n\
         \x20   ssl_protocols TLSv1.3;\n\
         \x20   ssl_certificate {crt};\n\
         \x20   ssl_certificate_key {key};\n\
         \x20   location / {{\n\
         \x20     proxy_pass http://endpoint;\n\
         \x20     proxy_http_version 1.1;\n\
         \x20     proxy_set_header Connection \"\";\n\
         \x20     proxy_set_header Host $http_host;\n\
         \x20     proxy_set_header X-Real-IP $remote_addr;\n\
         \x20     proxy_set_header X-Forwarded-For $remote_addr;\n\
         \x20     proxy_set_header X-Forwarded-Proto $scheme;\n\
         \x20     proxy_set_header X-Forwarded-Host $http_host;\n\
         \x20   }}\n\
         \x20 }}\n"
    )
}

fn haproxy_config(certificate: &Certificate) -> String {
    let pem = certificate.path("pem").display().to_string();
    format!(
        "global\n  maxconn 4000\n  nbthread 1\n  ssl-default-bind-options ssl-min-ver TLSv1.3\n  log ring@access format raw local0\n\
         ring access\n  format raw\n  maxlen 1200\n  size 1048576\n\
         defaults\n  mode http\n  log global\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend bench\n  bind 127.0.0.1:{HAPROXY_HTTP} backlog 4096\n  bind 127.0.0.1:{HAPROXY_HTTPS} ssl crt {pem} backlog 4096\n\
         \x20 log-format '%ci \"%HM %[ssl_fc,iif(https,http)]://%[capture.req.hdr(0)]%HU %HV\" %ST %B %Ta %si:%sp'\n\
         \x20 declare capture request len 64\n  http-request capture req.hdr(Host) id 0\n\
         \x20 http-request set-header X-Real-IP %[src]\n\
         \x20 http-request set-header X-Forwarded-For %[src]\n\
         \x20 http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]\n\
         \x20 http-request set-header X-Forwarded-Host %[req.hdr(Host)]\n\
         \x20 acl ours hdr(host),field(1,:) {HOST}\n  use_backend endpoint if ours\n\
         backend endpoint\n  http-reuse always\n  server e {ADDRESS}:{ENDPOINT} pool-max-conn 256\n"
    )
}
