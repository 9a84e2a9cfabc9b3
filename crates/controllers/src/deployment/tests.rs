//! Whole rollouts, step by step, and the bounds that hold throughout.

use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::replica_set::ReplicaSet;
use crate::world::World;

const BOTH: [&dyn Controller; 2] = [&Deployment, &ReplicaSet];

fn deployment(replicas: i64, strategy: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "default", "name": "web", "annotations": {"note": "kept"}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "strategy": strategy,
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": "v1"}]}}},
    })
}

fn rolling(surge: Value, unavailable: Value) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}})
}

fn world(deployment: Value) -> World {
    let mut world = World::new();
    world.put_node("n1");
    world.put_node("n2");
    world.put(deployment);
    world
}

fn set_image(world: &mut World, image: &str) {
    edit(world, &["spec", "template", "spec", "containers"], json!([{"image": image}]));
}

fn edit(world: &mut World, path: &[&str], value: Value) {
    world.edit(DEPLOYMENTS, "default", "web", |deployment| deployment.set(path, value));
}

/// Each ReplicaSet: image, replicas asked for, revision.
fn sets(world: &World) -> String {
    let mut lines: Vec<String> = world
        .list(REPLICA_SETS, None)
        .iter()
        .map(|set| {
            let image = set.get(&["spec", "template", "spec", "containers"]).expect("containers");
            let revision = set.annotation(well_known::REVISION).unwrap_or_default();
            format!("{} {} revision {revision}\n", image[0]["image"], counts::replicas(set))
        })
        .collect();
    lines.sort();
    lines.concat()
}

fn condition(world: &World, kind: &str) -> String {
    let stored = world.get(DEPLOYMENTS, "default", "web").expect("it exists");
    let text = |field| crate::conditions::text(&stored, kind, field).to_owned();
    format!("{} {}", text("status"), text("reason"))
}

