//! `xebec.v1.Cluster`: the cluster's own life.

use std::sync::Arc;

use jiff::Timestamp;
use tonic::{Request, Response, Status};
use xebec_api::error::{ApiError, Reason};
use xebec_apiserver::clock::rfc3339;
use xebec_apiserver::grpc::authenticate;
use xebec_raft::{MemberStatus, ProposeError};
use xebec_rpc::error::to_status;
use xebec_rpc::v1;
use xebec_state::{Operation, Precondition, Transaction};

use crate::identity::FEATURE_LEVEL;
use crate::master::Shared;
use crate::members;
use crate::pki::Purpose;
use crate::services::administrators_only;
use crate::tokens::{Token, Use};

/// Seconds that a token lives when nobody says, and the longest.
const TOKEN_SECONDS: u32 = 24 * 3600;
const LONGEST_TOKEN_SECONDS: u32 = 365 * 24 * 3600;

/// The service.
pub(crate) struct ClusterService(pub Arc<Shared>);

#[tonic::async_trait]
impl v1::cluster_server::Cluster for ClusterService {
    async fn status(
        &self,
        request: Request<v1::ClusterStatusRequest>,
    ) -> Result<Response<v1::ClusterStatusResponse>, Status> {
        authenticate(&self.0.api, &request).map_err(|error| to_status(&error))?;
        let leadership = self.0.node.leadership().borrow().clone();
        let mut members = self.0.node.members();
        members.sort_by(|one, other| one.member.name.cmp(&other.member.name));
        let answering = members::answering(&members, &self.0.config.name).await;
        Ok(Response::new(v1::ClusterStatusResponse {
            cluster_id: self.0.cluster_id.clone(),
            leader: leadership.leader.as_ref().map(|(_, leader)| leader.name.clone()).unwrap_or_default(),
            term: leadership.term,
            answered_by: self.0.config.name.clone(),
            masters: members.iter().map(|m| master(m, answering.contains(&m.raft_id))).collect(),
            revision: self.0.node.state().revision(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }))
    }

    async fn join_master(
        &self,
        request: Request<v1::JoinMasterRequest>,
    ) -> Result<Response<v1::JoinMasterResponse>, Status> {
        let from = request.remote_addr();
        let request = request.into_inner();
        let now = self.0.now();
        self.0.admit_token(&request.token, Use::Master, now).await.map_err(|error| {
            tracing::warn!(?from, name = request.name, "refused a joining master: {error}");
            to_status(&error)
        })?;
        self.0.join_master(request, now).await.map(Response::new).map_err(|error| to_status(&error))
    }

    async fn promote_master(
        &self,
        request: Request<v1::PromoteMasterRequest>,
    ) -> Result<Response<v1::PromoteMasterResponse>, Status> {
        let context = authenticate(&self.0.api, &request).map_err(|error| to_status(&error))?;
        administrators_only(&context, "promote masters").map_err(|error| to_status(&error))?;
        let id = request.into_inner().raft_id;
        self.0.node.promote(id).await.map_err(|error| to_status(&api_error(error)))?;
        Ok(Response::new(v1::PromoteMasterResponse {}))
    }

    async fn remove_master(
        &self,
        request: Request<v1::RemoveMasterRequest>,
    ) -> Result<Response<v1::RemoveMasterResponse>, Status> {
        let context = authenticate(&self.0.api, &request).map_err(|error| to_status(&error))?;
        administrators_only(&context, "remove masters").map_err(|error| to_status(&error))?;
        let name = request.into_inner().name;
        self.0.remove_master(&name).await.map_err(|error| to_status(&error))?;
        tracing::info!(user = context.user.name, name, "a master was taken out");
        Ok(Response::new(v1::RemoveMasterResponse {}))
    }

    async fn transfer_leadership(
        &self,
        request: Request<v1::TransferLeadershipRequest>,
    ) -> Result<Response<v1::TransferLeadershipResponse>, Status> {
        let context = authenticate(&self.0.api, &request).map_err(|error| to_status(&error))?;
        administrators_only(&context, "move leadership").map_err(|error| to_status(&error))?;
        let to = request.into_inner().to;
        let id = if to.is_empty() {
            None
        } else {
            let named = members::named(&self.0.node.members(), &to);
            Some(named.map_err(|why| to_status(&ApiError::new(Reason::NotFound, why)))?)
        };
        self.0.node.transfer(id).await.map_err(|error| to_status(&api_error(error)))?;
        Ok(Response::new(v1::TransferLeadershipResponse { leader: to }))
    }

    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        let context = authenticate(&self.0.api, &request).map_err(|error| to_status(&error))?;
        administrators_only(&context, "make join tokens").map_err(|error| to_status(&error))?;
        let request = request.into_inner();
        let r#use = match request.r#use() {
            v1::create_token_request::Use::Master => Use::Master,
            v1::create_token_request::Use::Node | v1::create_token_request::Use::Unspecified => Use::Node,
        };
        let seconds = if request.ttl_seconds == 0 { TOKEN_SECONDS } else { request.ttl_seconds };
        let expires = self.0.now().as_second() + i64::from(seconds.min(LONGEST_TOKEN_SECONDS));
        let token = Token::generate(&self.0.keys.authority.hash());
        let record = token.record(r#use, expires, &request.description);
        let record = serde_json::to_vec(&record).expect("plain data serializes");
        let transaction = Transaction {
            preconditions: vec![Precondition::Absent(token.key())],
            operations: vec![Operation::Put(token.key(), record.into())],
            ..Transaction::default()
        };
        self.0.node.propose(&transaction).await.map_err(|error| to_status(&api_error(error)))?;
        tracing::info!(user = context.user.name, id = token.id, ?r#use, "a join token was made");
        let expires_at = Timestamp::from_second(expires).map(rfc3339).unwrap_or_default();
        Ok(Response::new(v1::CreateTokenResponse { token: token.to_string(), expires_at }))
    }
}

impl Shared {
    /// Whether a token lets its holder in.
    pub(crate) async fn admit_token(&self, text: &str, r#use: Use, now: Timestamp) -> Result<(), ApiError> {
        let refused = |why: String| ApiError::new(Reason::Unauthorized, why);
        let token = Token::parse(text).map_err(refused)?;
        if token.ca_hash != self.keys.authority.hash() {
            return Err(refused("the token is another cluster's".to_owned()));
        }
        self.node.barrier().await.map_err(api_error)?;
        token.verify(r#use, &self.node.state(), now).map_err(refused)
    }

    async fn join_master(
        &self,
        request: v1::JoinMasterRequest,
        now: Timestamp,
    ) -> Result<v1::JoinMasterResponse, ApiError> {
        let bad = |why: String| ApiError::new(Reason::BadRequest, why);
        xebec_api::name::dns_label(&request.name)
            .map_err(|why| bad(format!("name = {:?}: {why}", request.name)))?;
        if request.feature_level < FEATURE_LEVEL {
            return Err(bad(format!("the cluster writes format {FEATURE_LEVEL}: upgrade {}", request.name)));
        }
        if request.raft_id == 0 {
            return Err(bad("raft_id: must be random, and not 0".to_owned()));
        }
        let host = |address: &str| {
            address.parse::<std::net::SocketAddr>().map_err(|error| bad(format!("{address:?}: {error}")))
        };
        host(&request.client_address)?;
        host(&request.peer_address)?;
        let mut config = (*self.config).clone();
        config.name.clone_from(&request.name);
        config.client_address.clone_from(&request.client_address);
        config.peer_address.clone_from(&request.peer_address);
        let (members, member) = (self.node.members(), crate::identity::member(&config));
        let is_new = members::is_new(&members, request.raft_id, &member)
            .map_err(|why| ApiError::new(Reason::AlreadyExists, why))?;
        let (serving, peer) = crate::identity::purposes(&config);
        let sign = |csr: &str, purpose: &Purpose| {
            self.keys.authority.sign(csr, purpose, now).map_err(|error| bad(error.to_string()))
        };
        let serving_certificate = sign(&request.serving_csr, &serving)?;
        let peer_certificate = sign(&request.peer_csr, &peer)?;
        if is_new {
            self.node.add_learner(request.raft_id, member).await.map_err(api_error)?;
        }
        tracing::info!(name = request.name, "a master joins");
        Ok(v1::JoinMasterResponse {
            cluster_id: self.cluster_id.clone(),
            ca_certificate: self.keys.authority.certificate().to_owned(),
            serving_certificate,
            peer_certificate,
            sealing_key: self.sealing_key.clone().into(),
            masters: members.iter().map(|m| master(m, true)).collect(),
        })
    }

    async fn remove_master(&self, name: &str) -> Result<(), ApiError> {
        // Without it this master might know only who had the name before.
        self.node.barrier().await.map_err(api_error)?;
        let members = self.node.members();
        let id = members::named(&members, name).map_err(|why| ApiError::new(Reason::NotFound, why))?;
        let answering = members::answering(&members, &self.config.name).await;
        members::may_be_removed(&members, &answering, id)
            .map_err(|why| ApiError::new(Reason::Conflict, why))?;
        self.node.remove(id).await.map_err(api_error)
    }
}

fn master(member: &MemberStatus, reachable: bool) -> v1::MasterStatus {
    v1::MasterStatus {
        name: member.member.name.clone(),
        raft_id: member.raft_id,
        client_address: member.member.client_address.clone(),
        peer_address: member.member.peer_address.clone(),
        voter: member.voter,
        reachable,
        matched_index: member.matched_index.unwrap_or_default(),
    }
}

/// The store's errors as the API's.
pub(crate) fn api_error(error: ProposeError) -> ApiError {
    let reason = match &error {
        ProposeError::NoLeader(_) | ProposeError::NotLeading | ProposeError::Stopped(_) => {
            Reason::ServiceUnavailable
        }
        ProposeError::Unknown(_) => Reason::Timeout,
        ProposeError::Refused(_) => Reason::Conflict,
    };
    ApiError::new(reason, error.to_string())
}
