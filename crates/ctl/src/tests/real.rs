//! Commands against the real API over a store in memory: what it fills in, refuses and
//! checks is part of what a user sees.

use std::sync::Arc;

use expect_test::expect;
use rcgen::{CertificateParams, DnType, KeyPair};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{CertificateDer, Server as TonicServer};
use xebec_apiserver::grpc::{PeerCertificates, ResourcesService};
use xebec_apiserver::testing::Fixture;
use xebec_client::{Client, Credentials, Identity, Trust};
use xebec_rpc::v1::pods_server::PodsServer;
use xebec_rpc::v1::resources_server::ResourcesServer;

use super::streams::Agent;
use super::typed;

const GUESTBOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/guestbook");

fn admin() -> CertificateDer<'static> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, "xebec-admin");
    params.distinguished_name.push(DnType::OrganizationName, "system:masters");
    let key = KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("signed").der().clone()
}

/// A client of an API that takes everybody for the administrator.
pub(super) async fn cluster() -> Client {
    cluster_with(None).await
}

/// The same with somebody who serves the streams of pods.
pub(super) async fn cluster_with(agent: Option<Agent>) -> Client {
    let fixture = Fixture::new().await;
    let chain: PeerCertificates = Arc::new(vec![admin()]);
    let service = ResourcesServer::with_interceptor(
        ResourcesService::new(fixture.server),
        move |mut request: tonic::Request<()>| {
            request.extensions_mut().insert(Arc::clone(&chain));
            Ok(request)
        },
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let server = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a server");
    let services =
        TonicServer::builder().add_service(service).add_optional_service(agent.map(PodsServer::new));
    tokio::spawn(services.serve_with_incoming(TcpListenerStream::new(listener)));
    let nobody = Credentials { trust: Trust::Nobody, identity: Identity::Anonymous };
    Client::new(vec![server], &nobody).expect("usable")
}

#[tokio::test]
async fn the_guestbook_is_applied_shown_and_deleted() {
    let client = cluster().await;
    let xctl = async |words: &str| typed(client.clone(), &words.replace("GUESTBOOK", GUESTBOOK)).await;
    let created = xctl("apply -f GUESTBOOK").await;
    expect![[r#"
        configmap/guestbook created
        secret/redis created
        service/redis created
        service/guestbook created
        service/website created
        deployment.apps/redis created
        deployment.apps/guestbook created
        deployment.apps/website created
    "#]]
    .assert_eq(&created);
    assert_eq!(xctl("apply -f GUESTBOOK").await, created.replace("created", "unchanged"));
    expect![[r#"
        NAME                TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)        AGE   SELECTOR
        service/guestbook   NodePort    10.43.0.3    <none>        80:30080/TCP   5s    app=guestbook
        service/redis       ClusterIP   10.43.0.2    <none>        6379/TCP       5s    app=redis
        service/website     NodePort    10.43.0.4    <none>        80:30081/TCP   5s    app=website

        NAME                        READY   UP-TO-DATE   AVAILABLE   AGE   CONTAINERS   IMAGES                    SELECTOR
        deployment.apps/guestbook   0/2     0            0           5s    guestbook    xebec.local/guestbook:1   app=guestbook
        deployment.apps/redis       0/1     0            0           5s    redis        xebec.local/redis:1       app=redis
        deployment.apps/website     0/1     0            0           5s    httpd        xebec.local/busybox:1     app=website

        NAME                  DATA   AGE
        configmap/guestbook   1      5s

        NAME           TYPE     DATA   AGE
        secret/redis   Opaque   1      5s
    "#]].assert_eq(&xctl("get all,cm,secrets -o wide").await);
    for words in ["deploy", "svc", "cm", "secrets", "namespaces", "clusterroles"] {
        let text = xctl(&format!("describe {words}")).await;
        assert!(!text.contains("[failed]") && !text.contains("three-masts"), "{words}: {text}");
        assert!(!text.contains("dGhyZWUtbWFzdHM"), "{words}: {text}");
    }
    expect![[r#"
        Name:             guestbook
        Namespace:        default
        Labels:           app=guestbook
        Annotations:      <none>
        Created:          2026-11-24T10:00:00Z
        Selector:         app=guestbook
        Replicas:         2 desired, 0 updated, 0 total, 0 ready, 0 available
        Strategy:         RollingUpdate, 25% max unavailable, 25% max surge
        Pod Template:
          Labels:         app=guestbook
          guestbook:
            Image:        xebec.local/guestbook:1
            Ports:        8080/TCP
            Requests:     cpu=50m, memory=16Mi
            Limits:       memory=64Mi
            Liveness:     tcp-socket :http delay=0s timeout=1s period=10s success=1 failure=3
            Readiness:    http-get :http/healthz delay=0s timeout=1s period=1s success=1 failure=2
            Environment:  GREETING: <key "greeting" of configmap "guestbook">
                          REDIS_PASSWORD: <key "password" of secret "redis">
        Events:           <none>
    "#]]
    .assert_eq(&xctl("describe deployment guestbook").await);
    let scaled = xctl("scale deploy/guestbook --replicas 3").await;
    assert_eq!(scaled, "deployment.apps/guestbook scaled\n");
    // The manifest says 2: applying it again takes the change back.
    assert!(
        xctl("apply -f GUESTBOOK/30-guestbook.yaml").await.contains("deployment.apps/guestbook configured")
    );
    let deleted = xctl("delete -f GUESTBOOK --timeout 5s").await;
    assert_eq!(deleted, created.replace("created", "deleted"));
    assert_eq!(xctl("get deploy,svc,cm,secrets").await, "No resources found in default namespace.\n");
}

#[tokio::test]
async fn an_ingress_is_described_by_where_its_paths_lead() {
    let client = cluster().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ingress.yaml");
    let text = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.42.0.7]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: site}
spec:
  ingressClassName: xebec
  tls: [{hosts: [a.com], secretName: site}]
  rules:
    - host: a.com
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
          - {path: /gone, pathType: Exact, backend: {service: {name: gone, port: {name: http}}}}
          - {path: /port, pathType: Exact, backend: {service: {name: web, port: {name: grpc}}}}
";
    std::fs::write(&path, text).expect("written");
    let applied = typed(client.clone(), &format!("apply -f {}", path.display())).await;
    assert!(applied.contains("ingress.networking.k8s.io/site created"), "{applied}");
    let page = typed(client, "describe ingress site").await;
    let lines: Vec<String> =
        page.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for wanted in [
        "Ingress Class: xebec",
        "Default Backend: <default>",
        "TLS: site terminates a.com",
        "a.com / Prefix web:80 (10.42.0.7:8080)",
        "/gone Exact gone:http (<error: services \"gone\" not found>)",
        "/port Exact web:grpc (<error: the service has no such port>)",
        "Events: <none>",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted} is not in\n{page}");
    }
}

#[tokio::test]
async fn what_the_api_refuses_is_told_by_field() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.yaml");
    let text = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replcas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: x}]}
---
apiVersion: v1
kind: Service
metadata: {name: Web}
spec: {ports: [{port: 99999}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: fine, namespace: nowhere}
";
    std::fs::write(&path, text).expect("written");
    let told = typed(cluster().await, &format!("apply -f {}", path.display())).await;
    expect![[r#"
        error: deployment.apps/web: Deployment.apps "web" is invalid: spec.replcas: unknown field (did you mean "replicas"?)
        error: service/Web: Service "Web" is invalid: metadata.name: Invalid value: "Web": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?'); spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive; spec.ports[0].targetPort: Invalid value: 99999: must be between 1 and 65535, inclusive
        error: configmap/fine: namespaces "nowhere" not found; `xctl get namespaces` shows what there is
        [failed]
    "#]].assert_eq(&told);
}
