//! The proxy's one loop: whenever Services or endpoints have changed, compile them and
//! give them to the engine, until it is told to stop.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use xebec_api::object::Object;
use xebec_dataplane::route_table;

use crate::config::Config;
use crate::engine::{Engine, EngineError};

/// Changes come in bursts (a rollout, a dead node): so long after the first one, all are
/// taken at once.
const GATHER: Duration = Duration::from_millis(20);
/// What the kernel refused is tried again after so long.
const RETRY: Duration = Duration::from_secs(1);
/// File descriptors that are not for connections.
const RESERVED: u64 = 256;

/// Where Services and slices come from.
pub(crate) trait Source {
    /// Every Service and every EndpointSlice, as they are now.
    fn objects(&self) -> (Vec<Object>, Vec<Object>);
}

/// Serves until `cancel`. `changes` says that the source has something new.
pub(crate) async fn serve(
    config: &Config,
    source: &dyn Source,
    mut changes: Vec<watch::Receiver<u64>>,
    cancel: CancellationToken,
) -> Result<(), EngineError> {
    let mut engine = Engine::start(config.service_cidr, config.pod_cidr, connection_limit()).await?;
    loop {
        changes.iter_mut().for_each(|changes| drop(changes.borrow_and_update()));
        let (services, slices) = source.objects();
        let ports = route_table(&services, &slices, &config.node_name);
        let applied = engine.apply(&ports).await;
        let again = async {
            match &applied {
                Ok(()) => any_changed(&mut changes).await,
                Err(error) => {
                    tracing::error!(%error, "cannot bring the kernel's tables up to date; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
            tokio::time::sleep(GATHER).await;
        };
        if cancel.run_until_cancelled(again).await.is_none() {
            return engine.stop().await;
        }
    }
}

/// Waits until one of them has something new; for ever once none can have.
async fn any_changed(changes: &mut [watch::Receiver<u64>]) {
    let each = changes.iter_mut().map(|changes| {
        Box::pin(async move {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    });
    futures::future::select_all(each).await;
}

/// Each connection takes two file descriptors, and two more while it moves a lot.
fn connection_limit() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    let files = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    usize::try_from(files.saturating_sub(RESERVED) / 4).unwrap_or(1 << 16).max(16)
}
