//! What becomes of a pod whose sandbox was lost, with its shim or with the whole host: its
//! restart policy holds for what ran in it as for any other end.

use k8s_openapi::api::core::v1::Pod;
use xebec_runtime::Sandbox;

use super::{exit_code, is_sidecar, newest, policy};
use crate::pod::status::{says_running, statuses};

/// What is known of a container's last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    /// There was none.
    None,
    /// It ended with this code.
    Ended(i32),
    /// Nobody saw how it ended.
    Lost,
}

/// By what the sandbox that was lost has kept, or else by what the API was told.
pub(crate) fn past(pod: &Pod, lost: Option<&Sandbox>, container: &str) -> Past {
    if let Some((_, state)) = newest(lost, container) {
        return exit_code(state).map_or(Past::Lost, Past::Ended);
    }
    let told = statuses(pod).find(|status| status.name == container && status.container_id.is_some());
    let Some(told) = told else { return Past::None };
    if says_running(told) {
        return Past::Lost;
    }
    let ended = [&told.state, &told.last_state].into_iter().flatten().find_map(|it| it.terminated.as_ref());
    ended.map_or(Past::Lost, |ended| Past::Ended(ended.exit_code))
}

/// Whether the pod goes on in another sandbox. One that never restarts does not once a main
/// container has begun, or an init container has failed; one that restarts on failure does not
/// once every main container has succeeded.
pub(crate) fn goes_on(pod: &Pod, lost: Option<&Sandbox>) -> bool {
    let Some(spec) = &pod.spec else { return true };
    let mut mains = spec.containers.iter().map(|container| past(pod, lost, &container.name));
    let init = spec.init_containers.iter().flatten().filter(|container| !is_sidecar(container));
    let mut init = init.map(|container| past(pod, lost, &container.name));
    match policy(pod) {
        "Never" => {
            let has_begun = mains.any(|past| past != Past::None);
            !has_begun && init.all(|past| matches!(past, Past::None | Past::Ended(0)))
        }
        "OnFailure" => mains.any(|past| past != Past::Ended(0)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::{Value, json};

    use super::*;

    /// A pod with an init container and a main one, of which the API was told so.
    fn pod(policy: &str, init: &Value, main: &Value) -> Pod {
        let told = |name: &str, state: &Value| {
            let id = if *state == json!({"waiting": {}}) { Value::Null } else { "xebec://u/x.0".into() };
            json!({"name": name, "containerID": id, "state": state, "image": "x", "imageID": "", "ready": false,
                "restartCount": 0})
        };
        let pod = json!({
            "spec": {"restartPolicy": policy, "initContainers": [{"name": "init"}], "containers": [{"name": "main"}]},
            "status": {"initContainerStatuses": [told("init", init)], "containerStatuses": [told("main", main)]},
        });
        serde_json::from_value(pod).expect("a pod")
    }

    #[test]
    fn the_policy_says_whether_a_pod_goes_on() {
        let ended = |code: i32| json!({"terminated": {"exitCode": code}});
        let (waits, runs) = (json!({"waiting": {}}), json!({"running": {}}));
        let cases = [
            ("nothing has begun", &waits, &waits),
            ("init runs", &runs, &waits),
            ("init failed", &ended(1), &waits),
            ("init is through", &ended(0), &waits),
            ("main runs", &ended(0), &runs),
            ("main failed", &ended(0), &ended(1)),
            ("main succeeded", &ended(0), &ended(0)),
        ];
        let mut told = String::new();
        for (case, init, main) in cases {
            let goes_on = |policy| goes_on(&pod(policy, init, main), None);
            let all = ["Always", "OnFailure", "Never"].map(goes_on);
            told.push_str(&format!("{case}: {all:?}\n"));
        }
        expect![[r#"
            nothing has begun: [true, true, true]
            init runs: [true, true, false]
            init failed: [true, true, false]
            init is through: [true, true, true]
            main runs: [true, true, false]
            main failed: [true, true, false]
            main succeeded: [true, false, false]
        "#]]
        .assert_eq(&told);
    }
}
