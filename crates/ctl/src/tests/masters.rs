//! What is said of the cluster's own masters.

use std::sync::{Arc, Mutex};

use expect_test::expect;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server as TonicServer;
use tonic::{Request, Response, Status};
use xebec_api::error::{ApiError, Reason};
use xebec_client::{Client, Credentials, Identity, Trust};
use xebec_rpc::error::to_status;
use xebec_rpc::v1;
use xebec_rpc::v1::cluster_server::{Cluster, ClusterServer};

use super::typed;

/// Lets m2 be taken out, and nobody else; notes who was to be.
#[derive(Clone, Default)]
struct Masters(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl Cluster for Masters {
    async fn status(
        &self,
        _: Request<v1::ClusterStatusRequest>,
    ) -> Result<Response<v1::ClusterStatusResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn join_master(
        &self,
        _: Request<v1::JoinMasterRequest>,
    ) -> Result<Response<v1::JoinMasterResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn promote_master(
        &self,
        _: Request<v1::PromoteMasterRequest>,
    ) -> Result<Response<v1::PromoteMasterResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn remove_master(
        &self,
        request: Request<v1::RemoveMasterRequest>,
    ) -> Result<Response<v1::RemoveMasterResponse>, Status> {
        let name = request.into_inner().name;
        self.0.lock().expect("nobody panics").push(name.clone());
        let refused = match name.as_str() {
            "m2" => return Ok(Response::new(v1::RemoveMasterResponse {})),
            // The outcome is not known.
            "m3" => ApiError::new(Reason::Timeout, "no answer from the leader"),
            _ => ApiError::new(
                Reason::NotFound,
                format!("there is no master {name:?}: the masters are m1, m2, m3"),
            ),
        };
        Err(to_status(&refused))
    }

    async fn transfer_leadership(
        &self,
        _: Request<v1::TransferLeadershipRequest>,
    ) -> Result<Response<v1::TransferLeadershipResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn create_token(
        &self,
        _: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}

/// A client of them, and their address.
async fn client_of(masters: Masters) -> (Client, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let server = format!("http://{}", listener.local_addr().expect("bound"));
    let services = TonicServer::builder().add_service(ClusterServer::new(masters));
    tokio::spawn(services.serve_with_incoming(TcpListenerStream::new(listener)));
    let nobody = Credentials { trust: Trust::Nobody, identity: Identity::Anonymous };
    let client = Client::new(vec![server.parse().expect("a server")], &nobody).expect("usable");
    (client, server)
}

#[tokio::test]
async fn a_master_is_taken_out_once_and_its_way_back_is_told() {
    let masters = Masters::default();
    let (client, server) = client_of(masters.clone()).await;
    let xctl = async |words: &str| typed(client.clone(), words).await.replace(&server, "SERVER");
    let told = [
        xctl("cluster remove-master m2").await,
        xctl("cluster remove-master m3").await,
        xctl("cluster remove-master m9").await,
    ];
    expect![[r#"
        m2 is no master of this cluster any more; to take it in again: stop it, move its data folder aside, make a master token (`xctl token create --master`) into its token_file, and start it
        error: SERVER: no answer from the leader: it is not known whether the request took effect, look before trying again
        [failed]
        error: there is no master "m9": the masters are m1, m2, m3
        [failed]
    "#]]
    .assert_eq(&told.concat());
    assert_eq!(*masters.0.lock().expect("nobody panics"), ["m2", "m3", "m9"], "and none twice");
}
