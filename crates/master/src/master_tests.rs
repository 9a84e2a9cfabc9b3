//! What a running master issues: a node's next certificate, its own, and another for the admin.

use expect_test::expect;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tonic::Request;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use xebec_apiserver::User;
use xebec_apiserver::grpc::PeerCertificates;
use xebec_rpc::raft::v1::IssueAdminRequest;
use xebec_rpc::raft::v1::host_server::Host as _;
use xebec_rpc::v1;
use xebec_rpc::v1::nodes_server::Nodes as _;

use super::*;
use crate::pki::{Purpose, der_of, key_and_csr};
use crate::services::{HostService, NodesService};

/// A cluster of one that nobody else reaches.
struct Running {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    dir: TempDir,
}

impl Running {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        xebec_rpc::tls::install_provider();
        let started = Box::pin(start(config(&dir), CancellationToken::new())).await;
        let (shared, tasks) = started.expect("it starts");
        Self { shared, tasks, dir }
    }

    async fn stop(self) {
        self.shared.stop.cancel();
        finish(self.shared, self.tasks).await;
    }

    /// A certificate of the cluster for this user.
    fn certificate(&self, name: &str, group: &str) -> Vec<u8> {
        let purpose = Purpose::Client { name: name.to_owned(), groups: vec![group.to_owned()] };
        let (_, pem) = self.shared.keys.authority.issue(&purpose, self.shared.now()).expect("issued");
        der_of(&pem).expect("a certificate")
    }
}

fn config(dir: &TempDir) -> Config {
    Config {
        name: "m1".to_owned(),
        data_dir: dir.path().join("data"),
        client_address: "127.0.0.1:0".to_owned(),
        peer_address: "127.0.0.1:0".to_owned(),
        bootstrap: true,
        join: Vec::new(),
        token_file: None,
        admin_kubeconfig: None,
        cluster: crate::config::Cluster::default(),
    }
}

/// A request for renewal, over a connection with this certificate.
fn renewal(certificate: Option<Vec<u8>>, csr: &str) -> Request<v1::RenewNodeRequest> {
    let mut request = Request::new(v1::RenewNodeRequest { csr: csr.to_owned() });
    if let Some(der) = certificate {
        let chain: PeerCertificates = Arc::new(vec![CertificateDer::from(der)]);
        request.extensions_mut().insert(chain);
    }
    request
}

