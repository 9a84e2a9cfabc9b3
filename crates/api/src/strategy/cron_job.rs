//! CronJobs.

use serde_json::Value;

use super::defaults::{fill, inner, made, spec};
use super::job;
use super::pod_spec::Workload;
use super::pod_template;
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};
use crate::time;

/// The strategy of CronJobs.
pub(crate) struct CronJob;

impl Strategy for CronJob {
    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        fill(spec, "concurrencyPolicy", "Allow");
        fill(spec, "suspend", false);
        fill(spec, "successfulJobsHistoryLimit", 3);
        fill(spec, "failedJobsHistoryLimit", 1);
        if let Some(job) = inner(spec, "jobTemplate").and_then(|template| made(template, "spec")) {
            job::default_spec(job);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        let schedule = spec.key("schedule");
        if schedule.is_empty() {
            errors.push(schedule.required(""));
        } else if !schedule.text().starts_with('@') && schedule.text().split_whitespace().count() != 5 {
            errors.push(schedule.invalid("expected exactly 5 fields: minute hour day month weekday"));
        }
        spec.key("concurrencyPolicy").needs_one_of(&["Allow", "Forbid", "Replace"], &mut errors);
        for field in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
            spec.key(field).not_negative(&mut errors);
        }
        let template = spec.key("jobTemplate").key("spec").key("template");
        errors.extend(pod_template::validate(&template, Workload::Job));
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("SCHEDULE"),
                Column::shown("TIMEZONE"),
                Column::shown("SUSPEND"),
                Column::shown("ACTIVE"),
                Column::shown("LAST SCHEDULE"),
            ]
        }
    }

    fn cells(&self, object: &Object, now: i64) -> Vec<String> {
        let zone = object.text(&["spec", "timeZone"]);
        let suspended = object.get(&["spec", "suspend"]) == Some(&Value::Bool(true));
        let last = object.text(&["status", "lastScheduleTime"]);
        vec![
            object.text(&["spec", "schedule"]).to_owned(),
            if zone.is_empty() { "<none>".to_owned() } else { zone.to_owned() },
            if suspended { "True" } else { "False" }.to_owned(),
            crate::pod::list(object, &["status", "active"]).count().to_string(),
            if last.is_empty() { "<none>".to_owned() } else { time::age(last, now) },
        ]
    }
}
