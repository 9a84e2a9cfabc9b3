//! Volumes of running pods, as their containers see them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xebec_runtime::fake::Behaviour;
use xebec_runtime::{Mount, MountSource};
use xebec_tests::skips::root_or_skip;

use super::world::World;

const TOKENS: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A pod with one volume, mounted at `/v`.
fn with(volume: Value) -> Value {
    let mut volume = volume;
    volume["name"] = "v".into();
    let mounts = json!([{"name": "v", "mountPath": "/v"}]);
    json!({"containers": [{"name": "web", "image": "nginx", "volumeMounts": mounts}], "volumes": [volume]})
}

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "paint", "namespace": "default"}, "data": data})
}

fn mounts(world: &World, uid: &str) -> Vec<Mount> {
    world.runtime.container_spec(uid, "web.0").expect("it runs").mounts
}

/// What is mounted at a path of the container.
fn source(world: &World, uid: &str, target: &str) -> PathBuf {
    let mounts = mounts(world, uid);
    let mount = mounts.into_iter().find(|mount| mount.target == Path::new(target)).expect("it is mounted");
    match mount.source {
        MountSource::Bind(source) => source,
        MountSource::Below { volume, path, .. } => volume.join(path),
        MountSource::Tmpfs { .. } => panic!("it is nothing of the host"),
    }
}

/// `NAME MODE TEXT` of each file that users see.
fn listing(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        if !name.starts_with("..") {
            let path = folder.join(&name);
            let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777;
            lines.push(format!("{name} {mode:o} {}", fs::read_to_string(path).expect("a text")));
        }
    }
    lines.sort();
    lines
}

async fn run(world: &World, spec: Value) -> String {
    world.runtime.add_image("nginx", Behaviour::Run);
    let uid = world.bind("a", spec);
    world.until_running("a").await;
    uid
}

