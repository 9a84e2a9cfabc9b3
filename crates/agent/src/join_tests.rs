//! Joining and renewing against a fake master that has a CA of its own and speaks TLS.

use std::sync::{Arc, Mutex};

use futures::stream::BoxStream;
use rcgen::{BasicConstraints, CertificateSigningRequestParams, IsCa, Issuer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Identity as ServerIdentity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};
use xebec_rpc::v1::nodes_server::{Nodes, NodesServer};

use super::*;

/// The years of what it issues: TLS goes by the wall clock, so it must be good today, by
/// whichever clock. To be renewed from 2016 on.
const ISSUED: [i32; 2] = [2000, 2048];
/// What has expired everywhere by now.
const EXPIRED: [i32; 2] = [2000, 2010];

struct Authority {
    pem: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { pem, key: key.serialize_pem() }
    }

    fn issuer(&self) -> Issuer<'static, KeyPair> {
        let key = KeyPair::from_pem(&self.key).expect("its key");
        Issuer::from_ca_cert_pem(&self.pem, key).expect("its certificate")
    }

    fn sign(&self, csr: &str, [from, until]: [i32; 2]) -> String {
        let request = CertificateSigningRequestParams::from_pem(csr).expect("a request");
        let mut params = CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params.signed_by(&request.public_key, &self.issuer()).expect("signed").pem()
    }

    /// What a token pins.
    fn hash(&self) -> String {
        xebec_rpc::pinned::hash(&der(self.pem.as_bytes()))
    }
}

fn der(pem: &[u8]) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem).expect("a certificate").to_vec()
}

/// One fake master: what each caller showed it, and whether it refuses.
struct Fake {
    authority: Authority,
    callers: Mutex<Vec<Option<Vec<u8>>>>,
    refuses: bool,
}

struct Service(Arc<Fake>);

impl Service {
    fn answer<T>(&self, request: &Request<T>, csr: &str) -> Result<Response<v1::JoinNodeResponse>, Status> {
        let shown = request.peer_certs().and_then(|chain| chain.first().map(|der| der.to_vec()));
        self.0.callers.lock().expect("no panic").push(shown);
        if self.0.refuses {
            return Err(Status::permission_denied("not today"));
        }
        Ok(Response::new(v1::JoinNodeResponse {
            certificate: self.0.authority.sign(csr, ISSUED),
            ca_certificate: self.0.authority.pem.clone(),
            ..v1::JoinNodeResponse::default()
        }))
    }
}

#[tonic::async_trait]
impl Nodes for Service {
    type SessionStream = BoxStream<'static, Result<v1::SessionDown, Status>>;
    type TunnelStream = BoxStream<'static, Result<v1::TunnelFrame, Status>>;

    async fn join(
        &self,
        request: Request<v1::JoinNodeRequest>,
    ) -> Result<Response<v1::JoinNodeResponse>, Status> {
        let csr = request.get_ref().csr.clone();
        self.answer(&request, &csr)
    }

    async fn renew(
        &self,
        request: Request<v1::RenewNodeRequest>,
    ) -> Result<Response<v1::JoinNodeResponse>, Status> {
        let csr = request.get_ref().csr.clone();
        self.answer(&request, &csr)
    }

    async fn session(
        &self,
        _: Request<Streaming<v1::SessionUp>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        Err(Status::unimplemented("no sessions here"))
    }

    async fn tunnel(
        &self,
        _: Request<Streaming<v1::TunnelFrame>>,
    ) -> Result<Response<Self::TunnelStream>, Status> {
        Err(Status::unimplemented("no tunnels here"))
    }
}

/// A fake master with its address, and a folder of a node that has a certificate of it.
struct World {
    fake: Arc<Fake>,
    config: Config,
    pki: Pki,
    dir: tempfile::TempDir,
}

impl World {
    async fn new(refuses: bool, validity: [i32; 2]) -> Self {
        xebec_rpc::tls::install_provider();
        let fake = Arc::new(Fake { authority: Authority::new(), callers: Mutex::default(), refuses });
        let address = serve(fake.clone()).await;
        let dir = tempfile::tempdir().expect("a folder");
        let config = Config {
            name: "n1".to_owned(),
            data_dir: dir.path().join("data"),
            address: "127.0.0.1".parse().expect("an address"),
            masters: vec![address],
            token_file: None,
            images_dir: None,
            labels: Default::default(),
            eviction: Default::default(),
        };
        let pki = Pki::open(&config.data_dir).expect("a folder");
        let (key, csr) = key_and_csr().expect("a key");
        pki.write("node.key", key.as_bytes()).expect("written");
        pki.write("ca.crt", fake.authority.pem.as_bytes()).expect("written");
        pki.write("node.crt", fake.authority.sign(&csr, validity).as_bytes()).expect("written");
        Self { fake, config, pki, dir }
    }

    fn client(&self) -> Client {
        let servers = crate::run::servers(&self.config.masters).expect("servers");
        Client::new(servers, &self.pki.credentials().expect("files")).expect("usable")
    }

    fn shown(&self) -> Vec<u8> {
        der(&self.pki.read("node.crt").expect("a certificate"))
    }

