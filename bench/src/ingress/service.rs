//! The ingress under test: a real master, a Service with its endpoint, an Ingress with a
//! certificate, and `xebec ingress` as its pod runs it.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PROXY_CORE, peers};
use crate::Options;
use crate::account::Account;
use crate::hosts::run;
use crate::masters::{Masters, client_address};
use crate::objects::create;
use crate::process::Process;
use crate::sandbox::ADDRESS;
use crate::wait::eventually;

/// The host of the Ingress, which the clients find on loopback.
pub(crate) const HOST: &str = "bench.example";
pub(crate) const HTTP: u16 = 8081;
pub(crate) const HTTPS: u16 = 8441;

/// What runs for it.
pub(crate) struct Service {
    pub(crate) ingress: Process,
    pub(crate) certificate: Certificate,
    _account: Account,
    _masters: Masters,
}

/// A certificate for the host and its key, for all who serve it.
pub(crate) struct Certificate {
    certificate: String,
    key: String,
    folder: TempDir,
}

impl Service {
    /// Starts everything and waits until the ingress listens.
    ///
    /// # Errors
    /// When something does not start.
    pub(crate) async fn run(options: &Options) -> Result<Self> {
        let certificate = Certificate::make()?;
        certificate.name_the_host()?;
        let masters = Masters::boot(&options.xebec, 1).await?;
        let client = masters.client(0)?;
        for object in [service(), slice(), certificate.secret(), ingress()] {
            create(&client, &object).await?;
        }
        let account = Account::of(&client, "ingress").await?;
        let mut command = Command::new("taskset");
        command.args(["-c", PROXY_CORE, "unshare"]);
        account.pod(&mut command).arg(&options.xebec).arg("ingress").env("XEBEC_SERVERS", client_address(0));
        command.env("XEBEC_INGRESS_HTTP", format!("127.0.0.1:{HTTP}"));
        command.env("XEBEC_INGRESS_HTTPS", format!("127.0.0.1:{HTTPS}"));
        let ingress = Process::start(&mut command, &masters.path(0, "ingress-log"))?;
        eventually("the ingress", || Ok(TcpStream::connect(("127.0.0.1", HTTP)).map(drop)?))?;
        Ok(Self { ingress, certificate, _account: account, _masters: masters })
    }
}

impl Certificate {
    fn make() -> Result<Self> {
        let folder = TempDir::with_prefix("xebec-bench-certificate-")?;
        let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).context("a certificate")?;
        let certificate =
            Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem(), folder };
        fs::write(certificate.path("crt"), &certificate.certificate)?;
        fs::write(certificate.path("key"), &certificate.key)?;
        fs::write(certificate.path("pem"), certificate.certificate.clone() + &certificate.key)?;
        Ok(certificate)
    }

    /// The certificate as `crt`, its key as `key`, both as `pem`.
    pub(crate) fn path(&self, what: &str) -> PathBuf {
        self.folder.path().join(what)
    }

    /// For whoever asks by name, in the mounts of the bench alone.
    fn name_the_host(&self) -> Result<()> {
        let hosts = self.path("hosts");
        fs::write(&hosts, format!("127.0.0.1 localhost {HOST}\n"))?;
        run(&format!("mount --bind {} /etc/hosts", hosts.display()))
    }

    fn secret(&self) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "default", "name": "bench"},
            "type": "kubernetes.io/tls", "stringData": {"tls.crt": self.certificate, "tls.key": self.key}})
    }
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "bench"},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": peers::ENDPOINT}]}})
}

fn slice() -> Value {
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"namespace": "default", "name": "bench", "labels": {"kubernetes.io/service-name": "bench"}},
        "ports": [{"name": "http", "port": peers::ENDPOINT}],
        "endpoints": [{"addresses": [ADDRESS.to_string()], "conditions": {"ready": true}}]})
}

fn ingress() -> Value {
    let backend = json!({"service": {"name": "bench", "port": {"number": 80}}});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"namespace": "default", "name": "bench"},
        "spec": {"ingressClassName": "xebec", "tls": [{"hosts": [HOST], "secretName": "bench"}],
            "rules": [{"host": HOST, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}})
}
