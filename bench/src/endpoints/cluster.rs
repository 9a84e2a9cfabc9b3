//! Three masters with 1,000 Services, two nodes' proxies, a name server, an ingress, and one
//! pod behind two Services, whose status the bench writes in an agent's place.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::{Cache, Client, Patch, Selection};

use super::PATIENCE;
use super::look::{DNS, HOST, INGRESS, LOOKS, SERVICE};
use crate::Options;
use crate::account::Account;
use crate::hosts;
use crate::masters::{Masters, client_address};
use crate::objects::{create, create_many};
use crate::process::Process;
use crate::sandbox::ADDRESS;
use crate::wait::eventually;

const SERVICES: usize = 1000;
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Of the pod, which has the address of the masters' own host.
const PORT: u16 = 9080;
const NODES: [(&str, &str); 2] = [("node-1", "10.98.0.31"), ("node-2", "10.98.0.32")];

/// What runs.
pub(super) struct Cluster {
    client: Client,
    /// The slices of the pod's Services.
    slices: Arc<Cache>,
    // In the order in which they end.
    _processes: Vec<Process>,
    _accounts: [Account; 2],
    _folder: TempDir,
    _masters: Masters,
}

impl Cluster {
    /// Starts everything, and waits until all of it answers for a pod that is not ready.
    ///
    /// # Errors
    /// When something does not start.
    pub(super) async fn start(options: &Options) -> Result<Self> {
        let masters = Masters::boot(&options.xebec, 3).await?;
        let client = masters.client(1)?;
        create_many(&client, SERVICES, other_service).await?;
        create_many(&client, SERVICES, other_slice).await?;
        for object in [service("bench", None), service("bench-pods", Some("None")), ingress(), pod()] {
            create(&client, &object).await?;
        }
        let folder = TempDir::with_prefix("xebec-bench-endpoints-")?;
        let accounts = [Account::of(&client, "kube-proxy").await?, Account::of(&client, "ingress").await?];
        let mut processes = vec![start_endpoint(&folder)?];
        let servers = [0, 1, 2].map(client_address).join(",");
        hosts::make(&NODES.map(|(node, _)| node))?;
        for (node, address) in NODES {
            hosts::connect_to_masters(node, address)?;
            let mut command = hosts::command(node, "unshare");
            accounts[0].pod(&mut command).arg(&options.xebec).arg("proxy").env("NODE_NAME", node);
            command.env("XEBEC_SERVERS", &servers);
            processes.push(Process::start(&mut command, &folder.path().join(node))?);
        }
        let mut dns = Command::new(&options.xebec);
        dns.arg("dns").env("KUBECONFIG", masters.path(0, "log").with_file_name("admin.kubeconfig"));
        dns.env("XEBEC_DNS_LISTEN", DNS.to_string()).env("XEBEC_DNS_HEALTH", "127.0.0.1:5380");
        processes.push(Process::start(&mut dns, &folder.path().join("dns"))?);
        let mut ingress = Command::new("unshare");
        accounts[1].pod(&mut ingress).arg(&options.xebec).arg("ingress").env("XEBEC_SERVERS", &servers);
        ingress.env("XEBEC_INGRESS_HTTP", INGRESS.to_string()).env("XEBEC_INGRESS_HTTPS", "127.0.0.1:8441");
        processes.push(Process::start(&mut ingress, &folder.path().join("ingress"))?);
        let named = format!("{SERVICE_NAME} in (bench,bench-pods)");
        let selection =
            Selection { label_selector: named, ..Selection::all(("discovery.k8s.io", "endpointslices")) };
        let (slices, _) = Cache::start(client.clone(), selection);
        let cluster = Self {
            client,
            slices,
            _processes: processes,
            _accounts: accounts,
            _folder: folder,
            _masters: masters,
        };
        cluster.settle().await?;
        Ok(cluster)
    }

