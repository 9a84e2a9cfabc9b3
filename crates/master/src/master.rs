//! One running master: what its services share, and how it starts and stops.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use xebec_apiserver::clock::{Clock, SystemClock};
use xebec_apiserver::{ApiServer, RequestContext, Settings, system_objects};
use xebec_raft::Node;

use crate::admin;
use crate::cluster_keys::ClusterKeys;
use crate::config::Config;
use crate::dialer::Tunnels;
use crate::error::MasterError;
use crate::identity::{self, Membership, Origin};
use crate::leader;
use crate::listen;
use crate::liveness::Liveness;
use crate::pki::{PkiFiles, ServingCertificate, write_private};
use crate::serve;
use crate::services::Measured;
use crate::sessions::Sessions;
use crate::store_adapter::RaftStore;

/// How long handing leadership over may take when stopping.
const HANDING_OVER: Duration = Duration::from_secs(1);
/// How long a stop may take.
const STOPPING: Duration = Duration::from_secs(5);
/// How long the keys of the cluster may take to arrive.
const KEYS_PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts to get a vote.
const PROMOTE_AGAIN: Duration = Duration::from_millis(200);
/// Between two reports of sessions to the leader.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Between two renewals of certificates that are good for a week, by the time of day.
const RENEW_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked whether they are due: what measures a sleep stands still while a host
/// is suspended, and knows nothing of a clock that was wrong and is set.
const RENEW_LOOK: Duration = Duration::from_secs(60);

