//! The Service under test: a real master, the objects, and `xebec proxy` on the node.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::row::{PORTS, Row};
use crate::Options;
use crate::account::Account;
use crate::masters::{Masters, client_address};
use crate::objects::create;
use crate::process::Process;
use crate::wait::eventually;

/// What runs for it.
pub(crate) struct Service {
    pub(crate) proxy: Process,
    _account: Account,
    _masters: Masters,
}

/// The Service's own address.
pub(crate) fn address(port: u16) -> String {
    format!("10.43.0.50:{port}")
}

impl Service {
    /// Starts everything and waits until the node serves it.
    ///
    /// # Errors
    /// When something does not start, or a node never serves.
    pub(crate) async fn run(options: &Options, row: &Row) -> Result<Self> {
        let masters = Masters::boot(&options.xebec, 1).await?;
        let client = masters.client(0)?;
        for object in [service(), slice()] {
            create(&client, &object).await?;
        }
        let account = Account::of(&client, "kube-proxy").await?;
        let mut command = row.command("node", "unshare");
        account.pod(&mut command).arg(&options.xebec).arg("proxy");
        command.env("XEBEC_SERVERS", client_address(0)).env("NODE_NAME", "node");
        let proxy = Process::start(&mut command, &masters.path(0, "proxy-log"))?;
        eventually("the node has the Service", || {
            let sets = row.command("node", "nft").args(["list", "ruleset"]).output()?;
            let text = String::from_utf8_lossy(&sets.stdout).into_owned();
            ensure!(text.contains("10.43.0.50"), "it has\n{text}");
            Ok(())
        })?;
        Ok(Self { proxy, _account: account, _masters: masters })
    }
}

/// Every port of the server in both protocols, of a Service or of its slice alike.
fn ports() -> Value {
    let both = PORTS.iter().flat_map(|port| [("TCP", *port), ("UDP", *port)]);
    let entry = |(protocol, port): (&str, u16)| {
        let name = format!("{}-{port}", protocol.to_lowercase());
        json!({"name": name, "protocol": protocol, "port": port})
    };
    both.map(entry).collect()
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "bench"},
        "spec": {"clusterIP": "10.43.0.50", "ports": ports()}})
}

fn slice() -> Value {
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"namespace": "default", "name": "bench", "labels": {"kubernetes.io/service-name": "bench"}},
        "ports": ports(), "endpoints": [{"addresses": ["10.61.0.2"], "conditions": {"ready": true}}]})
}
