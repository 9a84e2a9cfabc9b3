//! Commands against a fake master, from their words to what they print.

mod create;
mod live;
mod masters;
mod real;
mod shown;
mod streams;
mod undo;
mod verbs;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_client::Client;
use xebec_client::fake::{Fake, client_of};

use crate::output::Out;
use crate::session::Session;
use crate::{advice, answered, commands, failure, parse};

#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    /// What was written, without colours.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8(self.0.lock().expect("no writer panics").clone()).expect("text");
        anstream::adapter::strip_str(&text).to_string()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything printed by one command line, with what it exits with at the end.
async fn xctl(fake: &Fake, words: &str) -> String {
    typed(client_of(&[fake]), words).await
}

async fn typed(client: Client, words: &str) -> String {
    typed_to(&Sink::default(), client, words).await
}

async fn typed_to(sink: &Sink, client: Client, words: &str) -> String {
    let out = Out::to(Box::new(sink.clone()), Box::new(sink.clone()));
    typed_on(out, sink, client, words).await
}

async fn typed_on(mut out: Out, sink: &Sink, client: Client, words: &str) -> String {
    let words = std::iter::once("xctl").chain(words.split_whitespace()).map(OsString::from);
    let cli = parse(words).expect("a command");
    let session = Session {
        client,
        namespace: cli.global.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        namespace_is_forced: cli.global.namespace.is_some(),
        // Five seconds after the time at which the apiserver's fixture stands.
        now: || xebec_api::time::parse("2026-11-24T10:00:05Z").map_or(0, |time| time.as_second()),
    };
    let outcome = commands::execute(&session, cli.command, &mut out).await;
    let code = outcome.unwrap_or_else(|error| {
        out.error(&advice::line(&error));
        ExitCode::FAILURE
    });
    let text = sink.text();
    if code == ExitCode::SUCCESS { text } else { format!("{text}[failed]\n") }
}

#[test]
fn a_group_alone_is_answered_with_what_it_has() {
    for (words, about) in [
        ("xctl", "Talks to a Xebec cluster"),
        ("xctl help", "Talks to a Xebec cluster"),
        ("xctl rollout", "Follow, restart or take back a rollout"),
        ("xctl help rollout", "Follow, restart or take back a rollout"),
    ] {
        let sink = Sink::default();
        let mut out = Out::to(Box::new(sink.clone()), Box::new(sink.clone()));
        let error = parse(words.split(' ').map(OsString::from)).err().expect("no command");
        assert_eq!(answered(&error, &mut out), ExitCode::SUCCESS, "{words}");
        let text = sink.text();
        assert!(
            text.starts_with(about) && text.contains("Usage: ") && !text.contains("error"),
            "{words}: {text}"
        );
    }
}

#[test]
fn a_diff_that_fails_is_told_apart_from_one_that_differs() {
    let code =
        |words: &str| failure(&parse(words.split(' ').map(OsString::from)).expect("a command").command);
    assert_eq!((code("xctl diff -f web.yaml"), code("xctl get pods")), (2, 1));
}

async fn check(fake: &Fake, words: &str, expected: Expect) {
    expected.assert_eq(&xctl(fake, words).await);
}

fn object(value: &Value) -> Object {
    Object::from_json(value.to_string().as_bytes()).expect("an object")
}

fn secret() -> Object {
    object(&json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "redis", "namespace": "default", "managedFields": [{"manager": "x"}]},
        "data": {"password": "dGhyZWUtbWFzdHM="}}))
}

const MANIFEST: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: greeting}
data: {text: hello}
---
apiVersion: v1
kind: Ship
metadata: {name: x}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: broken
---
apiVersion: v1
kind: Secret
metadata: {name: password}
stringData: {password: three-masts}
";