/// Both ports, by the name of their files.
type Ports = [(&'static str, Arc<ServingCertificate>); 2];

/// What the services and loops of a master share.
pub(crate) struct Shared {
    /// Its configuration.
    pub config: Arc<Config>,
    /// The cluster's id.
    pub cluster_id: String,
    /// Its part of the replicated store.
    pub node: Arc<Node>,
    /// The API over it.
    pub api: Arc<ApiServer>,
    /// The cluster's keys.
    pub keys: ClusterKeys,
    /// The key that they are sealed with.
    pub sealing_key: Vec<u8>,
    /// The nodes' sessions here.
    pub sessions: Sessions,
    /// The nodes' last signs of life.
    pub liveness: Liveness,
    /// Ends everything.
    pub stop: CancellationToken,
}

impl Shared {
    /// The time.
    #[must_use]
    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// The client addresses of every master, this one's first.
    #[must_use]
    pub(crate) fn master_addresses(&self) -> Vec<String> {
        let mut all = vec![self.config.client_address.clone()];
        let others = self.node.members().into_iter().map(|member| member.member.client_address);
        all.extend(others.filter(|address| *address != self.config.client_address));
        all
    }
}

/// Runs a master until `stop`. It is ready once both ports answer.
///
/// # Errors
/// [`MasterError`]: what happened, to what, and what to do.
pub async fn run(config: Config, told: CancellationToken) -> Result<(), MasterError> {
    // What runs inside stops only after leadership was handed over, and whenever we return.
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let started = tokio::select! {
        started = Box::pin(start(config, stop.clone())) => started?,
        () = told.cancelled() => return Ok(()),
    };
    let (shared, tasks) = started;
    // A master that takes no part any more must not stay and answer with errors.
    let outcome = tokio::select! {
        () = told.cancelled() => Ok(()),
        why = shared.node.stopped() => Err(MasterError::Stopped(why)),
        () = shared.node.removed() => Err(identity::leave(&shared.config)),
    };
    match outcome {
        Ok(()) => hand_over(&shared.node).await,
        Err(MasterError::Removed { .. }) => step_down(&shared.node).await,
        Err(_) => {}
    }
    stop.cancel();
    finish(shared, tasks).await;
    outcome
}

async fn start(config: Config, stop: CancellationToken) -> Result<(Arc<Shared>, JoinSet<()>), MasterError> {
    // Both ports first: one that is in use must not leave a half-made cluster behind.
    let clients = listen::bind("client_address", &config.client_address).await?;
    let peers = listen::bind("peer_address", &config.peer_address).await?;
    let now = SystemClock.now();
    let membership = identity::establish(&config, now).await?;
    let sealing_key = membership.files.read("sealing.key")?;
    let damaged = |error| identity::damaged(&config, "ca.crt", error);
    let ca = membership.files.read_text("ca.crt").map_err(damaged)?;
    let ca_der = crate::pki::der_of(&ca).map_err(damaged)?;
    let certificate = serving(&config, &membership, "peer", &ca)?;
    let peer_tls = listen::peer_connector(certificate.clone(), &ca_der)?;
    let node = Arc::new(identity::start_node(&config, &membership, peer_tls).await?);
    let mut tasks = JoinSet::new();

    // The peers' port serves Raft at once: without it a joiner never hears of the keys.
    let peer_certificate = certificate.clone();
    let tls = listen::server_config(certificate, &ca_der, false, listen::HTTP2)?;
    let (peer_incoming, accepting) = listen::accept(peers, tls, stop.clone());
    tasks.spawn(accepting);
    let (raft, peer) = node.services();
    let (late, sessions) = tokio::sync::oneshot::channel::<Arc<Shared>>();
    tasks.spawn(serve::peers(peer_incoming, raft, peer, sessions, stop.clone()));

    let keys = settle(&config, &membership, &node).await?;
    let me = membership.identity.raft_id;
    let known = node.members().into_iter().find(|known| known.raft_id == me);
    if let Some(why) = known.and_then(|known| identity::moved(&config, &known.member)) {
        tracing::error!("{why}");
    }
    let api = api(&config, &node, &keys, &stop)?;
    let shared = Arc::new(Shared {
        cluster_id: membership.identity.cluster_id.clone(),
        node,
        api,
        keys,
        sealing_key,
        sessions: Sessions::default(),
        liveness: Liveness::default(),
        stop: stop.clone(),
        config: Arc::new(config),
    });
    shared.api.set_dialer(Arc::new(Tunnels(Arc::downgrade(&shared))));
    shared.api.set_usage(Arc::new(Measured(Arc::downgrade(&shared))));
    // The receiver waits in a task of ours; it is gone only when we stop.
    let _ = late.send(shared.clone());
    if matches!(membership.origin, Origin::Founder(_)) {
        furnish(&shared).await?;
        // Before any client is served: a founding without an identity is begun anew, and
        // must not take a write with it that was acknowledged.
        membership.identity.store(&shared.config.data_dir)?;
    }
    let certificate = serving(&shared.config, &membership, "serving", &ca)?;
    let ports = [("serving", certificate.clone()), ("peer", peer_certificate)];
    renew(&shared, &membership.files, &ports)?;
    tasks.spawn(keep_renewed(shared.clone(), membership.files.clone(), ports));
    let tls = listen::server_config(certificate, &ca_der, true, listen::HTTP2_OR_1)?;
    let (incoming, accepting) = listen::accept(clients, tls, stop.clone());
    tasks.spawn(accepting);
    tasks.spawn(serve::clients(incoming, shared.clone()));
    tasks.spawn(report_sessions(shared.clone()));
    tasks.spawn(leader::run(shared.clone()));
    tracing::info!(name = shared.config.name, address = shared.config.client_address, "ready");
    Ok((shared, tasks))
}

/// Raft's first steps, until this master holds the cluster's keys.
async fn settle(config: &Config, membership: &Membership, node: &Node) -> Result<ClusterKeys, MasterError> {
    match &membership.origin {
        Origin::Founder(keys) => {
            node.bootstrap(identity::member(config)).await?;
            let transaction = keys.founding(&membership.identity.cluster_id, &membership.seal)?;
            node.propose(&transaction).await?;
        }
        Origin::Joiner | Origin::Member => {}
    }
    let mut revisions = node.revisions();
    let deadline = tokio::time::Instant::now() + KEYS_PATIENCE;
    let keys = loop {
        if let Some(keys) = ClusterKeys::load(&node.state(), &membership.seal)? {
            break keys;
        }
        let changed = tokio::time::timeout_at(deadline, revisions.changed()).await;
        if changed.is_err() {
            let why = format!(
                "the cluster's state did not arrive within {KEYS_PATIENCE:?}: are the other masters up?"
            );
            return Err(MasterError::Join(why));
        }
    };
    let id = membership.identity.raft_id;
    let waits = |node: &Node| node.members().iter().any(|member| member.raft_id == id && !member.voter);
    if matches!(membership.origin, Origin::Joiner) {
        // Kept before the vote: a master that may have voted must know that it did.
        membership.identity.store(&config.data_dir)?;
        promote(node, id).await?;
    } else if waits(node) {
        // It stopped between being taken in and having a vote.
        promote(node, id).await?;
    }
    Ok(keys)
}

/// Asks for a vote once this master has caught up; again while another change of the
/// membership is under way.
async fn promote(node: &Node, id: u64) -> Result<(), MasterError> {
    let deadline = tokio::time::Instant::now() + KEYS_PATIENCE;
    loop {
        let asked = async {
            node.barrier().await?;
            node.promote(id).await
        };
        match asked.await {
            Ok(()) => return Ok(()),
            Err(error) if tokio::time::Instant::now() >= deadline => return Err(error.into()),
            Err(error) => tracing::debug!(%error, "no vote yet"),
        }
        tokio::time::sleep(PROMOTE_AGAIN).await;
    }
}

fn api(
    config: &Config,
    node: &Arc<Node>,
    keys: &ClusterKeys,
    stop: &CancellationToken,
) -> Result<Arc<ApiServer>, MasterError> {
    let settings = Settings {
        service_cidr: config
            .cluster
            .service_cidr
            .parse()
            .map_err(|error| MasterError::Refused(format!("{error}")))?,
        token_keys: Some(keys.token_keys()?),
        shutdown: stop.clone(),
        ..Settings::default()
    };
    Ok(Arc::new(ApiServer::new(Arc::new(RaftStore(node.clone())), settings)))
}

/// The pair of files of a port. Which of the two is damaged cannot be told always.
fn serving(
    config: &Config,
    membership: &Membership,
    name: &str,
    ca: &str,
) -> Result<Arc<ServingCertificate>, MasterError> {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
    let pair = || {
        let (key, certificate) =
            (membership.files.read_text(&key)?, membership.files.read_text(&certificate)?);
        ServingCertificate::new(&key, &certificate, ca)
    };
    pair().map_err(|error| identity::damaged(config, &format!("{certificate} or {key}"), error))
}

/// Issues fresh certificates for both ports, which show them from the next connection
/// on. At every start too, so that a master that was off for a month comes back.
fn renew(shared: &Shared, files: &PkiFiles, ports: &Ports) -> Result<(), MasterError> {
    let (serving_purpose, peer_purpose) = identity::purposes(&shared.config);
    for ((name, port), purpose) in ports.iter().zip([serving_purpose, peer_purpose]) {
        let (key, certificate) = shared.keys.authority.issue(&purpose, shared.now())?;
        port.replace(&key, &certificate, shared.keys.authority.certificate())?;
        files.write(&format!("{name}.key"), key)?;
        files.write(&format!("{name}.crt"), certificate)?;
    }
    Ok(())
}

async fn keep_renewed(shared: Arc<Shared>, files: PkiFiles, ports: Ports) {
    let mut issued = shared.now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(RENEW_LOOK) => {}
            () = shared.stop.cancelled() => return,
        }
        let now = shared.now();
        if !is_renewal_due(issued, now) {
            continue;
        }
        match renew(&shared, &files, &ports) {
            Ok(()) => issued = now,
            Err(error) => {
                tracing::error!(%error, "the certificates were not renewed; tried again in a minute")
            }
        }
    }
}