fn user(pem: &str) -> User {
    xebec_apiserver::authentication::certificate(&der_of(pem).expect("a certificate")).expect("a user")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_renews_as_itself_and_nobody_else_does() {
    let master = Running::start().await;
    let service = NodesService(master.shared.clone());
    // It wishes to be somebody else.
    let key = KeyPair::generate().expect("a key");
    let mut wish = CertificateParams::default();
    wish.distinguished_name.push(DnType::CommonName, "system:node:n2");
    wish.distinguished_name.push(DnType::OrganizationName, "system:masters");
    let csr = wish.serialize_request(&key).expect("a request").pem().expect("PEM");

    let node = master.certificate("system:node:n1", "system:nodes");
    let answer = service.renew(renewal(Some(node.clone()), &csr)).await.expect("renewed").into_inner();
    let renewed = user(&answer.certificate);
    assert_eq!((renewed.name.as_str(), renewed.node()), ("system:node:n1", Some("n1")));
    assert!(!renewed.groups.iter().any(|group| group == "system:masters"), "{:?}", renewed.groups);
    assert_eq!(answer.ca_certificate, master.shared.keys.authority.certificate());
    let der = der_of(&answer.certificate).expect("a certificate");
    let (_, parsed) = X509Certificate::from_der(&der).expect("parses");
    assert_eq!(&*parsed.public_key().subject_public_key.data, key.public_key_raw());

    let csr = csr.as_str();
    let strangers = [
        ("an admin", Some(master.certificate("xebec-admin", "system:masters")), csr),
        ("a master", Some(master.certificate("m1", "xebec:masters")), csr),
        ("a node by name only", Some(master.certificate("system:node:n1", "guests")), csr),
        ("nobody", None, csr),
        ("a node without a request", Some(node), "please"),
    ];
    let mut told = String::new();
    for (who, certificate, csr) in strangers {
        let status = service.renew(renewal(certificate, csr)).await.expect_err(who);
        told += &format!("{who}: {:?}: {}\n", status.code(), status.message());
    }
    drop(service);
    master.stop().await;
    expect![[r#"
        an admin: PermissionDenied: User "xebec-admin" is no node's agent
        a master: PermissionDenied: User "m1" is no node's agent
        a node by name only: PermissionDenied: User "system:node:n1" is no node's agent
        nobody: Unauthenticated: Unauthorized: no credentials: present a client certificate of this cluster's CA, or a bearer token
        a node without a request: InvalidArgument: certificates: csr: Could not parse certificate signing request
    "#]]
    .assert_eq(&told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_renews_the_certificates_of_both_its_ports() {
    let master = Running::start().await;
    let files = PkiFiles::open(&master.dir.path().join("data")).expect("its files");
    let ca = master.shared.keys.authority.certificate();
    let names = ["serving", "peer"];
    let read = |name: &str| files.read_text(name).expect("a file");
    let before = names.map(|name| (read(&format!("{name}.key")), read(&format!("{name}.crt"))));
    let ports = [0, 1].map(|at| {
        let (key, certificate) = &before[at];
        (names[at], ServingCertificate::new(key, certificate, ca).expect("a pair"))
    });
    renew(&master.shared, &files, &ports).expect("renewed");
    for (name, (old_key, old_certificate)) in names.into_iter().zip(before) {
        let (key, certificate) = (read(&format!("{name}.key")), read(&format!("{name}.crt")));
        assert!(key != old_key && certificate != old_certificate, "{name}: fresh ones");
        assert_eq!(user(&certificate).name, user(&old_certificate).name, "{name}: for the same");
        ServingCertificate::new(&key, &certificate, ca).expect("one fits the other");
    }
    master.stop().await;
}

#[test]
fn a_master_that_moved_is_told_where_it_is_looked_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = config(&dir);
    let known = identity::member(&config);
    assert_eq!(identity::moved(&config, &known), None);
    let before = xebec_raft::Member { peer_address: "10.0.0.1:6444".to_owned(), ..known };
    let told = identity::moved(&config, &before).expect("another address");
    let start = "the cluster knows this master as \"m1\", with client_address = \"127.0.0.1:0\" and peer_address = \
                 \"10.0.0.1:6444\", and looks for it there: set its configuration back, or take it out";
    assert!(told.starts_with(start), "{told}");
}

#[test]
fn certificates_are_renewed_by_the_time_of_day_whichever_way_it_is_set() {
    let issued: Timestamp = "2026-11-24T10:00:00Z".parse().expect("a time");
    let due =
        ["2026-11-25T09:59:59Z", "2026-11-25T10:00:00Z", "2026-12-24T10:00:00Z", "1970-01-01T00:00:20Z"]
            .map(|now| is_renewal_due(issued, now.parse().expect("a time")));
    assert_eq!(due, [false, true, true, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_of_a_masters_own_is_named_with_the_way_back() {
    let Running { shared, tasks, dir } = Running::start().await;
    shared.stop.cancel();
    finish(shared, tasks).await;
    let pki = dir.path().join("data/pki");
    for file in ["sealing.key", "ca.crt", "peer.key", "peer.crt"] {
        let whole = std::fs::read(pki.join(file)).expect("there");
        std::fs::write(pki.join(file), "x").expect("written");
        let started = Box::pin(start(config(&dir), CancellationToken::new())).await;
        let refused = started.err().expect(file).to_string();
        assert!(refused.starts_with(&format!("{}/", pki.display())) && refused.contains(file), "{refused}");
        let way = "the data folder is damaged; to rejoin: take the old member out (`xctl cluster remove-master m1`)";
        assert!(refused.contains(way), "{refused}");
        std::fs::write(pki.join(file), whole).expect("written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_a_masters_files_gets_a_certificate_for_the_admin() {
    let master = Running::start().await;
    let service = HostService(master.shared.clone());
    let me = master.shared.node.members()[0].raft_id;
    let (_, csr) = key_and_csr().expect("a request");
    let ask = async |to: u64, csr: &str| {
        let envelope = master.shared.node.envelope(to);
        service.issue_admin(Request::new(IssueAdminRequest { envelope, csr: csr.to_owned() })).await
    };
    let issued = ask(me, &csr).await.expect("issued").into_inner();
    let admin = user(&issued.certificate);
    assert_eq!((admin.name.as_str(), admin.groups[0].as_str()), ("xebec-admin", "system:masters"));
    assert_eq!(issued.client_addresses, std::slice::from_ref(&master.shared.config.client_address));
    let mut told = String::new();
    for (what, to, csr) in [("another master", me ^ 1, csr.as_str()), ("no request", me, "please")] {
        let status = ask(to, csr).await.expect_err(what);
        told += &format!("{what}: {:?}: {}\n", status.code(), status.message());
    }
    drop(service);
    master.stop().await;
    expect![[r#"
        another master: FailedPrecondition: this address now belongs to another master
        no request: InvalidArgument: certificates: csr: Could not parse certificate signing request
    "#]]
    .assert_eq(&told);
}
