//! ServiceAccount tokens and client certificates: who they prove, and until when.

use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};
use xebec_api::error::Reason;
use xebec_api::object::Object;

use super::{admin, object, pod, target, user};
use crate::authentication::Credentials;
use crate::service_account::TokenKeys;
use crate::testing::Fixture;
use crate::{Binding, DeleteOptions, User};

async fn with_keys() -> Fixture {
    let fixture = Fixture::new().await;
    let key = TokenKeys::generate().expect("randomness");
    fixture.server.set_token_keys(TokenKeys::from_pkcs8(&key).expect("a key"));
    let account = object(json!({"metadata": {"name": "bot"}}));
    fixture.server.create(&admin(), &target("serviceaccounts", ""), account).await.expect("an account");
    fixture
}

/// As client-go asks for one.
async fn token(fixture: &Fixture, spec: Value) -> Object {
    let empty = json!({"token": "", "expirationTimestamp": null});
    let request = object(json!({"spec": spec, "status": empty}));
    let target = target("serviceaccounts", "bot").subresource("token");
    fixture.server.create(&admin(), &target, request).await.expect("a token")
}

fn prove(fixture: &Fixture, token: &str) -> Result<User, String> {
    let header = format!("Bearer {token}");
    let credentials = Credentials { authorization: Some(&header), ..Credentials::default() };
    let proved = fixture.server.authenticate(&credentials, None);
    proved.map(|context| context.user).map_err(|error| {
        assert_eq!(error.reason, Reason::Unauthorized);
        error.message
    })
}

#[tokio::test]
async fn a_token_proves_its_account_until_it_expires() {
    let fixture = with_keys().await;
    let answer = token(&fixture, json!({"expirationSeconds": 600})).await;
    assert_eq!(answer.text(&["status", "expirationTimestamp"]), "2026-11-24T10:10:00Z");
    let text = answer.text(&["status", "token"]);
    let proved = prove(&fixture, text).expect("its account");
    let groups = ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"];
    assert_eq!(
        (proved.name.as_str(), proved.groups),
        ("system:serviceaccount:default:bot", groups.map(str::to_owned).to_vec())
    );
    let account = fixture.server.get(&admin(), &target("serviceaccounts", "bot")).await.expect("it is there");
    assert_eq!(proved.uid, account.uid());
    let said: Vec<&String> = proved.extra.keys().collect();
    assert_eq!(said, ["authentication.kubernetes.io/credential-id"]);
    let spec =
        json!({"audiences": ["https://kubernetes.default.svc.cluster.local"], "expirationSeconds": 600});
    assert_eq!(answer.get(&["spec"]), Some(&spec), "what was given, also where nothing was asked for");
    fixture.clock.advance(600);
    assert_eq!(
        prove(&fixture, text),
        Err("Unauthorized: the bearer token was refused: it has expired: ask for a new one".into())
    );
}

#[tokio::test]
async fn what_is_not_this_clusters_is_refused() {
    let fixture = with_keys().await;
    let other = with_keys().await;
    let foreign = token(&other, json!({"expirationSeconds": 7200})).await;
    let foreign = foreign.text(&["status", "token"]);
    assert_eq!(
        prove(&fixture, foreign),
        Err("Unauthorized: the bearer token was refused: it was not signed by this cluster".into())
    );
    let own = token(&fixture, json!({})).await;
    let own = own.text(&["status", "token"]);
    let (head, signature) = own.rsplit_once('.').expect("three parts");
    let payload = foreign.split('.').nth(1).expect("three parts");
    let forged = format!("{}.{payload}.{signature}", head.split('.').next().expect("a header"));
    for nonsense in ["", "a.b.c", head, forged.as_str()] {
        assert!(prove(&fixture, nonsense).is_err(), "{nonsense}");
    }
    let elsewhere = token(&fixture, json!({"audiences": ["somebody-else"]})).await;
    assert!(prove(&fixture, elsewhere.text(&["status", "token"])).is_err(), "not for this API");
    let basic = Credentials { authorization: Some("Basic YTpi"), ..Credentials::default() };
    let error = fixture.server.authenticate(&basic, None).expect_err("no bearer token");
    assert_eq!(error.message, "Unauthorized: authorization: write `Bearer TOKEN`");
    let nobody = fixture.server.authenticate(&Credentials::default(), None).expect_err("nobody");
    assert_eq!(nobody.reason, Reason::Unauthorized);
}

/// One whose audience was not understood would be good for the API itself.
#[tokio::test]
async fn what_is_no_token_request_gets_no_token() {
    let fixture = with_keys().await;
    let target = target("serviceaccounts", "bot").subresource("token");
    for (wrong, words) in [
        (
            json!({"spec": {"audiences": "vault"}}),
            "spec.audiences: invalid type: string \"vault\", expected a sequence",
        ),
        (
            json!({"spec": {"audience": ["vault"]}}),
            "spec.audience: unknown field (did you mean \"audiences\"?)",
        ),
        (json!({"kind": "Pod"}), "kind is \"Pod\", but token.authentication.k8s.io takes \"TokenRequest\""),
        (
            json!({"metadata": {"name": "other"}}),
            "the name of the object (other) does not match the name on the request (bot)",
        ),
    ] {
        let refused = fixture.server.create(&admin(), &target, object(wrong)).await.expect_err(words);
        assert!(refused.message.ends_with(words), "{}", refused.message);
    }
}