/// A day later, or by a clock that was put back: then they are good from a later time on.
fn is_renewal_due(issued: Timestamp, now: Timestamp) -> bool {
    (now.as_second() - issued.as_second()).unsigned_abs() >= RENEW_EVERY.as_secs()
}

/// What every cluster has from its first moment, and the way in for its admin.
async fn furnish(shared: &Arc<Shared>) -> Result<(), MasterError> {
    let mut leadership = shared.node.leadership();
    let leading = leadership.wait_for(|leadership| leadership.leading.is_some()).await;
    let term = leading.ok().and_then(|leadership| leadership.leading).unwrap_or_default();
    let context = RequestContext::system("bootstrap", term);
    for object in system_objects::all() {
        let made = shared.api.apply_missing(&context, object).await;
        made.map_err(|error| MasterError::Refused(format!("bootstrap: {error}")))?;
    }
    let (key, certificate) = shared.keys.authority.issue(&admin::purpose(), shared.now())?;
    let servers = shared.master_addresses();
    let text = crate::kubeconfig::admin(&servers, shared.keys.authority.certificate(), &certificate, &key);
    write_private(&admin::kubeconfig_path(&shared.config), text.as_bytes())
}

/// Keeps the masters in the admin's kubeconfig current, where this master wrote it.
fn refresh_kubeconfig(shared: &Shared) {
    let path = admin::kubeconfig_path(&shared.config);
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some(new) = crate::kubeconfig::with_servers(&old, &shared.master_addresses())
        && let Err(error) = write_private(&path, new.as_bytes())
    {
        tracing::warn!(%error, "the admin's kubeconfig was not brought up to date");
    }
}