#[tokio::test(start_paused = true)]
async fn a_changed_config_map_reaches_the_file_within_seconds() {
    let world = World::start().await;
    world.put(config_map(json!({"color": "red", "size": "7"})));
    let mut spec = with(json!({"configMap": {"name": "paint", "defaultMode": 0o640}}));
    let sub = json!({"name": "v", "mountPath": "/etc/color", "subPath": "color"});
    spec["containers"][0]["volumeMounts"].as_array_mut().expect("mounts").push(sub);
    let uid = run(&world, spec).await;
    let folder = source(&world, &uid, "/v");
    assert_eq!(listing(&folder), ["color 640 red", "size 640 7"]);
    assert!(mounts(&world, &uid)[0].read_only);
    assert_eq!(source(&world, &uid, "/etc/color"), folder.join("color"));
    world.put(config_map(json!({"color": "blue"})));
    world.pass(10).await;
    assert_eq!(listing(&folder), ["color 640 blue"]);
    let gone = world.fake.store.remove("configmaps", "default", "paint");
    assert!(gone.is_some());
    world.pass(10).await;
    assert_eq!(listing(&folder), ["color 640 blue"], "what runs keeps what it has");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_used_any_more_is_not_asked_for() {
    let world = World::start().await;
    world.put(config_map(json!({"color": "red"})));
    let uid = run(&world, with(json!({"configMap": {"name": "paint"}}))).await;
    let _ = world.fake.take_calls();
    world.pass(60).await;
    let asked = world.fake.take_calls().iter().filter(|call| *call == "get configmaps default/paint").count();
    assert!((10..=13).contains(&asked), "once in five seconds, not {asked} times in sixty");
    world.change("a", |pod| pod.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:30Z"));
    world.until("gone", |world| world.pod("a").is_none()).await;
    let _ = world.fake.take_calls();
    world.pass(60).await;
    let calls = world.fake.take_calls();
    assert!(!calls.iter().any(|call| call.contains("configmaps")), "{calls:?}");
    assert!(!world.agent.config.data_dir.join("volumes").join(uid).exists());
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_projection_holds_everything_and_follows_its_pod() {
    let world = World::start().await;
    world.put(config_map(json!({"color": "red", "size": "7"})));
    world.put(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "default"},
        "data": {"k": "dg=="}}),
    );
    let downward = json!([
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "cpu", "mode": 0o600, "resourceFieldRef":
            {"containerName": "web", "resource": "limits.cpu", "divisor": "1m"}},
    ]);
    let mut spec = with(json!({"projected": {"defaultMode": 0o444, "sources": [
        {"configMap": {"name": "paint", "items": [{"key": "color", "path": "paint"}]}},
        {"configMap": {"name": "nothing", "optional": true}},
        {"secret": {"name": "keys", "items": [{"key": "k", "path": "key", "mode": 0o400}]}},
        {"downwardAPI": {"items": downward}},
    ]}}));
    spec["containers"][0]["resources"] = json!({"limits": {"cpu": "1500m"}});
    let uid = run(&world, spec).await;
    let folder = source(&world, &uid, "/v");
    assert_eq!(listing(&folder), ["cpu 600 1500", "key 400 v", "labels 444 ", "paint 444 red"]);
    world.change("a", |pod| pod.set(&["metadata", "labels"], json!({"app": "web"})));
    world.pass(1).await;
    assert_eq!(listing(&folder)[2], "labels 444 app=\"web\"");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn tokens_are_renewed_at_four_fifths_of_their_life() {
    let world = World::start().await;
    let mut spec = with(json!({"projected": {"sources": [
        {"serviceAccountToken": {"path": "vault", "audience": "vault", "expirationSeconds": 600}},
    ]}}));
    spec["automountServiceAccountToken"] = true.into();
    let uid = run(&world, spec).await;
    let own = source(&world, &uid, TOKENS);
    let read = |file: &str| fs::read_to_string(own.join(file)).expect("a file");
    assert_eq!((read("ca.crt"), read("namespace")), ("the CA".to_owned(), "default".to_owned()));
    let vault = source(&world, &uid, "/v").join("vault");
    let (first_own, first) = (read("token"), fs::read_to_string(&vault).expect("a token"));
    assert!(first.starts_with("token-") && first_own != first, "{first} {first_own}");
    world.pass(470).await;
    assert_eq!(fs::read_to_string(&vault).expect("a token"), first);
    world.pass(20).await;
    assert_ne!(fs::read_to_string(&vault).expect("a token"), first, "480 of its 600 seconds are over");
    assert_eq!(read("token"), first_own, "it has an hour");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_dir_lives_as_long_as_its_pod() {
    let world = World::start().await;
    let uid = run(&world, with(json!({"emptyDir": {}}))).await;
    let folder = source(&world, &uid, "/v");
    assert_eq!(fs::metadata(&folder).expect("a folder").permissions().mode() & 0o7777, 0o777);
    fs::write(folder.join("kept"), "x").expect("written");
    world.runtime.exit(&uid, "web.0", 1, false);
    world.until("a restart", |world| world.container("a")["restartCount"] == 1).await;
    world.runtime.lose_sandbox(&uid);
    world.until("all anew", |world| world.container("a")["restartCount"] == 2).await;
    assert_eq!(listing(&folder), ["kept 644 x"]);
    let gone = world.fake.store.remove("pods", "default", "a");
    assert!(gone.is_some());
    world.until("gone", |_| !folder.exists()).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn variables_come_from_everywhere() {
    let world = World::start().await;
    world.put(config_map(json!({"color": "red"})));
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let env = json!([
        {"name": "NAME", "valueFrom": field("metadata.name")},
        {"name": "IP", "valueFrom": field("status.podIP")},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "SAID", "value": "$(P_color) on $(NAME)"},
    ]);
    let mut spec = with(json!({"emptyDir": {}}));
    let container = &mut spec["containers"][0];
    container["env"] = env;
    container["envFrom"] = json!([{"prefix": "P_", "configMapRef": {"name": "paint"}}]);
    container["resources"] = json!({"limits": {"memory": "100Mi"}});
    container["volumeMounts"][0]["subPathExpr"] = "$(NAME)/logs".into();
    let uid = run(&world, spec).await;
    let env = world.runtime.container_spec(&uid, "web.0").expect("it runs").env;
    let env: Vec<String> = env.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["P_color=red", "NAME=a", "IP=10.42.0.2", "MEMORY=100", "SAID=red on a"]);
    let MountSource::Below { path, written, .. } = mounts(&world, &uid).remove(0).source else {
        panic!("a part of the volume")
    };
    // What its variables hold may be secret.
    assert_eq!((path, written.as_str()), ("a/logs".into(), "$(NAME)/logs"));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_of_the_pods_owns_its_files() {
    if !root_or_skip("files of another group") {
        return;
    }
    let world = World::start().await;
    world.put(config_map(json!({"color": "red"})));
    let mut spec = with(json!({"configMap": {"name": "paint", "defaultMode": 0o400}}));
    spec["securityContext"] = json!({"fsGroup": 4242, "supplementalGroups": [7]});
    spec["volumes"].as_array_mut().expect("volumes").push(json!({"name": "cache", "emptyDir": {}}));
    let cache = json!({"name": "cache", "mountPath": "/cache"});
    spec["containers"][0]["volumeMounts"].as_array_mut().expect("mounts").push(cache);
    let uid = run(&world, spec).await;
    let of = |path: &Path| {
        let found = fs::metadata(path).expect("it is there");
        (found.gid(), found.permissions().mode() & 0o7777)
    };
    assert_eq!(of(&source(&world, &uid, "/v").join("color")), (4242, 0o440));
    assert_eq!(of(&source(&world, &uid, "/cache")), (4242, 0o2777));
    let spec = world.runtime.container_spec(&uid, "web.0").expect("it runs");
    assert_eq!(spec.security.supplemental_groups, [7, 4242]);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_account_that_wants_no_tokens_mounted_has_none() {
    let world = World::start().await;
    let account = |name: &str, automount: bool| {
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": automount,
            "metadata": {"name": name, "namespace": "default"}})
    };
    world.put(account("quiet", false));
    world.runtime.add_image("nginx", Behaviour::Run);
    let spec = json!({"nodeName": "n1", "serviceAccountName": "quiet", "containers": [{"name": "web", "image": "nginx"}]});
    let uid = world
        .put(json!({"apiVersion": "v1", "kind": "Pod", "spec": spec, "status": {"phase": "Pending"},
        "metadata": {"name": "a", "namespace": "default"}}));
    world.until_running("a").await;
    assert!(mounts(&world, &uid).iter().all(|mount| mount.target != Path::new(TOKENS)));
    world.stop().await;
}