    fn callers(&self) -> Vec<Option<Vec<u8>>> {
        std::mem::take(&mut *self.fake.callers.lock().expect("no panic"))
    }

    /// Every file of the folder with its mode.
    fn files(&self) -> Vec<(String, u32)> {
        let entries = fs::read_dir(&self.pki.0).expect("a folder").map(|entry| {
            let entry = entry.expect("an entry");
            let mode = entry.metadata().expect("it is there").permissions().mode() & 0o777;
            (entry.file_name().to_string_lossy().into_owned(), mode)
        });
        let mut files: Vec<_> = entries.collect();
        files.sort();
        files
    }
}

fn private(names: [&str; 3]) -> Vec<(String, u32)> {
    names.map(|name| (name.to_owned(), 0o600)).to_vec()
}

async fn serve(fake: Arc<Fake>) -> String {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &fake.authority.issuer()).expect("signed").pem();
    let chain = format!("{certificate}{}", fake.authority.pem);
    let tls = ServerTlsConfig::new()
        .identity(ServerIdentity::from_pem(chain, key.serialize_pem()))
        .client_ca_root(Certificate::from_pem(&fake.authority.pem))
        .client_auth_optional(true);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let mut server = Server::builder().tls_config(tls).expect("a TLS configuration");
    let server = server.add_service(NodesServer::new(Service(fake)));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// A day of that year.
fn in_year(year: i32) -> Timestamp {
    format!("{year}-06-01T00:00:00Z").parse().expect("a time")
}

#[tokio::test]
async fn a_renewed_certificate_is_its_owners_alone_and_shown_from_the_next_connection_on() {
    let world = World::new(false, ISSUED).await;
    let client = world.client();
    let mut shown = vec![Some(world.shown())];
    for _ in 0..2 {
        renew(&client, &world.pki).await.expect("renewed");
        assert_eq!(world.files(), private(["ca.crt", "node.crt", "node.key"]), "nothing half written");
        assert!(!shown.contains(&Some(world.shown())), "a new one");
        shown.push(Some(world.shown()));
    }
    shown.pop();
    assert_eq!(world.callers(), shown, "each renewal showed what the one before had brought");
}

#[test]
fn the_data_folder_is_its_owners_alone_also_where_it_was_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    for name in ["", "pki"] {
        let path = dir.path().join(name);
        fs::create_dir_all(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    }
    let pki = Pki::open(dir.path()).expect("made");
    assert_eq!((mode(dir.path()), mode(&pki.0)), (0o700, 0o700));
}

#[tokio::test]
async fn a_refused_renewal_leaves_everything_as_it_was() {
    let world = World::new(true, ISSUED).await;
    let (client, before) = (world.client(), world.shown());
    let error = renew(&client, &world.pki).await.expect_err("refused").to_string();
    assert_eq!(error, "join: renewal: not today");
    assert_eq!(world.shown(), before);
    world.pki.credentials().expect("both fit");
    assert_eq!(world.files(), private(["ca.crt", "node.crt", "node.key"]));
}

#[tokio::test]
async fn a_certificate_is_renewed_when_it_is_due_and_not_before() {
    let world = World::new(false, ISSUED).await;
    let client = world.client();
    let first = world.shown();
    keep_valid(&world.config, &client, &world.pki, in_year(2010)).await.expect("fine");
    assert_eq!((world.callers(), world.shown()), (vec![], first.clone()));
    keep_valid(&world.config, &client, &world.pki, in_year(2030)).await.expect("renewed");
    assert_eq!(world.callers(), [Some(first.clone())]);
    assert_ne!(world.shown(), first);
}

#[tokio::test]
async fn an_expired_certificate_is_replaced_by_the_token() {
    let mut world = World::new(false, EXPIRED).await;
    let (now, expired) = (in_year(2026), world.shown());
    let crt = world.pki.0.join("node.crt");
    let crt = crt.display();
    let error = join(&world.config, &world.pki, now).await.expect_err("no token").to_string();
    let fix = "token_file: name a file with a node token (`xctl token create`)";
    assert_eq!(error, format!("join: {crt} has expired; {fix}"));

    let token = world.dir.path().join("token");
    world.config.token_file = Some(token.clone());
    let error = join(&world.config, &world.pki, now).await.expect_err("no file").to_string();
    assert!(error.starts_with(&format!("join: {crt} has expired; {}: ", token.display())), "{error}");
    assert!(error.ends_with(": write a new node token into it (`xctl token create`)"), "{error}");
    assert!(needs_token(&world.config).expect("readable"));

    fs::write(&token, format!("xbc1{}.1234.5678\n", world.fake.authority.hash())).expect("a token");
    join(&world.config, &world.pki, now).await.expect("joined anew");
    assert_eq!(world.callers(), [None::<Vec<u8>>], "nobody is shown what has expired");
    assert_ne!(world.shown(), expired);
    assert!(!needs_token(&world.config).expect("readable"));
    assert_eq!(world.files(), private(["ca.crt", "node.crt", "node.key"]));

    fs::remove_file(&token).expect("it is there");
    join(&world.config, &world.pki, now).await.expect("it is in, and needs no token");
    assert!(world.callers().is_empty());
}