#[tokio::test]
async fn a_token_dies_with_its_account_and_its_pod() {
    let fixture = with_keys().await;
    let server = &fixture.server;
    let mut runner = pod("web");
    runner.set(&["spec", "serviceAccountName"], "bot");
    server.create(&admin(), &target("pods", ""), runner).await.expect("a pod");
    let bound =
        token(&fixture, json!({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "web"}})).await;
    let free = token(&fixture, json!({})).await;
    let (bound, free) = (bound.text(&["status", "token"]), free.text(&["status", "token"]));
    assert!(prove(&fixture, bound).is_ok() && prove(&fixture, free).is_ok());
    server.delete(&admin(), &target("pods", "web"), &DeleteOptions::default()).await.expect("deleted");
    assert_eq!(prove(&fixture, bound), Err("Unauthorized: the bearer token's pod is gone".into()));
    assert!(prove(&fixture, free).is_ok());
    server
        .delete(&admin(), &target("serviceaccounts", "bot"), &DeleteOptions::default())
        .await
        .expect("deleted");
    let account = object(json!({"metadata": {"name": "bot"}}));
    server.create(&admin(), &target("serviceaccounts", ""), account).await.expect("made anew");
    assert_eq!(prove(&fixture, free), Err("Unauthorized: the bearer token's ServiceAccount is gone".into()));
}

#[tokio::test]
async fn a_node_gets_tokens_for_its_own_pods_only() {
    let fixture = with_keys().await;
    let server = &fixture.server;
    for name in ["mine", "other"] {
        let mut runner = pod(name);
        runner.set(&["spec", "serviceAccountName"], "bot");
        server.create(&admin(), &target("pods", ""), runner).await.expect("a pod");
    }
    server
        .create(&admin(), &target("nodes", ""), object(json!({"metadata": {"name": "n1"}})))
        .await
        .expect("a node");
    let bind =
        Binding { namespace: "default".into(), name: "mine".into(), uid: String::new(), node: "n1".into() };
    server.bind_many(&admin(), &[bind]).await.remove(0).expect("bound");
    let node = user("system:node:n1", &["system:nodes"]);
    let account = target("serviceaccounts", "bot").subresource("token");
    let ask = async |spec: Value| server.create(&node, &account, object(json!({"spec": spec}))).await;
    let bound_to = |name: &str| json!({"boundObjectRef": {"kind": "Pod", "name": name}});
    ask(bound_to("mine")).await.expect("its own pod");
    for spec in [bound_to("other"), json!({})] {
        assert_eq!(ask(spec).await.expect_err("not its own").reason, Reason::Forbidden);
    }
    let short = json!({"expirationSeconds": 5, "boundObjectRef": {"kind": "Pod", "name": "mine"}});
    assert_eq!(ask(short).await.expect_err("too short").causes[0].field, "spec.expirationSeconds");
}

#[tokio::test]
async fn keys_come_as_pem_too() {
    let pair = KeyPair::generate().expect("a key");
    let other = KeyPair::generate().expect("a key");
    let (private, public) = (pair.serialize_pem(), pair.public_key_pem());
    assert!(TokenKeys::from_pem(private.as_bytes(), public.as_bytes()).is_ok());
    assert!(TokenKeys::from_pem(private.as_bytes(), other.public_key_pem().as_bytes()).is_err());
    assert!(TokenKeys::from_pem(b"nonsense", public.as_bytes()).is_err());
    assert!(TokenKeys::from_pem(b"", b"").is_err());
}

#[tokio::test]
async fn a_certificate_names_its_user() {
    let fixture = Fixture::new().await;
    let certificate = |parts: &[(DnType, &str)]| {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    };
    let prove = |der: &[u8]| {
        let credentials = Credentials { certificate: Some(der), ..Credentials::default() };
        fixture
            .server
            .authenticate(&credentials, None)
            .map(|context| context.user)
            .map_err(|error| error.message)
    };
    let node =
        certificate(&[(DnType::CommonName, "system:node:n1"), (DnType::OrganizationName, "system:nodes")]);
    let groups = vec!["system:nodes".to_owned(), "system:authenticated".to_owned()];
    assert_eq!(prove(&node), Ok(User { name: "system:node:n1".into(), groups, ..User::default() }));
    let nameless = certificate(&[(DnType::OrganizationName, "system:masters")]);
    assert_eq!(
        prove(&nameless),
        Err("Unauthorized: the client certificate has no CN to be the user's name".into())
    );
    assert!(prove(b"nonsense").is_err());
}
