//! One running agent, from joining to its stop. A stop leaves the pods running.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use xebec_api::table;
use xebec_client::{Cache, Client, Selection, Server};
use xebec_runtime::image::Store;
use xebec_runtime::{NodeNetwork, NodeRuntime, Runtime, RuntimeConfig};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::AgentError;
use crate::events::{self, Recorder};
use crate::eviction::{self, Host};
use crate::join::{self, Pki};
use crate::node_pressure::Pressure;
use crate::sources::Sources;
use crate::{node_object, pod, session, volumes};

/// How long a stop may take.
const STOPPING: Duration = Duration::from_secs(5);
/// Between two looks at the certificate, which is good for 30 days: often, as a host that
/// sleeps does not count the hours, and a master may be away when one is to be renewed.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// What the parts of an agent share.
pub(crate) struct Agent {
    pub(crate) config: Config,
    pub(crate) client: Client,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) stop: CancellationToken,
    /// Kept whole: every pod gets variables of its namespace's Services.
    pub(crate) services: Arc<Cache>,
    pub(crate) clock: Clock,
    pub(crate) events: Recorder,
    pub(crate) sources: Sources,
    pub(crate) volumes: volumes::State,
    /// What the host has left.
    pub(crate) host: Host,
    /// What the node says that it is short of.
    pub(crate) pressure: watch::Sender<Pressure>,
}

/// Runs an agent until `stop`.
///
/// # Errors
/// [`AgentError`]: what happened, to what, and what to do.
pub async fn run(config: Config, stop: CancellationToken) -> Result<(), AgentError> {
    let clock = Clock::wall();
    let pki = Pki::open(&config.data_dir)?;
    join::join(&config, &pki, clock.now()).await?;
    let servers = servers(&config.masters)?;
    let client = Client::new(servers, &pki.credentials()?);
    let client = client.map_err(|error| AgentError::Certificate(error.to_string()))?;
    import_images(&config)?;
    let runtime = NodeRuntime::open(RuntimeConfig {
        data_dir: config.data_dir.clone(),
        run_dir: config.data_dir.join("run"),
        cgroup_root: format!("/xebec/{}", config.name),
        system_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    });
    let runtime: Arc<dyn Runtime> = Arc::new(runtime.await?);
    let row = |group, plural| table::find(group, plural).expect("a built-in kind");
    let (services, _) = Cache::start(client.clone(), Selection::all(row("", "services")));
    let (events, told) = Recorder::new(clock.clone());
    let (sources, volumes) = Default::default();
    let host = Host::of(&config.data_dir);
    let pressure = watch::Sender::new(eviction::first_look(&config.eviction, &host, clock.now()));
    let agent = Agent {
        config,
        client,
        runtime,
        stop: stop.clone(),
        services,
        clock,
        events,
        sources,
        volumes,
        host,
        pressure,
    };
    let agent = Arc::new(agent);
    let mut tasks = JoinSet::new();
    tasks.spawn(session::run(agent.clone()));
    tasks.spawn(node_object::keep(agent.clone()));
    tasks.spawn(network(agent.clone()));
    tasks.spawn(pod::source::run(agent.clone()));
    tasks.spawn(events::run(agent.clone(), told));
    tasks.spawn(keep_renewed(agent.clone(), pki));
    stop.cancelled().await;
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(STOPPING, all).await.is_err() {
        tracing::warn!("some tasks did not stop in time");
    }
    Ok(())
}

pub(crate) fn servers(addresses: &[String]) -> Result<Vec<Server>, AgentError> {
    let parse = |address: &String| {
        let url = format!("https://{address}");
        url.parse().map_err(|error| AgentError::Join(format!("masters: {address:?}: {error}")))
    };
    addresses.iter().map(parse).collect()
}

fn import_images(config: &Config) -> Result<(), AgentError> {
    let Some(dir) = &config.images_dir else { return Ok(()) };
    let store = Store::open(&config.data_dir)?;
    for (path, outcome) in store.import_dir(dir) {
        match outcome {
            Ok(names) => tracing::info!(path = %path.display(), ?names, "imported"),
            // One broken archive is no reason to be no node.
            Err(error) => tracing::warn!(path = %path.display(), %error, "not imported"),
        }
    }
    Ok(())
}

/// Tells the runtime which addresses its pods get and how the other nodes' are reached.
async fn network(agent: Arc<Agent>) {
    let nodes = table::find("", "nodes").expect("a built-in kind");
    let (cache, mut changes) = Cache::start(agent.client.clone(), Selection::all(nodes));
    let mut known = NodeNetwork::default();
    loop {
        let now = node_object::network(&agent.config.name, &cache.list());
        if cache.is_synced() && now != known {
            match agent.runtime.set_network(now.clone()).await {
                Ok(()) => known = now,
                Err(error) => tracing::error!(%error, "the pod network was not set"),
            }
        }
        tokio::select! {
            // Whether one came or some were missed: the whole is looked at again.
            _ = changes.recv() => {}
            () = tokio::time::sleep(Duration::from_secs(1)), if !cache.is_synced() || known.pod_cidrs.is_empty() => {}
            () = agent.stop.cancelled() => return,
        }
    }
}

/// Looks at the certificate at once and then every hour: an agent that is started anew every
/// day renews it too.
async fn keep_renewed(agent: Arc<Agent>, pki: Pki) {
    loop {
        let look = async {
            let now = agent.clock.now();
            if let Err(error) = join::keep_valid(&agent.config, &agent.client, &pki, now).await {
                tracing::error!(%error, "the certificate was not renewed; tried again in an hour");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        if agent.stop.run_until_cancelled(look).await.is_none() {
            return;
        }
    }
}
