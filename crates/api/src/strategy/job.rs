//! Jobs.

use serde_json::{Map, Value};

use super::defaults::{fill, made, spec};
use super::pod_spec::Workload;
use super::pod_template::{self, number, wide_cells};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::pod::list;
use crate::resource::{Column, Strategy};
use crate::time;

const UID_LABEL: &str = "batch.kubernetes.io/controller-uid";
const NAME_LABEL: &str = "batch.kubernetes.io/job-name";

/// The strategy of Jobs.
pub(crate) struct Job;

impl Strategy for Job {
    fn default_fields(&self, object: &mut Object) {
        let (uid, name) = (object.uid().to_owned(), object.name().to_owned());
        let Some(spec) = spec(object) else { return };
        default_spec(spec);
        if !uid.is_empty() && spec.get("manualSelector") != Some(&Value::Bool(true)) {
            generate_selector(spec, &uid, &name);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        for field in
            ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"]
        {
            spec.key(field).not_negative(&mut errors);
        }
        spec.key("completionMode").one_of(&["NonIndexed", "Indexed"], &mut errors);
        if spec.text_of("completionMode") == "Indexed" && !spec.key("completions").is_set() {
            errors.push(spec.key("completions").required("when completion mode is Indexed"));
        }
        pod_template::label_selector(&spec.key("selector"), &mut errors);
        errors.extend(pod_template::validate(&spec.key("template"), Workload::Job));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = pod_template::selector_is_fixed(new, old);
        let (new, old) = (At::field(new, "spec"), At::field(old, "spec"));
        for field in ["completionMode", "template"] {
            new.key(field).immutable(&old.key(field), &mut errors);
        }
        if new.text_of("completionMode") != "Indexed" {
            new.key("completions").immutable(&old.key("completions"), &mut errors);
        }
        errors
    }

    fn selectable_field(&self, object: &Object, field: &str) -> Option<String> {
        (field == "status.successful").then(|| number(object, &["status", "succeeded"]).to_string())
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("STATUS"),
                Column::shown("COMPLETIONS"),
                Column::shown("DURATION"),
                Column::wide("CONTAINERS"),
                Column::wide("IMAGES"),
                Column::wide("SELECTOR"),
            ]
        }
    }

    fn cells(&self, object: &Object, now: i64) -> Vec<String> {
        let done = number(object, &["status", "succeeded"]);
        let completions = object.get(&["spec", "completions"]).and_then(Value::as_i64);
        let parallelism = number(object, &["spec", "parallelism"]);
        let completions = match completions {
            Some(wanted) => format!("{done}/{wanted}"),
            None if parallelism > 1 => format!("{done}/1 of {parallelism}"),
            None => format!("{done}/1"),
        };
        [status(object), completions, duration(object, now)].into_iter().chain(wide_cells(object)).collect()
    }
}

/// What a Job's spec is given; CronJobs' templates too.
pub(super) fn default_spec(spec: &mut Map<String, Value>) {
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        fill(spec, "completions", 1);
    }
    fill(spec, "parallelism", 1);
    fill(spec, "backoffLimit", 6);
    fill(spec, "completionMode", "NonIndexed");
    fill(spec, "suspend", false);
    let replacement = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    fill(spec, "podReplacementPolicy", replacement);
    pod_template::default_fields(spec);
}

/// A Job's pods are found by its uid, in their labels and in its selector.
fn generate_selector(spec: &mut Map<String, Value>, uid: &str, name: &str) {
    if let Some(labels) = made(spec, "selector").and_then(|selector| made(selector, "matchLabels")) {
        fill(labels, UID_LABEL, uid);
    }
    let template = made(spec, "template").and_then(|template| made(template, "metadata"));
    let Some(labels) = template.and_then(|metadata| made(metadata, "labels")) else { return };
    for (key, value) in [(UID_LABEL, uid), (NAME_LABEL, name), ("controller-uid", uid), ("job-name", name)] {
        fill(labels, key, value);
    }
}

fn status(job: &Object) -> String {
    let holds = |kind: &str| {
        crate::pod::condition(job, kind).is_some_and(|c| c.get("status") == Some(&"True".into()))
    };
    for (condition, shown) in [
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ] {
        if holds(condition) {
            return shown.to_owned();
        }
    }
    if job.is_terminating() { "Terminating" } else { "Running" }.to_owned()
}

fn duration(job: &Object, now: i64) -> String {
    let Some(started) = time::parse(job.text(&["status", "startTime"])) else { return String::new() };
    let failed = list(job, &["status", "conditions"]).find(|c| c.get("type") == Some(&"Failed".into()));
    let failed = failed.and_then(|c| c.get("lastTransitionTime")?.as_str()).unwrap_or_default();
    let completed = job.text(&["status", "completionTime"]);
    let end = time::parse(if completed.is_empty() { failed } else { completed });
    let end = end.map_or(now, |end| end.as_second());
    time::human_duration(end - started.as_second())
}
