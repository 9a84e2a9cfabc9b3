//! What each form does to a template.

use expect_test::expect;
use serde_json::json;

use super::*;

fn deployment() -> Object {
    let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {
            "initContainers": [{"name": "setup", "image": "setup:1"}],
            "containers": [
                {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    "resources": {"requests": {"cpu": "1"}}},
                {"name": "log", "image": "log:1"}]}}}});
    Object::from_json(value.to_string().as_bytes()).expect("an object")
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn after(by: impl Fn(&mut Object) -> Result<()>) -> String {
    let mut object = deployment();
    match by(&mut object) {
        Ok(()) => object.get(&["spec", "template", "spec"]).expect("a spec").to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn images_are_set_by_container() {
    let set = |text: &str| after(|object| image::set(object, &image::read(&words(text))?));
    expect![[r#"{"containers":[{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"image":"web:2","name":"web","resources":{"requests":{"cpu":"1"}}},{"image":"log:1","name":"log"}],"initContainers":[{"image":"setup:2","name":"setup"}]}"#]].assert_eq(&set("web=web:2 setup=setup:2"));
    expect![[r#"{"containers":[{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"image":"all:1","name":"web","resources":{"requests":{"cpu":"1"}}},{"image":"all:1","name":"log"}],"initContainers":[{"image":"all:1","name":"setup"}]}"#]].assert_eq(&set("*=all:1"));
    expect![[r#"web has no container "wbe""#]].assert_eq(&set("wbe=web:2"));
    expect![[r#""web=": write CONTAINER=IMAGE"#]].assert_eq(&set("web="));
}

#[test]
fn variables_are_set_and_removed() {
    let set =
        |pattern: &str, text: &str| after(|object| env::set(object, pattern, &env::read(&words(text))?));
    expect![[r#"{"containers":[{"env":[{"name":"A","value":"x=y"},{"name":"C","value":"3"}],"image":"web:1","name":"web","resources":{"requests":{"cpu":"1"}}},{"image":"log:1","name":"log"}],"initContainers":[{"image":"setup:1","name":"setup"}]}"#]].assert_eq(&set("w*", "A=x=y B- C=3"));
    expect![[r#"{"containers":[{"image":"web:1","name":"web","resources":{"requests":{"cpu":"1"}}},{"image":"log:1","name":"log"}],"initContainers":[{"image":"setup:1","name":"setup"}]}"#]].assert_eq(&set("web", "A- B-"));
    expect![[r#""=1": write NAME=VALUE or NAME-"#]].assert_eq(&set("*", "=1"));
}

#[test]
fn resources_are_set_and_removed() {
    let set = |requests: &str, limits: &str| {
        after(|object| resources::set(object, "web", &resources::read(requests, limits)?))
    };
    expect![[r#"{"containers":[{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"image":"web:1","name":"web","resources":{"limits":{"memory":"128Mi"},"requests":{"cpu":"500m","memory":"64Mi"}}},{"image":"log:1","name":"log"}],"initContainers":[{"image":"setup:1","name":"setup"}]}"#]].assert_eq(&set("cpu=500m,memory=64Mi", "memory=128Mi"));
    expect![[r#"{"containers":[{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"image":"web:1","name":"web","resources":{}},{"image":"log:1","name":"log"}],"initContainers":[{"image":"setup:1","name":"setup"}]}"#]].assert_eq(&set("cpu=0", ""));
    expect![[r#"--requests cpu: "much" is no quantity: write a number with an optional suffix, such as 500m, 2, 128Mi or 1Gi"#]].assert_eq(&set("cpu=much", ""));
    expect!["you must specify an update to requests or limits (in the form of --requests/--limits)"]
        .assert_eq(&set("", ""));
}
