//! How a master comes to be a member: it makes the cluster, joins it, or comes back.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use xebec_raft::identity::Identity;
use xebec_raft::{Member, Node, Options, Timings};
use xebec_rpc::pinned::OTHER_CLUSTER;
use xebec_rpc::tls::Connector;
use xebec_rpc::v1;
use xebec_rpc::v1::cluster_client::ClusterClient;

use crate::cluster_keys::ClusterKeys;
use crate::config::Config;
use crate::earlier_cluster;
use crate::error::MasterError;
use crate::pki::{Authority, PkiFiles, Purpose, key_and_csr, private_folder};
use crate::seal::Seal;
use crate::tokens::Token;

/// The newest command format that this binary writes.
pub(crate) const FEATURE_LEVEL: u32 = 1;
/// How long a joining master looks for one that answers.
const JOIN_PATIENCE: Duration = Duration::from_secs(30);
/// How long one may take to answer.
const JOIN_ANSWER: Duration = Duration::from_secs(10);

/// What a master has before its Raft node runs.
pub(crate) struct Membership {
    /// Its id and its cluster's.
    pub identity: Identity,
    /// Opens the cluster's keys in the store.
    pub seal: Seal,
    /// Its files.
    pub files: PkiFiles,
    /// How it became one.
    pub origin: Origin,
}

/// How a master became a member.
pub(crate) enum Origin {
    /// It makes the cluster, with these keys.
    Founder(Box<ClusterKeys>),
    /// It was taken in just now and has no vote yet.
    Joiner,
    /// It was one before.
    Member,
}

/// Finds out which of the three it is, and makes what is missing.
///
/// # Errors
/// [`MasterError`], with the way out.
pub(crate) async fn establish(config: &Config, now: Timestamp) -> Result<Membership, MasterError> {
    let dir = &config.data_dir;
    private_folder(dir)?;
    let files = PkiFiles::open(dir)?;
    if let Some(identity) = Identity::load(dir, &config.name)? {
        if identity.removed {
            return Err(removed(config));
        }
        let seal = files.read("sealing.key").and_then(|key| Seal::new(&key));
        let seal = seal.map_err(|error| damaged(config, "sealing.key", error))?;
        return Ok(Membership { identity, seal, files, origin: Origin::Member });
    }
    let cut_short = set_aside_leftovers(dir)?;
    if config.bootstrap {
        return match earlier_cluster::trace(config, cut_short).await {
            None => found(config, files, now),
            Some(_) if earlier_cluster::may_rejoin(config) => join(config, files).await,
            Some(trace) => Err(earlier_cluster::refusal(config, &trace)),
        };
    }
    if config.join.is_empty() {
        let why = "this master has no data yet: set bootstrap = true on the one that makes the cluster, \
                   or join = [\"host:port\"] and token_file on every other";
        return Err(MasterError::Refused(why.to_owned()));
    }
    join(config, files).await
}

/// What a master ends with that was taken out. It is kept, too: the next start says so by
/// itself, whoever answers then.
pub(crate) fn leave(config: &Config) -> MasterError {
    let keep = |mut identity: Identity| {
        identity.removed = true;
        identity.store(&config.data_dir)
    };
    let known = Identity::load(&config.data_dir, &config.name);
    if let Err(error) = known.and_then(|identity| identity.map_or(Ok(()), keep)) {
        tracing::warn!(%error, "it is not kept that this master was taken out");
    }
    removed(config)
}

/// That a file of this master's own cannot be used, with the way back.
pub(crate) fn damaged(config: &Config, file: &str, error: MasterError) -> MasterError {
    let why = match error {
        MasterError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => source.to_string(),
        // Not readable by this user, say: it may be whole.
        MasterError::Io { .. } => return error,
        other => other.to_string(),
    };
    let (name, data_dir) = (config.name.clone(), config.data_dir.clone());
    MasterError::Damaged { path: data_dir.join("pki").join(file), why, name, data_dir }
}

pub(crate) fn removed(config: &Config) -> MasterError {
    MasterError::Removed { name: config.name.clone(), data_dir: config.data_dir.clone() }
}

/// A log without an identity is a start that was cut short: it is kept, but not used.
/// Whether there was one.
fn set_aside_leftovers(dir: &Path) -> Result<bool, MasterError> {
    let mut any = false;
    for name in ["log", "state"] {
        let path = dir.join(name);
        if path.exists() {
            let aside = dir.join(format!("{name}.aside-{}", std::process::id()));
            tracing::warn!(path = %path.display(), aside = %aside.display(), "set aside: it belongs to no identity");
            std::fs::rename(&path, &aside).map_err(|source| MasterError::Io { path, source })?;
            any = true;
        }
    }
    Ok(any)
}

fn found(config: &Config, files: PkiFiles, now: Timestamp) -> Result<Membership, MasterError> {
    let cluster_id = uuid::Uuid::new_v4().to_string();
    let authority = Authority::create(&cluster_id, now)?;
    let sealing_key = Seal::generate()?;
    files.write("sealing.key", sealing_key)?;
    files.write("ca.crt", authority.certificate())?;
    let (serving, peer) = purposes(config);
    for (name, purpose) in [("serving", serving), ("peer", peer)] {
        let (key, certificate) = authority.issue(&purpose, now)?;
        files.write(&format!("{name}.key"), key)?;
        files.write(&format!("{name}.crt"), certificate)?;
    }
    let keys = Box::new(ClusterKeys::create(authority)?);
    let identity = Identity::new(random_id(), &cluster_id);
    Ok(Membership { identity, seal: Seal::new(&sealing_key)?, files, origin: Origin::Founder(keys) })
}

