//! The behaviour that every kind shares, on every row of the table.

use serde_json::{Value, json};
use xebec_api::error::Reason;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::table;

use super::samples::{sample, status};
use super::{Api, admin, api, events};
use crate::{DeleteOptions, ListOptions, Patch, RequestContext, Target, WatchKind};

/// One kind under test.
struct Row {
    api: Api,
    row: &'static Resource,
    name: String,
}

impl Row {
    fn target(&self) -> Target {
        Target::object(self.row, "default", &self.name)
    }

    fn collection(&self) -> Target {
        Target::collection(self.row, "default")
    }

    async fn create(&self) -> Object {
        let created = self.api.0.create(&admin(), &self.collection(), sample(self.row, "first")).await;
        created.unwrap_or_else(|error| panic!("create {}: {error}", self.row.kind))
    }

    async fn patch(&self, target: &Target, patch: Value) -> Object {
        let patched = self.api.0.patch(&admin(), target, &Patch::Merge(patch)).await;
        patched.unwrap_or_else(|error| panic!("patch {}: {error}", self.row.kind))
    }

    async fn get(&self) -> Result<Object, Reason> {
        self.api.0.get(&admin(), &self.target()).await.map_err(|error| error.reason)
    }
}

/// Runs a check on a fresh server for every kind.
async fn for_every_row(check: impl AsyncFn(Row)) {
    for row in table::all() {
        let name = sample(row, "first").name().to_owned();
        check(Row { api: api().await, row, name }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_can_be_created() {
    let api = api().await;
    let mut refused = Vec::new();
    for row in table::all() {
        let created = api.0.create(&admin(), &Target::collection(row, "default"), sample(row, "first")).await;
        refused.extend(created.err().map(|error| error.message));
    }
    assert_eq!(refused, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn create_completes_the_metadata() {
    for_every_row(async |row: Row| {
        let kind = row.row.kind;
        let mut asked = sample(row.row, "first");
        asked.set(&["metadata", "uid"], "mine");
        asked.set(&["metadata", "generation"], 9);
        asked.set(&["metadata", "deletionTimestamp"], "2026-11-24T10:00:00Z");
        let dry = RequestContext { dry_run: true, ..admin() };
        let tried = row.api.0.create(&dry, &row.collection(), asked.clone()).await.expect(kind);
        assert_eq!((tried.name(), tried.resource_version()), (row.name.as_str(), ""), "{kind}");
        assert_eq!(row.get().await, Err(Reason::NotFound), "{kind}: a dry run leaves nothing");

        let created = row.api.0.create(&admin(), &row.collection(), asked.clone()).await.expect(kind);
        assert!(created.uid().starts_with("00000000-"), "{kind}: {}", created.uid());
        assert_eq!(created.text(&["metadata", "creationTimestamp"]), "2026-11-24T10:00:00Z", "{kind}");
        assert_eq!(created.generation(), 1, "{kind}");
        assert!(!created.is_terminating(), "{kind}");
        let namespace = if row.row.namespaced { "default" } else { "" };
        assert_eq!(created.namespace(), namespace, "{kind}");
        let owners = created.get(&["metadata", "managedFields"]).and_then(Value::as_array).map(Vec::len);
        assert!(owners.unwrap_or_default() <= 1, "{kind}");
        assert_eq!(row.get().await, Ok(created.clone()), "{kind}: what is read is what was answered");
        let page = row.api.0.list(&admin(), &row.collection(), &ListOptions::default()).await.expect(kind);
        assert!(page.items.contains(&created), "{kind}");

        let again = row.api.0.create(&admin(), &row.collection(), asked).await.expect_err(kind);
        assert_eq!(again.reason, Reason::AlreadyExists, "{kind}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn generated_names_are_completed() {
    for_every_row(async |row: Row| {
        let mut asked = sample(row.row, "first");
        asked.remove(&["metadata", "name"]);
        asked.set(&["metadata", "generateName"], "made-");
        let Ok(created) = row.api.0.create(&admin(), &row.collection(), asked).await else {
            // Their names say what they are about.
            assert!(
                ["IPAddress", "CustomResourceDefinition", "APIService"].contains(&row.row.kind),
                "{}",
                row.row.kind
            );
            return;
        };
        assert!(created.name().starts_with("made-") && created.name().len() == 10, "{}", created.name());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_the_kind_does_not_know_is_refused() {
    for_every_row(async |row: Row| {
        let kind = row.row.kind;
        let mut asked = sample(row.row, "first");
        asked.set(&["metadata", "lables"], json!({}));
        let error = row.api.0.create(&admin(), &row.collection(), asked).await.expect_err(kind);
        assert_eq!(
            (error.reason, error.causes[0].field.as_str()),
            (Reason::Invalid, "metadata.lables"),
            "{kind}"
        );
        assert_eq!(error.causes[0].message, "unknown field (did you mean \"labels\"?)", "{kind}");
        let mut wrong = sample(row.row, "first");
        wrong.set(&["kind"], "Nonsense");
        let error = row.api.0.create(&admin(), &row.collection(), wrong).await.expect_err(kind);
        assert_eq!(error.reason, Reason::BadRequest, "{kind}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn updates_are_bound_to_the_version_they_name() {
    for_every_row(async |row: Row| {
        let kind = row.row.kind;
        let created = row.create().await;
        let unchanged = row.api.0.update(&admin(), &row.target(), created.clone()).await.expect(kind);
        assert_eq!(unchanged, created, "{kind}: nothing changed, nothing is written");

        let mut newer = created.clone();
        newer.set(&["metadata", "labels", "a"], "b");
        newer.set(&["metadata", "generation"], 5);
        newer.set(&["metadata", "creationTimestamp"], created.text(&["metadata", "creationTimestamp"]));
        let newer = row.api.0.update(&admin(), &row.target(), newer).await.expect(kind);
        assert_ne!(newer.resource_version(), created.resource_version(), "{kind}");
        assert_eq!(newer.generation(), 1, "{kind}: labels are no change that a controller acts on");
        assert_eq!(newer.uid(), created.uid(), "{kind}");

        let stale = row.api.0.update(&admin(), &row.target(), created.clone()).await.expect_err(kind);
        assert_eq!(stale.reason, Reason::Conflict, "{kind}");
        let mut other = sample(row.row, "first");
        other.set(&["metadata", "uid"], "somebody-else");
        let other = row.api.0.update(&admin(), &row.target(), other).await.expect_err(kind);
        assert_eq!(other.reason, Reason::Conflict, "{kind}");
        let patch =
            json!({"metadata": {"resourceVersion": created.resource_version(), "labels": {"a": "c"}}});
        let stale = row.api.0.patch(&admin(), &row.target(), &Patch::Merge(patch)).await.expect_err(kind);
        assert_eq!(stale.reason, Reason::Conflict, "{kind}");
        let patched = row.patch(&row.target(), json!({"metadata": {"labels": {"a": null, "c": "d"}}})).await;
        assert_eq!(
            patched.labels().filter(|(key, _)| key.len() == 1).collect::<Vec<_>>(),
            [("c", "d")],
            "{kind}"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn status_is_written_apart_where_there_is_a_subresource() {
    for_every_row(async |row: Row| {
        let kind = row.row.kind;
        if !row.row.has_subresource("status") {
            return;
        }
        let created = row.create().await;
        let status = status(row.row, "first");
        let target = row.target().subresource("status");
        let both = json!({"status": status, "metadata": {"labels": {"a": "b"}}});
        let main = row.patch(&row.target(), both.clone()).await;
        assert_eq!(main.get(&["status"]), created.get(&["status"]), "{kind}: a main write keeps the status");
        let reported = row.patch(&target, both).await;
        for (field, value) in status.as_object().expect("a map") {
            assert_eq!(reported.get(&["status", field]), Some(value), "{kind}");
        }
        assert_eq!(reported.generation(), main.generation(), "{kind}");
        assert_eq!(reported.get(&["spec"]), main.get(&["spec"]), "{kind}");
        let removed = row.patch(&target, json!({"metadata": {"labels": null}})).await;
        assert_eq!(removed.get(&["metadata", "labels"]), main.get(&["metadata", "labels"]), "{kind}");
        let fields = reported.get(&["metadata", "managedFields"]).and_then(Value::as_array).expect(kind);
        assert!(fields.iter().any(|entry| entry.get("subresource") == Some(&json!("status"))), "{kind}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_and_watchers_see_it_all() {
    for_every_row(async |row: Row| {
        let kind = row.row.kind;
        let before = row.api.0.state().revision();
        let mut asked = sample(row.row, "first");
        asked.set(&["metadata", "finalizers"], json!(["example.com/wait"]));
        row.api.0.create(&admin(), &row.collection(), asked).await.expect(kind);
        let wrong = DeleteOptions { uid: Some("other".into()), ..DeleteOptions::default() };
        let error = row.api.0.delete(&admin(), &row.target(), &wrong).await.expect_err(kind);
        assert_eq!(error.reason, Reason::Conflict, "{kind}");

        let leaving = row.api.0.delete(&admin(), &row.target(), &DeleteOptions::default()).await.expect(kind);
        assert!(leaving.is_terminating(), "{kind}");
        let again = row.api.0.delete(&admin(), &row.target(), &DeleteOptions::default()).await.expect(kind);
        assert_eq!(again, leaving, "{kind}: a second delete changes nothing");
        let more = json!({"metadata": {"finalizers": ["example.com/wait", "example.com/more"]}});
        assert!(row.api.0.patch(&admin(), &row.target(), &Patch::Merge(more)).await.is_err(), "{kind}");

        row.patch(&row.target(), json!({"metadata": {"finalizers": null}})).await;
        if row.row.kind == "Namespace" {
            let mut empty = row.get().await.expect(kind);
            empty.set(&["spec", "finalizers"], json!([]));
            row.api.0.update(&admin(), &row.target().subresource("finalize"), empty).await.expect(kind);
        }
        assert_eq!(row.get().await, Err(Reason::NotFound), "{kind}");
        let mut seen: Vec<_> = events(&row.api, &row.collection(), "", before).await;
        seen.retain(|(_, name)| *name == row.name);
        seen.dedup();
        let kinds: Vec<_> = seen.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [WatchKind::Added, WatchKind::Modified, WatchKind::Deleted], "{kind}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn scope_is_kept() {
    for_every_row(async |row: Row| {
        let kind = row.row.kind;
        if row.row.namespaced {
            let nowhere = Target::collection(row.row, "nowhere");
            let mut asked = sample(row.row, "first");
            asked.remove(&["metadata", "namespace"]);
            let error = row.api.0.create(&admin(), &nowhere, asked).await.expect_err(kind);
            assert_eq!(error.message, "namespaces \"nowhere\" not found", "{kind}");
            let elsewhere = Target::collection(row.row, "kube-system");
            let error =
                row.api.0.create(&admin(), &elsewhere, sample(row.row, "first")).await.expect_err(kind);
            assert_eq!(error.reason, Reason::BadRequest, "{kind}");
            let everywhere = Target::collection(row.row, "");
            let error =
                row.api.0.create(&admin(), &everywhere, sample(row.row, "first")).await.expect_err(kind);
            assert_eq!(error.reason, Reason::BadRequest, "{kind}");
        } else {
            let version = row.row.versions[0];
            let asked = Target::new(row.row.group, version, row.row.plural, "default", "a", "");
            assert_eq!(asked.err().map(|error| error.reason), Some(Reason::BadRequest), "{kind}");
        }
    })
    .await;
}
