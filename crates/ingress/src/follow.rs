//! The ingress's one loop: whenever something that the table is made of has changed, make it
//! anew and give it to the server, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;
use xebec_api::object::Object;
use xebec_client::{Cache, Change, Client, InPodError, Selection};
use xebec_dataplane::ingress::{SecretName, Sources, ingress_table};

use crate::config::Config;
use crate::server::{Server, ServerError, Settings};

/// Changes come in bursts (a rollout, a dead node): so long after the first one, all are
/// taken at once.
const GATHER: Duration = Duration::from_millis(20);
/// File descriptors that are not for connections.
const RESERVED: u64 = 256;

/// Why the ingress cannot run.
#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    /// The ServiceAccount's files.
    #[error(transparent)]
    Api(#[from] InPodError),
    /// The server.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// Serves every Ingress of its class until `cancel`, and then lets requests finish.
///
/// # Errors
/// [`IngressError`], when it cannot begin. Masters that do not answer are no error: the
/// ingress goes on with what it knows, and waits for them at the start.
pub async fn run(config: Config, cancel: CancellationToken) -> Result<(), IngressError> {
    let client = config.api.connect()?;
    let settings = Settings { http: config.http, https: config.https, most_connections: connection_limit() };
    follow(client, &settings, &cancel).await
}

/// Listens once everything was listed: a pod that is ready knows its rules.
async fn follow(client: Client, settings: &Settings, cancel: &CancellationToken) -> Result<(), IngressError> {
    let mut feed = Feed::start(&client);
    let result = match cancel.run_until_cancelled(feed.synced()).await {
        Some(true) => serve(&mut feed, settings, cancel).await,
        _ => Ok(()),
    };
    feed.stop().await;
    result
}

async fn serve(feed: &mut Feed, settings: &Settings, cancel: &CancellationToken) -> Result<(), IngressError> {
    let mut server = Server::new(tokio::io::stdout(), settings.most_connections)?;
    feed.give(&mut server);
    let [http, https] = server.listen(settings)?;
    tracing::info!(%http, %https, "serving Ingresses");
    loop {
        feed.give(&mut server);
        let again = async {
            feed.changed().await;
            tokio::time::sleep(GATHER).await;
        };
        if cancel.run_until_cancelled(again).await.is_none() {
            tracing::info!("stopping: requests that run may finish");
            server.stop().await;
            return Ok(());
        }
    }
}

/// Everything that the table is made of.
struct Feed {
    ingresses: Part,
    classes: Part,
    services: Part,
    slices: Part,
    secrets: Part,
}

struct Part {
    cache: Arc<Cache>,
    changes: Receiver<Change>,
}

impl Part {
    fn start(client: &Client, group: &'static str, plural: &'static str, field_selector: &str) -> Self {
        let selection =
            Selection { field_selector: field_selector.to_owned(), ..Selection::all((group, plural)) };
        let (cache, changes) = Cache::start(client.clone(), selection);
        Self { cache, changes }
    }

    /// Waits for a change, for ever once there can be none.
    async fn changed(&mut self) {
        if let Err(RecvError::Closed) = self.changes.recv().await {
            std::future::pending::<()>().await;
        }
    }
}

impl Feed {
    fn start(client: &Client) -> Self {
        let networking = "networking.k8s.io";
        Self {
            ingresses: Part::start(client, networking, "ingresses", ""),
            classes: Part::start(client, networking, "ingressclasses", ""),
            services: Part::start(client, "", "services", ""),
            slices: Part::start(client, "discovery.k8s.io", "endpointslices", ""),
            secrets: Part::start(client, "", "secrets", "type=kubernetes.io/tls"),
        }
    }

    fn parts(&mut self) -> [&mut Part; 5] {
        [&mut self.ingresses, &mut self.classes, &mut self.services, &mut self.slices, &mut self.secrets]
    }

    async fn synced(&mut self) -> bool {
        for part in self.parts() {
            if !part.cache.synced().await {
                return false;
            }
        }
        true
    }

    /// Waits until one of them has something new.
    async fn changed(&mut self) {
        let [ingresses, classes, services, slices, secrets] = self.parts();
        tokio::select! {
            () = ingresses.changed() => {}
            () = classes.changed() => {}
            () = services.changed() => {}
            () = slices.changed() => {}
            () = secrets.changed() => {}
        }
    }

    /// Makes the table of what there is now.
    fn give(&mut self, server: &mut Server) {
        // What is told before this point is in the lists that are read after it.
        self.parts().into_iter().for_each(|part| part.changes = part.changes.resubscribe());
        let key = |secret: &Arc<Object>| (secret.namespace().to_owned(), secret.name().to_owned());
        let secrets: Vec<SecretName> = self.secrets.cache.list().iter().map(key).collect();
        let table = ingress_table(&Sources {
            ingresses: &self.ingresses.cache.list(),
            classes: &self.classes.cache.list(),
            services: &self.services.cache.list(),
            slices: &self.slices.cache.list(),
            secrets: &secrets,
        });
        server.set(table, |(namespace, name)| self.secrets.cache.get(namespace, name));
    }

    async fn stop(mut self) {
        for part in self.parts() {
            part.cache.stop().await;
        }
    }
}

/// There may be as many connections to endpoints as of clients, and each takes a file descriptor. A client
/// with several requests at once, over HTTP/2, may have several to endpoints: both are bounded by themselves.
fn connection_limit() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    let files = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    usize::try_from(files.saturating_sub(RESERVED) / 2).unwrap_or(1 << 16).max(16)
}
