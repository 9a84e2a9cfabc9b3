//! The proxy's one loop: whenever Services or endpoints have changed, compile them and
//! give them to the engine, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;
use xebec_client::{Cache, Change, Client, InPodError, Selection};
use xebec_dataplane::route_table;

use crate::config::Config;
use crate::engine::{Engine, EngineError};

/// Changes come in bursts (a rollout, a dead node): so long after the first one, all are
/// taken at once.
const GATHER: Duration = Duration::from_millis(20);
/// What the kernel refused is tried again after so long.
const RETRY: Duration = Duration::from_secs(1);
/// How often the kernel is looked at without a change: others may take out of it what is ours.
const LOOK: Duration = Duration::from_secs(10);
/// File descriptors that are not for connections.
const RESERVED: u64 = 256;

/// Why the proxy cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The ServiceAccount's files.
    #[error(transparent)]
    Api(#[from] InPodError),
    /// The kernel.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Serves this node's Services until `cancel`, and takes everything out of the kernel then.
///
/// # Errors
/// [`ProxyError`], when it cannot begin or cannot clean up. Masters that do not answer are
/// no error: the proxy goes on with what it knows, and waits for them at the start.
pub async fn run(config: Config, cancel: CancellationToken) -> Result<(), ProxyError> {
    let client = config.api.connect()?;
    Ok(follow(client, &config, &cancel).await?)
}

/// Follows what the client's masters have, from the first whole list on.
pub(crate) async fn follow(
    client: Client,
    config: &Config,
    cancel: &CancellationToken,
) -> Result<(), EngineError> {
    let (services, service_changes) = Cache::start(client.clone(), Selection::all(("", "services")));
    let selection = Selection::all(("discovery.k8s.io", "endpointslices"));
    let (slices, slice_changes) = Cache::start(client, selection);
    // Until both are known nothing is touched: an earlier proxy's rules may still stand.
    let listed = async { services.synced().await && slices.synced().await };
    let result = match cancel.run_until_cancelled(listed).await {
        Some(true) => {
            let feed =
                Feed { services: &services, slices: &slices, changes: [service_changes, slice_changes] };
            serve(config, feed, cancel).await
        }
        _ => Ok(()),
    };
    services.stop().await;
    slices.stop().await;
    result
}

/// Where Services and endpoints come from.
struct Feed<'a> {
    services: &'a Arc<Cache>,
    slices: &'a Arc<Cache>,
    changes: [Receiver<Change>; 2],
}

async fn serve(config: &Config, mut feed: Feed<'_>, cancel: &CancellationToken) -> Result<(), EngineError> {
    let mut engine = Engine::start(config.service_cidr, config.pod_cidr, connection_limit()).await?;
    tracing::info!(node = %config.node_name, "serving Services");
    loop {
        // What is told before this point is in the lists that are read after it.
        feed.changes.iter_mut().for_each(|changes| *changes = changes.resubscribe());
        let (services, slices) = (feed.services.list(), feed.slices.list());
        let ports = route_table(&services, &slices, &config.node_name);
        let mut outcome = engine.apply(&ports).await;
        loop {
            match cancel.run_until_cancelled(feed.next(&outcome)).await {
                None => return engine.stop().await,
                Some(Next::Apply) => break,
                Some(Next::Look) => outcome = engine.look_after().await,
            }
        }
    }
}

/// What is to be done next.
enum Next {
    /// There is something new, or the last attempt failed.
    Apply,
    /// There is not, for a while.
    Look,
}

impl Feed<'_> {
    /// Waits for what is to be done after the last attempt came to this.
    async fn next(&mut self, outcome: &Result<(), EngineError>) -> Next {
        if let Err(error) = outcome {
            tracing::error!(%error, "cannot bring the kernel's tables up to date; trying again");
            tokio::time::sleep(RETRY).await;
        } else if tokio::time::timeout(LOOK, self.changed()).await.is_err() {
            return Next::Look;
        }
        tokio::time::sleep(GATHER).await;
        Next::Apply
    }

    /// Waits until one of the two has something new.
    async fn changed(&mut self) {
        let [services, slices] = &mut self.changes;
        tokio::select! {
            () = told(services) => {}
            () = told(slices) => {}
        }
    }
}

/// Waits for a change, for ever once there can be none.
async fn told(changes: &mut Receiver<Change>) {
    if let Err(RecvError::Closed) = changes.recv().await {
        std::future::pending::<()>().await;
    }
}

/// Each connection takes two file descriptors, and two more while it moves a lot; and there
/// may be as many flows of datagrams, of which each takes one.
fn connection_limit() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    let files = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    usize::try_from(files.saturating_sub(RESERVED) / 5).unwrap_or(1 << 16).max(16)
}