#[test]
fn a_new_deployment_makes_one_set_and_becomes_available() {
    let mut world = world(deployment(2, json!({})));
    let log = world.writes(&[&Deployment]);
    let name = world.list(REPLICA_SETS, None)[0].name().to_owned();
    expect![[r#"
        create ReplicaSet NAME to 2
          Normal Deployment/web: ScalingReplicaSet
        status Deployment web
        update Deployment web
    "#]]
    .assert_eq(&log.replace(&name, "NAME"));
    world.settle(&BOTH);
    expect![[r#"
        {
          "availableReplicas": 2,
          "conditions": [
            {
              "message": "ReplicaSet \"NAME\" has successfully progressed.",
              "reason": "NewReplicaSetAvailable",
              "status": "True",
              "type": "Progressing"
            },
            {
              "message": "Deployment has minimum availability.",
              "reason": "MinimumReplicasAvailable",
              "status": "True",
              "type": "Available"
            }
          ],
          "observedGeneration": 1,
          "readyReplicas": 2,
          "replicas": 2,
          "updatedReplicas": 2
        }
    "#]]
    .assert_eq(&world.status(DEPLOYMENTS, "default", "web").replace(&name, "NAME"));
    let set = world.get(REPLICA_SETS, "default", &name).expect("it exists");
    assert_eq!(set.annotation("note"), Some("kept"));
    assert_eq!(set.text(&["spec", "selector", "matchLabels", template::HASH]), &name["web-".len()..]);
}

#[test]
fn an_update_rolls_and_undo_goes_back_to_the_old_set() {
    let mut world = world(deployment(3, rolling(json!(1), json!(0))));
    world.settle(&BOTH);
    set_image(&mut world, "v2");
    world.settle(&BOTH);
    expect![[r#"
        "v1" 0 revision 1
        "v2" 3 revision 2
    "#]]
    .assert_eq(&sets(&world));
    set_image(&mut world, "v1");
    world.settle(&BOTH);
    expect![[r#"
        "v1" 3 revision 3
        "v2" 0 revision 2
    "#]]
    .assert_eq(&sets(&world));
    let stored = world.get(DEPLOYMENTS, "default", "web").expect("it exists");
    assert_eq!(stored.annotation(well_known::REVISION), Some("3"));
}

#[test]
fn a_broken_image_stops_within_bounds_and_times_out() {
    let mut world = world(deployment(4, rolling(json!("25%"), json!("25%"))));
    world.settle(&BOTH);
    set_image(&mut world, "broken");
    world.settle(&BOTH);
    expect![[r#"
        "broken" 2 revision 2
        "v1" 3 revision 1
    "#]]
    .assert_eq(&sets(&world));
    assert_eq!(condition(&world, "Available"), "True MinimumReplicasAvailable");
    world.advance(601);
    world.hear_all_but(&[]);
    world.settle(&BOTH);
    assert_eq!(condition(&world, "Progressing"), "False ProgressDeadlineExceeded");
    set_image(&mut world, "v3");
    world.settle(&BOTH);
    assert_eq!(condition(&world, "Progressing"), "True NewReplicaSetAvailable");
}

#[test]
fn recreate_waits_for_the_last_old_pod() {
    let mut world = world(deployment(2, json!({"type": "Recreate"})));
    world.settle(&BOTH);
    set_image(&mut world, "v2");
    world.writes(&BOTH);
    expect![[r#"
        "v1" 0 revision 1
        "v2" 0 revision 2
    "#]]
    .assert_eq(&sets(&world));
    world.settle(&BOTH);
    expect![[r#"
        "v1" 0 revision 1
        "v2" 2 revision 2
    "#]]
    .assert_eq(&sets(&world));
}

#[test]
fn paused_it_scales_but_does_not_roll() {
    let mut world = world(deployment(2, json!({})));
    world.settle(&BOTH);
    edit(&mut world, &["spec", "paused"], json!(true));
    set_image(&mut world, "v2");
    edit(&mut world, &["spec", "replicas"], json!(4));
    world.settle(&BOTH);
    expect![[r#"
        "v1" 4 revision 1
    "#]]
    .assert_eq(&sets(&world));
    assert_eq!(condition(&world, "Progressing"), "Unknown DeploymentPaused");
    edit(&mut world, &["spec", "paused"], json!(false));
    world.settle(&BOTH);
    expect![[r#"
        "v1" 0 revision 1
        "v2" 4 revision 2
    "#]]
    .assert_eq(&sets(&world));
}

#[test]
fn history_is_kept_to_its_limit() {
    let mut world = world(deployment(1, json!({})));
    edit(&mut world, &["spec", "revisionHistoryLimit"], json!(2));
    for version in 1..=5 {
        set_image(&mut world, &format!("v{version}"));
        world.settle(&BOTH);
    }
    expect![[r#"
        "v3" 0 revision 3
        "v4" 0 revision 4
        "v5" 1 revision 5
    "#]]
    .assert_eq(&sets(&world));
}

#[test]
fn a_set_that_leaves_already_costs_no_other_its_place_in_the_history() {
    let mut world = world(deployment(1, json!({})));
    edit(&mut world, &["spec", "revisionHistoryLimit"], json!(2));
    for version in 1..=3 {
        set_image(&mut world, &format!("v{version}"));
        world.settle(&BOTH);
    }
    let sets_now = world.list(REPLICA_SETS, None);
    let oldest = sets_now.iter().find(|set| template::revision(set) == 1).expect("it is kept");
    world.delete_by(REPLICA_SETS, "default", oldest.name(), None, Some("foregroundDeletion"));
    set_image(&mut world, "v4");
    world.settle(&BOTH);
    expect![[r#"
        "v1" 0 revision 1
        "v2" 0 revision 2
        "v3" 0 revision 3
        "v4" 1 revision 4
    "#]]
    .assert_eq(&sets(&world));
}

#[test]
fn without_a_deadline_there_is_no_word_of_progress() {
    let mut world = world(deployment(1, json!({})));
    world.settle(&BOTH);
    edit(&mut world, &["spec", "progressDeadlineSeconds"], json!(i32::MAX));
    world.settle(&BOTH);
    assert_eq!(condition(&world, "Progressing"), " ");
    assert_eq!(condition(&world, "Available"), "True MinimumReplicasAvailable");
}

#[test]
fn what_others_wrote_into_the_status_stays() {
    let mut world = world(deployment(1, json!({})));
    world.poke(DEPLOYMENTS, "default", "web", |deployment| {
        deployment.set(&["status", "conditions"], json!([{"type": "Mine", "status": "True"}]));
        deployment.set(&["status", "mine"], 7);
    });
    world.settle(&BOTH);
    let stored = world.get(DEPLOYMENTS, "default", "web").expect("it exists");
    assert_eq!(crate::conditions::status(&stored, "Mine"), Some("True"));
    assert_eq!(counts::status(&stored, "mine"), 7);
}

#[test]
fn a_template_that_the_store_changed_makes_no_second_set() {
    let mut world = world(deployment(1, json!({})));
    world.writes(&[&Deployment]);
    let name = world.list(REPLICA_SETS, None)[0].name().to_owned();
    world.edit(REPLICA_SETS, "default", &name, |set| {
        set.set(&["spec", "template", "spec", "dnsPolicy"], "Default")
    });
    world.settle(&BOTH);
    expect![[r#"
        "v1" 1 revision 1
    "#]]
    .assert_eq(&sets(&world));
}

#[test]
fn a_name_that_somebody_else_has_is_stepped_around() {
    let mut world = world(deployment(1, json!({})));
    let stored = world.get(DEPLOYMENTS, "default", "web").expect("it exists");
    let name = template::name(&stored, &template::hash(&stored));
    let spec = json!({"replicas": 0, "selector": {"matchLabels": {"app": "other"}}, "template": {"spec": {"containers": [{"image": "other"}]}}});
    world.put(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"namespace": "default", "name": name}, "spec": spec}));
    world.settle(&BOTH);
    expect![[r#"
        "other" 0 revision 
        "v1" 1 revision 1
    "#]]
    .assert_eq(&sets(&world));
}

#[test]
fn what_its_pods_are_refused_for_is_said() {
    let mut world = world(deployment(1, json!({})));
    world.writes(&[&Deployment]);
    world.refuses = Some("exceeded quota".to_owned());
    let key = ReplicaSet.initial(&world)[0].clone();
    (0..2).for_each(|_| drop(world.reconcile(&ReplicaSet, &key)));
    world.writes(&[&Deployment]);
    assert_eq!(condition(&world, "ReplicaFailure"), "True FailedCreate");
    world.refuses = None;
    world.settle(&BOTH);
    assert_eq!(condition(&world, "ReplicaFailure"), " ");
    assert_eq!(condition(&world, "Available"), "True MinimumReplicasAvailable");
}

fn active(world: &World) -> (i64, i64) {
    let pods = world.list(PODS, None);
    let active: Vec<&Object> = pods.iter().filter(|pod| crate::pods::is_active(pod)).collect();
    let ready = active.iter().filter(|pod| crate::pods::is_ready(pod)).count();
    (i64::try_from(active.len()).expect("few"), i64::try_from(ready).expect("few"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_rollout_keeps_its_bounds_and_converges(
        replicas in 1_i64..8, surge in 0_i64..4, unavailable in 0_i64..4,
        steps in prop::collection::vec((0_u8..4, 0_usize..16), 0..60),
    ) {
        let mut world = world(deployment(replicas, rolling(json!(surge), json!(unavailable))));
        world.settle(&BOTH);
        set_image(&mut world, "v2");
        let bounds = Bounds::of(&world.get(DEPLOYMENTS, "default", "web").expect("it exists"));
        for (step, pick) in steps {
            match step {
                0 => drop(world.reconcile(&Deployment, &ObjectKey::new(DEPLOYMENTS, "default", "web"))),
                1 => {
                    let keys = ReplicaSet.initial(&world);
                    drop(world.reconcile(&ReplicaSet, &keys[pick % keys.len()]));
                }
                2 => world.run_one_pod(pick),
                _ => set_image(&mut world, ["v1", "v2", "v3"][pick % 3]),
            }
            let (_, ready) = active(&world);
            let asked: i64 = world.list(REPLICA_SETS, None).iter().map(counts::replicas).sum();
            prop_assert!(ready >= bounds.least_available(), "{ready} ready of {}", bounds.least_available());
            prop_assert!(asked <= bounds.most(), "{asked} of at most {}", bounds.most());
        }
        world.settle(&BOTH);
        prop_assert_eq!(active(&world), (replicas, replicas));
        prop_assert_eq!(condition(&world, "Progressing"), "True NewReplicaSetAvailable");
    }
}
