//! What was said of a pod's containers last. The API's own view of it comes a moment later,
//! and must not have the worker forget what became of a run whose sandbox is gone meanwhile.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use serde_json::{Value, json};

use crate::pod::status::in_last_phase;

/// See the module.
#[derive(Default)]
pub(super) struct Said {
    lists: Value,
    typed: PodStatus,
}

impl Said {
    pub(super) fn keep(&mut self, status: &Value) {
        let lists = json!({
            "initContainerStatuses": status["initContainerStatuses"],
            "containerStatuses": status["containerStatuses"],
        });
        if self.lists != lists {
            // What the agent wrote itself it can read.
            self.typed = serde_json::from_value(lists.clone()).unwrap_or_default();
            self.lists = lists;
        }
    }

    /// Lays it over what the API has. Not over a pod's last phase: there it matters what the API
    /// was told, and nothing starts again.
    pub(super) fn lay_over(&self, pod: &mut Arc<Pod>) {
        let PodStatus { init_container_statuses: init, container_statuses: main, .. } = &self.typed;
        if main.is_none() || in_last_phase(pod) {
            return;
        }
        let status = Arc::make_mut(pod).status.get_or_insert_default();
        status.init_container_statuses.clone_from(init);
        status.container_statuses.clone_from(main);
    }
}
