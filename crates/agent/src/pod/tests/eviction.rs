//! A node that is short of something ends pods, and takes no more of them.

use expect_test::expect;
use serde_json::{Value, json};
use xebec_runtime::fake::Behaviour;

use super::world::{World, one};
use crate::eviction::Signal;
use crate::node_object;

const MIB: u64 = 1 << 20;

/// Containers that ask for so much memory, or for nothing.
fn spec(memory: &str) -> Value {
    let mut spec = one("nginx", "Always");
    if !memory.is_empty() {
        spec["containers"][0]["resources"] = json!({"requests": {"memory": memory}});
    }
    spec
}

/// Running pods that hold so many mebibytes, by their names. Gives their uids.
async fn hold(world: &World, pods: &[(&str, Value, u64)]) -> Vec<String> {
    world.runtime.add_image("nginx", Behaviour::Run);
    let mut uids = Vec::new();
    for (name, spec, mebibytes) in pods {
        let uid = world.bind(name, spec.clone());
        world.until_running(name).await;
        world.runtime.set_memory(&uid, "web.0", mebibytes * MIB);
        uids.push(uid);
    }
    uids
}

fn phases(world: &World, pods: &[&str]) -> Vec<String> {
    pods.iter().map(|name| world.status(name)["phase"].as_str().unwrap_or("gone").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_out_of_memory_ends_the_greediest_pod_and_says_why() {
    let world = World::start().await;
    let mut proxy = spec("");
    proxy["priorityClassName"] = "system-node-critical".into();
    let pods = [("modest", spec("1Gi"), 800), ("greedy", spec("64Mi"), 100), ("proxy", proxy, 900)];
    hold(&world, &pods).await;
    world.leave(Signal::Memory, 100 * MIB, 2000 * MIB);
    world.pass(60).await;
    let names = ["modest", "greedy", "proxy"];
    assert_eq!(phases(&world, &names), ["Running", "Running", "Running"], "it is just enough");
    world.leave(Signal::Memory, 99 * MIB, 2000 * MIB);
    world.until("evicted", |world| world.status("greedy")["phase"] == "Failed").await;
    world.leave(Signal::Memory, 199 * MIB, 2000 * MIB);
    world.until("ended", |world| world.container("greedy")["state"]["terminated"].is_object()).await;
    let message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 99Mi. \
                   Container web was using 100Mi, request is 64Mi, has larger consumption of memory. ";
    let status = world.status("greedy");
    assert_eq!((&status["reason"], &status["message"]), (&json!("Evicted"), &json!(message)));
    let conditions = status["conditions"].as_array().expect("conditions");
    let target =
        conditions.iter().find(|condition| condition["type"] == "DisruptionTarget").expect("it is said");
    let wanted = (&json!("True"), &json!("TerminationByKubelet"), &json!(message));
    assert_eq!((&target["status"], &target["reason"], &target["message"]), wanted);
    world.until_event(&format!("1 Warning Evicted {message}")).await;
    world.pass(100).await;
    assert_eq!(phases(&world, &names), ["Running", "Failed", "Running"], "there is enough again");
    assert_eq!(world.container("greedy")["restartCount"], 0);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_pod_goes_at_a_time_and_what_the_system_needs_stays() {
    let world = World::start().await;
    let mut dns = spec("");
    dns["priorityClassName"] = "system-cluster-critical".into();
    let pods = [("a", spec(""), 300), ("b", spec(""), 200), ("c", spec("1Gi"), 100), ("dns", dns, 900)];
    hold(&world, &pods).await;
    world.leave(Signal::Memory, MIB, 2000 * MIB);
    let names = ["a", "b", "c", "dns"];
    let mut seen = vec![phases(&world, &names).join(" ")];
    for _ in 0..600 {
        world.pass(1).await;
        let now = phases(&world, &names).join(" ");
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    expect![[r#"
        Running Running Running Running
        Failed Running Running Running
        Failed Failed Running Running
        Failed Failed Failed Running"#]]
    .assert_eq(&seen.join("\n"));
    world.stop().await;
}

/// An agent that has no master to tell of it goes on with the next one.
#[tokio::test(start_paused = true)]
async fn pods_are_evicted_while_no_master_answers() {
    let mut world = World::start().await;
    let uids = hold(&world, &[("a", spec(""), 300), ("b", spec(""), 200)]).await;
    world.fake.stop().await;
    world.runtime.take_calls();
    world.leave(Signal::Memory, MIB, 2000 * MIB);
    world.pass(60).await;
    let wanted = uids.iter().map(|uid| format!("signal_container {uid} web.0 15")).collect::<Vec<_>>();
    assert_eq!(world.runtime.take_calls(), wanted);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_under_pressure_says_so_and_takes_no_new_pods_until_it_is_over() {
    let eviction = toml::from_str("pressure_transition_seconds = 60").expect("a configuration");
    let mut world = World::start_with(eviction).await;
    world.put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "spec": {}}));
    let keeper = tokio::spawn(node_object::keep(world.agent.clone()));
    world.runtime.add_image("nginx", Behaviour::Run);
    let says = |world: &World, kind: &str| {
        let node = world.fake.store.get("nodes", "", "n1").expect("a node");
        let conditions =
            node.get(&["status", "conditions"]).and_then(Value::as_array).cloned().unwrap_or_default();
        let found = conditions.into_iter().find(|condition| condition["type"] == kind);
        found.map(|condition| condition["status"].clone()).unwrap_or_default()
    };
    world.until("its status", |world| says(world, "DiskPressure") == "False").await;
    world.leave(Signal::NodeFs, 9, 100);
    world.until("pressure", |world| says(world, "DiskPressure") == "True").await;
    world.leave(Signal::NodeFs, 90, 100);
    assert_eq!(says(&world, "MemoryPressure"), "False");
    let uid = world.bind("after", spec("1Gi"));
    world.until("refused", |world| world.status("after")["phase"] == "Failed").await;
    let status = world.status("after");
    let wanted = "Pod was rejected: The node had condition: [DiskPressure]. ";
    assert_eq!((&status["reason"], &status["message"]), (&json!("Evicted"), &json!(wanted)));
    assert_eq!(status["containerStatuses"], Value::Null, "nothing of it was begun");
    world.until_event("1 Warning Evicted The node had condition: [DiskPressure]. ").await;
    assert!(world.runtime.sandbox_spec(&uid).is_none());
    world.until("its end", |world| says(world, "DiskPressure") == "False").await;
    world.bind("later", spec(""));
    world.until_running("later").await;
    assert_eq!(world.status("after")["phase"], "Failed", "once and for good");
    // What was let in is no new pod to the next agent, also where it does not run yet.
    world.bind("waits", one("absent", "Always"));
    world.until_state("waits", "waiting", "ErrImagePull").await;
    world.leave(Signal::NodeFs, 9, 100);
    world.restart().await;
    world.until("evicted", |world| world.status("waits")["phase"] == "Failed").await;
    let why = world.status("waits")["message"].as_str().expect("a message").to_owned();
    assert!(why.starts_with("The node was low on resource: ephemeral-storage. "), "{why}");
    world.stop().await;
    keeper.await.expect("it ends with the agent");
}
