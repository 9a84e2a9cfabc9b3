//! The whole server: follows the API, and answers from the first whole list on, whatever
//! becomes of the masters then.

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use xebec_client::kubeconfig::KubeconfigError;
use xebec_client::{Client, InPodError};

use crate::config::{Api, Config};
use crate::follow::Follower;
use crate::forward::{self, Forwarder};
use crate::health::{self, Health};
use crate::resolver::{Resolver, Transport};
use crate::tcp;
use crate::udp::{Servers, Slow};

/// Queries by UDP that may wait for others' answers.
const MOST_SLOW: usize = 512;
/// How often the threads are looked after.
const LOOK: Duration = Duration::from_secs(1);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The ServiceAccount's files.
    #[error(transparent)]
    Api(#[from] InPodError),
    /// A kubeconfig.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// A port.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddrV4,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Serves until `stop`.
///
/// # Errors
/// [`DnsError`], when it cannot begin. Masters that do not answer are no error: the server
/// goes on with what it knows, and waits for them at the start.
pub async fn run(config: Config, stop: CancellationToken) -> Result<(), DnsError> {
    let client = connect(&config)?;
    serve(client, config, stop).await
}

/// Clients by TCP and questions that are under way may be more than the thousand file
/// descriptors that a process has at first. Without any left the agent, which asks how the
/// server is, would get no answer, and end it.
fn allow_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    if let Err(error) = limits.and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard)) {
        tracing::warn!(%error, "the limit of file descriptors stays as it is");
    }
}

/// Serves what the client's masters have.
pub(crate) async fn serve(client: Client, config: Config, stop: CancellationToken) -> Result<(), DnsError> {
    allow_files();
    let (health, told) = (Arc::new(Health::default()), stop);
    let stop = CancellationToken::new();
    let draining = tokio::spawn(drain(told, stop.clone(), Arc::clone(&health), config.drain));
    let answering = health::serve(config.health, Arc::clone(&health), stop.clone());
    let at = config.health;
    let mut health_task = tokio::spawn(answering);
    let serving = serve_queries(&client, &config, &health, &stop);
    let outcome = tokio::select! {
        outcome = serving => outcome,
        ended = &mut health_task => match ended {
            Ok(Err(source)) => Err(DnsError::Listen { address: at, source }),
            _ => Ok(()),
        },
    };
    stop.cancel();
    draining.abort();
    outcome
}

/// Once it is told to stop: not ready any more, and a moment later the end.
async fn drain(told: CancellationToken, stop: CancellationToken, health: Arc<Health>, time: Duration) {
    told.cancelled().await;
    if health.ready.swap(false, Ordering::Relaxed) {
        tokio::time::sleep(time).await;
    }
    stop.cancel();
}

async fn serve_queries(
    client: &Client,
    config: &Config,
    health: &Health,
    stop: &CancellationToken,
) -> Result<(), DnsError> {
    let mut follower = Follower::start(client, config.zone.clone());
    let Some(Some(table)) = stop.run_until_cancelled(follower.first()).await else { return Ok(()) };
    let resolv_conf = std::fs::read_to_string(&config.resolv_conf).unwrap_or_default();
    let upstreams = forward::upstreams(&resolv_conf, &config.own);
    tracing::info!(address = %config.listen, ?upstreams, "serving names");
    let resolver = Resolver::new(table, Forwarder::new(upstreams));

    let refused = |source| DnsError::Listen { address: config.listen, source };
    let (slow, waiting) = mpsc::channel(MOST_SLOW);
    let servers = Servers::start(config.listen, config.workers, &resolver, &slow, stop).map_err(refused)?;
    let listener = tcp::listen(servers.address).await.map_err(refused)?;
    drop(slow);
    health.ready.store(true, Ordering::Relaxed);
    tokio::join!(
        follower.follow(&resolver, stop),
        tcp::serve(listener, Arc::clone(&resolver), stop.clone()),
        answer_slowly(waiting, &resolver, stop),
        watch_over(&servers, health, stop),
    );
    // They see it within a moment; nobody else is waited for here.
    if let Err(error) = tokio::task::spawn_blocking(move || servers.join()).await {
        tracing::error!(%error, "the UDP servers");
    }
    Ok(())
}

fn connect(config: &Config) -> Result<Client, DnsError> {
    match &config.api {
        Api::Pod(api) => Ok(api.connect()?),
        Api::Kubeconfig(path) => Ok(Client::from_kubeconfig(path)?),
    }
}

/// Answers what the UDP servers could not answer at once.
async fn answer_slowly(
    mut waiting: mpsc::Receiver<Slow>,
    resolver: &Arc<Resolver>,
    stop: &CancellationToken,
) {
    let tasks = TaskTracker::new();
    while let Some(Some(slow)) = stop.run_until_cancelled(waiting.recv()).await {
        let resolver = Arc::clone(resolver);
        // Bounded by the forwarder, which lets so many wait and refuses the others at once.
        tasks.spawn(async move {
            if let Some(answer) = resolver.answer(&slow.query, Transport::Udp).await {
                // A client that is gone misses nothing.
                let _ = slow.socket.send_to(&answer, slow.peer);
            }
        });
    }
    tasks.close();
    tasks.wait().await;
}

/// Tells the agent when a server is no more: it starts all of this again.
async fn watch_over(servers: &Servers, health: &Health, stop: &CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        if !servers.are_alive() && !health.broken.swap(true, Ordering::Relaxed) {
            tracing::error!("a UDP server has ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    use super::*;

    #[test]
    fn it_has_all_the_file_descriptors_that_it_may_have() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits");
        setrlimit(Resource::RLIMIT_NOFILE, hard - 1, hard).expect("a lower one");
        allow_files();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE), Ok((hard, hard)));
    }
}