async fn join(config: &Config, files: PkiFiles) -> Result<Membership, MasterError> {
    let path = config.token_file.as_ref().ok_or_else(|| {
        MasterError::Refused(
            "token_file: name a file with a master token (`xctl token create --master`)".into(),
        )
    })?;
    let text =
        std::fs::read_to_string(path).map_err(|source| MasterError::Io { path: path.clone(), source })?;
    let token = Token::parse(&text).map_err(|why| MasterError::Join(format!("{}: {why}", path.display())))?;
    let (serving_key, serving_csr) = key_and_csr()?;
    let (peer_key, peer_csr) = key_and_csr()?;
    let raft_id = random_id();
    let request = v1::JoinMasterRequest {
        token: token.to_string(),
        name: config.name.clone(),
        raft_id,
        client_address: config.client_address.clone(),
        peer_address: config.peer_address.clone(),
        serving_csr,
        peer_csr,
        feature_level: FEATURE_LEVEL,
    };
    let answer = ask_any(&config.join, &token.ca_hash, request).await?;
    if xebec_rpc::pinned::hash(&crate::pki::der_of(&answer.ca_certificate)?) != token.ca_hash {
        return Err(MasterError::Join("the answer's CA is not the one that the token pins".into()));
    }
    files.write("sealing.key", &answer.sealing_key)?;
    files.write("ca.crt", &answer.ca_certificate)?;
    files.write("serving.key", serving_key)?;
    files.write("serving.crt", &answer.serving_certificate)?;
    files.write("peer.key", peer_key)?;
    files.write("peer.crt", &answer.peer_certificate)?;
    let identity = Identity::new(raft_id, &answer.cluster_id);
    Ok(Membership { identity, seal: Seal::new(&answer.sealing_key)?, files, origin: Origin::Joiner })
}

/// Asks one master after the other until one answers; a refusal is final.
async fn ask_any(
    addresses: &[String],
    ca_hash: &str,
    request: v1::JoinMasterRequest,
) -> Result<v1::JoinMasterResponse, MasterError> {
    let deadline = tokio::time::Instant::now() + JOIN_PATIENCE;
    let mut last = String::new();
    while tokio::time::Instant::now() < deadline {
        for address in addresses {
            let channel = match xebec_rpc::pinned::connect(address, ca_hash).await {
                Ok(channel) => channel,
                Err(error) => {
                    last = format!("{address}: {}", xebec_rpc::error::with_causes(&error));
                    if last.contains(OTHER_CLUSTER) {
                        return Err(MasterError::Join(format!("{address}: {OTHER_CLUSTER}")));
                    }
                    continue;
                }
            };
            let mut client = ClusterClient::new(channel);
            match tokio::time::timeout(JOIN_ANSWER, client.join_master(request.clone())).await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) if may_ask_again(status.code()) => {
                    last = format!("{address}: {}", status.message());
                }
                Ok(Err(status)) => return Err(MasterError::Join(format!("{address}: {}", status.message()))),
                Err(_) => last = format!("{address}: no answer within {JOIN_ANSWER:?}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Err(MasterError::Join(format!("no master answered within {JOIN_PATIENCE:?}: {last}")))
}

/// Nobody leads now, nobody knows what became of it, or another change of the members is under
/// way. Who asks again with the same id is known again.
fn may_ask_again(code: tonic::Code) -> bool {
    matches!(code, tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Aborted)
}

/// What the master's two ports show.
#[must_use]
pub(crate) fn purposes(config: &Config) -> (Purpose, Purpose) {
    let host = |address: &str| {
        address.parse::<std::net::SocketAddr>().map(|a| a.ip().to_string()).unwrap_or_default()
    };
    let [first, second] = config.service_prefix().unwrap_or([10, 43]);
    let mut names =
        vec![host(&config.client_address), "127.0.0.1".to_owned(), format!("{first}.{second}.0.1")];
    for name in [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ] {
        names.push(name.to_owned());
    }
    names.push(config.name.clone());
    let serving = Purpose::Serving { name: config.name.clone(), names };
    let peer_names = vec![host(&config.peer_address), config.name.clone()];
    (serving, Purpose::Peer { name: config.name.clone(), names: peer_names })
}

/// Starts the Raft node of a member.
///
/// # Errors
/// [`MasterError`].
pub(crate) async fn start_node(
    config: &Config,
    membership: &Membership,
    peer_tls: Connector,
) -> Result<Node, MasterError> {
    let options = Options {
        dir: config.data_dir.clone(),
        cluster_id: membership.identity.cluster_id.clone(),
        raft_id: membership.identity.raft_id,
        member: member(config),
        peer_tls: Some(peer_tls),
        timings: Timings::default(),
        expect_log: matches!(membership.origin, Origin::Member),
    };
    Ok(Node::start(options).await?)
}

/// How others reach this master.
#[must_use]
pub(crate) fn member(config: &Config) -> Member {
    Member {
        name: config.name.clone(),
        client_address: config.client_address.clone(),
        peer_address: config.peer_address.clone(),
    }
}

/// What to say where the cluster knows this master by another name, or at other addresses, than
/// its configuration has: they are taken down once, when it joins.
pub(crate) fn moved(config: &Config, known: &Member) -> Option<String> {
    let Member { name, client_address, peer_address } = known;
    (member(config) != *known).then(|| {
        format!(
            "the cluster knows this master as {name:?}, with client_address = {client_address:?} and peer_address = \
             {peer_address:?}, and looks for it there: set its configuration back, or take it out (`xctl cluster \
             remove-master {name}`), {}",
            xebec_raft::identity::join_anew(&config.data_dir)
        )
    })
}

fn random_id() -> u64 {
    // Never zero, and within what a JSON number holds.
    rand::random_range(1..=(1 << 53) - 1)
}