#[tokio::test]
async fn every_document_is_applied_and_told_of() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("all.yaml");
    std::fs::write(&path, MANIFEST).expect("written");
    let words = format!("apply -f {}", path.display());
    let told = |text: String| text.replace(&path.display().to_string(), "all.yaml");
    expect![[r#"
        configmap/greeting created
        error: all.yaml: document 2 (line 7): there is no kind "Ship" in "v1": `xctl api-resources` lists the kinds there are
        error: all.yaml: document 3 (line 14): did not find expected ',' or '}'
        secret/password created
        [failed]
    "#]]
    .assert_eq(&told(xctl(&fake, &words).await));
    let text =
        MANIFEST.replace("hello", "welcome").replace("Ship", "Namespace").replace("broken\n", "broken}\n");
    std::fs::write(&path, text).expect("written");
    expect![[r"
        configmap/greeting configured
        namespace/x created
        configmap/broken created
        secret/password unchanged
    "]]
    .assert_eq(&told(xctl(&fake, &words).await));
    let greeting = fake.store.get("configmaps", "default", "greeting").expect("applied");
    assert_eq!(greeting.text(&["data", "text"]), "welcome");
    let words = format!("delete -f {} --timeout 5s", path.display());
    expect![[r"
        configmap/greeting deleted
        namespace/x deleted
        configmap/broken deleted
        secret/password deleted
    "]]
    .assert_eq(&told(xctl(&fake, &words).await));
}

#[tokio::test]
async fn a_secrets_values_are_shown_only_whole() {
    let fake = Fake::start().await;
    fake.store.put(secret());
    for words in ["get secrets", "get secrets -o wide", "get secret redis -o name", "describe secret redis"] {
        let text = xctl(&fake, words).await;
        assert!(
            text.contains("redis") && !text.contains("dGhy") && !text.contains("three"),
            "{words}: {text}"
        );
    }
    check(
        &fake,
        "get secret redis -o yaml",
        expect![[r#"
            apiVersion: v1
            data:
              password: dGhyZWUtbWFzdHM=
            kind: Secret
            metadata:
              name: redis
              namespace: default
              resourceVersion: '1'
              uid: uid-1
            type: Opaque
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_answered_with_what_to_do() {
    let fake = Fake::start().await;
    check(
        &fake,
        "get pods web db",
        expect![[r#"
            error: pods "web" not found; `xctl get pods` shows what there is; pods "db" not found; `xctl get pods` shows what there is
            [failed]
        "#]],
    )
    .await;
    check(
        &fake,
        "get pods",
        expect![[r"
        No resources found in default namespace.
    "]],
    )
    .await;
    check(
        &fake,
        "scale configmap x --replicas 2",
        expect![[r"
        error: configmaps do not scale: deployments, replicasets and statefulsets do
        [failed]
    "]],
    )
    .await;
    check(
        &fake,
        "delete pods",
        expect![[r"
        error: name the pods, or say -l SELECTOR or --all
        [failed]
    "]],
    )
    .await;
}

#[tokio::test]
async fn objects_are_made_labelled_and_listed() {
    let fake = Fake::start().await;
    check(
        &fake,
        "create configmap settings --from-literal a=1 --from-literal b=x=y",
        expect![[r"
            configmap/settings created
        "]],
    )
    .await;
    check(
        &fake,
        "label cm settings tier=front",
        expect![[r"
        configmap/settings labeled
    "]],
    )
    .await;
    check(
        &fake,
        "label cm settings tier=back",
        expect![[r"
        error: configmap/settings has tier already: say --overwrite to replace its value
        [failed]
    "]],
    )
    .await;
    check(
        &fake,
        "annotate cm/settings note=x",
        expect![[r"
        configmap/settings annotated
    "]],
    )
    .await;
    check(
        &fake,
        "get cm,secrets -l tier=front -o name",
        expect![[r"
        configmap/settings
    "]],
    )
    .await;
    let made = fake.store.get("configmaps", "default", "settings").expect("made");
    assert_eq!(made.get(&["data"]), Some(&json!({"a": "1", "b": "x=y"})));
}

#[tokio::test]
async fn deployments_are_scaled_restarted_and_followed() {
    let fake = Fake::start().await;
    fake.store.put(object(&json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "generation": 1},
        "spec": {"replicas": 2, "template": {}},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}})));
    check(
        &fake,
        "rollout restart deploy/web",
        expect![[r"
        deployment.apps/web restarted
    "]],
    )
    .await;
    check(
        &fake,
        "rollout status deploy web",
        expect![[r#"
        deployment "web" successfully rolled out
    "#]],
    )
    .await;
    check(
        &fake,
        "scale deploy web --replicas 5",
        expect![[r"
        deployment.apps/web scaled
    "]],
    )
    .await;
    let calls = fake.take_calls();
    assert_eq!(calls.last().map(String::as_str), Some("patch apps/deployments/scale default/web"));
    check(
        &fake,
        "rollout undo deploy web",
        expect![[r"
        error: there is no earlier revision: the revisions are none
        [failed]
    "]],
    )
    .await;
}