    /// Each of those who look sees it ready and not ready, once.
    async fn settle(&self) -> Result<()> {
        for ready in [true, false] {
            self.set_ready(ready).await?;
            for look in LOOKS {
                let wait = move || {
                    look.enter()?;
                    eventually(look.name, || {
                        ensure!(look.is_served()? == ready, "the pod's readiness is not {ready} there");
                        Ok(())
                    })
                };
                let waiting = std::thread::spawn(wait);
                let waited = tokio::task::spawn_blocking(move || waiting.join()).await?;
                waited.map_err(|_| anyhow::anyhow!("{} panicked", look.name))??;
            }
        }
        Ok(())
    }

    /// Waits until the slices of both Services say so; gives when.
    pub(super) fn slices_say(&self, ready: bool) -> impl Future<Output = Result<Instant>> + Send + 'static {
        let (slices, mut changes) = (Arc::clone(&self.slices), self.slices.changes());
        let says = move |slice: &Arc<Object>| {
            slice.get(&["endpoints"]).and_then(|all| all.pointer("/0/conditions/ready"))
                == Some(&Value::Bool(ready))
        };
        let wait = async move {
            while slices.list().iter().filter(|slice| says(slice)).count() < 2 {
                changes.recv().await?;
            }
            Ok(Instant::now())
        };
        async { timeout(PATIENCE, wait).await.context("the EndpointSlices never say it")? }
    }

    /// Writes the pod's status as its agent would.
    pub(super) async fn set_ready(&self, ready: bool) -> Result<()> {
        let pods = table::find("", "pods").expect("a built-in kind");
        let status = if ready { "True" } else { "False" };
        let address = ADDRESS.to_string();
        let patch = Patch::Merge(
            json!({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": status}]}}),
        );
        let patched = self.client.patch_subresource(pods, "default", "bench", "status", &patch).await;
        patched.context("the pod's status")?;
        Ok(())
    }
}

/// The web server of the pod.
fn start_endpoint(folder: &TempDir) -> Result<Process> {
    let config = format!(
        "daemon off;\nmaster_process off;\npid endpoint.pid;\nerror_log stderr crit;\nevents {{}}\n\
         http {{ access_log off; server {{ listen {ADDRESS}:{PORT}; location / {{ return 200 \"ok\\n\"; }} }} }}\n"
    );
    let path = folder.path().join("endpoint.conf");
    fs::write(&path, config)?;
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(folder.path()).arg("-c").arg(path);
    Process::start(&mut command, &folder.path().join("endpoint")).context("nginx (package nginx)")
}

/// No scheduler places it and no agent runs it.
fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "default", "name": "bench", "labels": {"app": "bench"}},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "main", "image": "none"}]}})
}

/// Of the pod; with an address of its own, or the given one.
fn service(name: &str, address: Option<&str>) -> Value {
    let address = address.map_or_else(|| SERVICE.ip().to_string(), str::to_owned);
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": name},
        "spec": {"clusterIP": address, "selector": {"app": "bench"},
            "ports": [{"name": "http", "port": SERVICE.port(), "targetPort": PORT}]}})
}

fn ingress() -> Value {
    let backend = json!({"service": {"name": "bench", "port": {"name": "http"}}});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"namespace": "default", "name": "bench"},
        "spec": {"ingressClassName": "xebec",
            "rules": [{"host": HOST, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}})
}

fn other_service(number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "default", "name": format!("s{number}")},
        "spec": {"ports": [{"name": "http", "port": 80}]}})
}

/// Two endpoints, at addresses that nobody asks.
fn other_slice(number: usize) -> Value {
    let name = format!("s{number}");
    let endpoint = |last: usize| {
        let address = format!("10.42.{}.{}", number / 100, number % 100 * 2 + last);
        json!({"addresses": [address], "conditions": {"ready": true}})
    };
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"namespace": "default", "name": name, "labels": {SERVICE_NAME: name}},
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": Value::from([1, 2].map(endpoint).to_vec())})
}