/// Tells the leader, about once a second, which nodes are heard of here.
async fn report_sessions(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(REPORT_EVERY);
    let mut known = Vec::new();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = shared.stop.cancelled() => return,
        }
        let masters = shared.master_addresses();
        if masters != known && shared.config.bootstrap {
            refresh_kubeconfig(&shared);
        }
        if masters != known {
            shared.sessions.announce(&masters);
        }
        known = masters;
        let ages = shared.sessions.ages();
        for (node, age) in &ages {
            shared.liveness.heard(node, *age);
        }
        if let Err(error) = shared.node.report_sessions(&ages).await {
            tracing::debug!(%error, "the leader did not take a report");
        }
    }
}

/// Lets another master lead before this one goes: writes then pause for a moment instead
/// of an election's time. Nothing is lost when it does not work out.
async fn hand_over(node: &Node) {
    let mut leadership = node.leadership();
    let others = node.members().iter().filter(|member| member.voter).count() > 1;
    if leadership.borrow().leading.is_none() || !others {
        return;
    }
    let moved = async {
        node.transfer(None).await?;
        // An error means that the store has stopped: nothing is left to hand over.
        let _ = leadership.wait_for(|leadership| leadership.leading.is_none()).await;
        Ok::<(), xebec_raft::ProposeError>(())
    };
    match tokio::time::timeout(HANDING_OVER, moved).await {
        Ok(Ok(())) => tracing::info!("leadership was handed over"),
        Ok(Err(error)) => tracing::warn!(%error, "leadership was not handed over"),
        Err(_) => tracing::warn!("nobody took leadership over in time"),
    }
}

/// A leader that was taken out hands leadership over by itself, and answers until then.
async fn step_down(node: &Node) {
    let mut leadership = node.leadership();
    let followed = leadership.wait_for(|leadership| leadership.leading.is_none());
    if tokio::time::timeout(HANDING_OVER, followed).await.is_err() {
        tracing::warn!("nobody took leadership over in time");
    }
}

async fn finish(shared: Arc<Shared>, mut tasks: JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(STOPPING, all).await.is_err() {
        tracing::warn!("some tasks did not stop in time");
        tasks.abort_all();
    }
    let node = shared.node.clone();
    drop(shared);
    match Arc::try_unwrap(node) {
        Ok(node) => node.shutdown().await,
        // Connections that outlive the stop still hold it; the process ends anyway.
        Err(node) => node.stop().await,
    }
}

#[cfg(test)]
#[path = "master_tests.rs"]
mod tests;
