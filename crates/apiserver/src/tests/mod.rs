//! The server on a store in memory, with a clock that stands and ids that count.

mod allocation;
mod deletion;
mod grpc;
mod lists;
mod matrix;
mod outcomes;
mod rbac;
mod rest;
mod samples;
mod streams;
mod tokens;
mod verbs;

use serde_json::Value;
use serde_json::json;
use xebec_api::object::Object;
use xebec_api::table;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use crate::grpc::PeerCertificates;
use crate::testing::Fixture;
use crate::{ApiServer, Patch, RequestContext, Target, User, WatchKind, WatchOptions};

/// The server first, as most tests need nothing else.
struct Api(Arc<ApiServer>);

async fn api() -> Api {
    let fixture = Fixture::new().await;
    Api(fixture.server)
}

fn admin() -> RequestContext {
    user("admin", &["system:masters"])
}

fn user(name: &str, groups: &[&str]) -> RequestContext {
    let groups = groups.iter().map(|&group| group.to_owned()).collect();
    RequestContext::new(User { name: name.into(), groups, ..User::default() }, "test".into())
}

/// What a connection shows of a user.
fn certificate(name: &str, group: &str) -> PeerCertificates {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, group);
    let key = KeyPair::generate().expect("a key");
    Arc::new(vec![params.self_signed(&key).expect("a certificate").der().clone()])
}

fn object(value: Value) -> Object {
    Object::from_json(value.to_string().as_bytes()).expect("an object")
}

fn target(plural: &str, name: &str) -> Target {
    let row = table::resolve(plural).expect("a kind");
    Target::object(row, "default", name)
}

fn config_map(name: &str, value: &str) -> Object {
    object(json!({"metadata": {"name": name, "labels": {"app": value}}, "data": {"key": value}}))
}

fn pod(name: &str) -> Object {
    object(json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "a", "image": "b"}]}}))
}

impl Api {
    async fn create(&self, plural: &str, object: Object) -> Object {
        self.0.create(&admin(), &target(plural, ""), object).await.expect("created")
    }

    async fn patch(&self, target: &Target, patch: Value) -> Object {
        self.0.patch(&admin(), target, &Patch::Merge(patch)).await.expect("patched")
    }
}

/// What a watch from a revision sees until nothing more comes.
async fn events(api: &Api, target: &Target, labels: &str, after: u64) -> Vec<(WatchKind, String)> {
    let options = WatchOptions {
        label_selector: labels.into(),
        resource_version: after.to_string(),
        timeout: Some(Duration::from_secs(1)),
        ..WatchOptions::default()
    };
    let stream = api.0.watch(&admin(), target, &options).await.expect("a watch");
    stream
        .map(|event| {
            let event = event.expect("no error");
            (event.kind, event.object.name().to_owned())
        })
        .collect()
        .await
}
