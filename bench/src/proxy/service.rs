//! The Service under test: a real master, the objects, and `xebec proxy` on the node.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::Client;

use super::row::{PORTS, Row, run};
use super::tools::eventually;
use crate::Options;
use crate::masters::{Masters, client_address};
use crate::process::Process;

/// Where a pod finds its ServiceAccount.
const CREDENTIALS: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What runs for it.
pub(crate) struct Service {
    pub(crate) proxy: Process,
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
            let row = table::by_kind(object["apiVersion"].as_str().unwrap_or_default(), kind(&object));
            let object = Object::from_json(object.to_string().as_bytes())?;
            client.create(row.context("a kind")?, &object).await?;
        }
        give_credentials(&client).await?;
        let mut command = row.command("node", &options.xebec);
        command.arg("proxy").env("XEBEC_SERVERS", client_address(0)).env("NODE_NAME", "node");
        let proxy = Process::start(&mut command, &masters.path(0, "proxy-log"))?;
        eventually("the node has the Service", || {
            let sets = row.command("node", "nft").args(["list", "ruleset"]).output()?;
            let text = String::from_utf8_lossy(&sets.stdout).into_owned();
            ensure!(text.contains("10.43.0.50"), "it has\n{text}");
            Ok(())
        })?;
        Ok(Self { proxy, _masters: masters })
    }
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
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

/// As the agent gives them to the proxy's pod, on a file system that only the bench sees.
async fn give_credentials(client: &Client) -> Result<()> {
    let accounts = table::find("", "serviceaccounts").expect("a built-in kind");
    let request =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}});
    let request = Object::from_json(request.to_string().as_bytes())?;
    let made = client.create_subresource(accounts, "kube-system", "kube-proxy", "token", &request).await?;
    fs::create_dir_all(CREDENTIALS)?;
    run(&format!("mount -t tmpfs none {CREDENTIALS}"))?;
    let file = |name: &str| Path::new(CREDENTIALS).join(name);
    fs::write(file("token"), made.text(&["status", "token"]))?;
    let maps = table::find("", "configmaps").expect("a built-in kind");
    let ca = client.get(maps, "default", "kube-root-ca.crt").await?;
    fs::write(file("ca.crt"), ca.text(&["data", "ca.crt"]))?;
    Ok(())
}
