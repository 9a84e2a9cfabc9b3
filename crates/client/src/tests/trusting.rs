//! TLS: whose certificates are taken.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use ring::digest::{SHA256, digest};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity as ServerIdentity, Server as TonicServer, ServerTlsConfig};

use super::*;
use crate::{Client, Credentials, Identity, Trust};

struct Authority {
    pem: String,
    digest: [u8; 32],
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("signed");
    let digest = digest(&SHA256, certificate.der()).as_ref().try_into().expect("32 bytes");
    Authority { pem: certificate.pem(), digest, issuer: Issuer::new(params, key) }
}

/// A server that answers health checks only; TLS is what is tested here.
async fn serve(authority: &Authority) -> String {
    xebec_rpc::tls::install_provider();
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &authority.issuer).expect("signed");
    let chain = format!("{}{}", certificate.pem(), authority.pem);
    let tls = ServerTlsConfig::new().identity(ServerIdentity::from_pem(chain, key.serialize_pem()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let mut builder = TonicServer::builder().tls_config(tls).expect("a TLS configuration");
    let (_, health) = tonic_health::server::health_reporter();
    let server = builder.add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

async fn outcome(address: &str, trust: Trust) -> Result<(), Reason> {
    let credentials = Credentials { trust, identity: Identity::Anonymous };
    let client = Client::new(vec![address.parse().expect("a server")], &credentials).expect("usable");
    client.channel().await.map(|_| ()).map_err(|error| error.reason)
}

#[tokio::test]
async fn only_the_right_authority_is_trusted() {
    let (ours, foreign) = (authority(), authority());
    let address = serve(&ours).await;
    assert_eq!(outcome(&address, Trust::Ca(ours.pem.clone().into())).await, Ok(()));
    assert_eq!(outcome(&address, Trust::Pinned(ours.digest)).await, Ok(()));
    // At once, without waiting for the deadline: time will not mend it.
    let refused = Err(Reason::Unauthorized);
    assert_eq!(outcome(&address, Trust::Ca(foreign.pem.clone().into())).await, refused);
    assert_eq!(outcome(&address, Trust::Pinned(foreign.digest)).await, refused);
    assert_eq!(outcome(&address, Trust::Nobody).await, refused);
}
