//! Jobs and CronJobs: whether they have run, the pod that says why not, and whether anybody
//! has taken them up at all.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::condition;

use super::explanation::Explanation;
use super::facts::Facts;
use super::pod;
use super::wording::{count, named, quoted, since, text};
use super::workload::worst;

/// Why a Job is as it is.
pub(super) fn job(facts: &Facts, job: &Object) -> Explanation {
    let holds = |kind: &str| condition(job, kind).filter(|it| text(it, "/status") == "True");
    if let Some(complete) = holds("Complete") {
        let since = since(text(complete, "/lastTransitionTime"), facts.now);
        return Explanation::well(job, format!("{} is well: it has been complete{since}.", named(job)));
    }
    let pods = facts.owned("Pod", job);
    let worst = worst(&pods).map(|worst| pod::explain(facts, worst));
    if let Some(failed) = holds("Failed") {
        let message = quoted(text(failed, "/message"));
        let why = if message.is_empty() { text(failed, "/reason") } else { &message };
        let explained = Explanation::ill(job, format!("{} has failed: {why}.", named(job)));
        return match worst {
            Some(worst) => explained.follow(worst),
            None => explained,
        };
    }
    if job.get(&["spec", "suspend"]) == Some(&Value::Bool(true)) {
        let said = format!("{} is suspended, so it starts no pods.", named(job));
        return Explanation::ill(job, said).fix("Set its spec.suspend to false to let it run.");
    }
    if pods.is_empty() {
        return unseen(facts, job, "pod");
    }
    match worst {
        Some(worst) => Explanation::ill(job, format!("{} has not run to its end.", named(job))).follow(worst),
        None => {
            let pods = count(pods.len(), "pod");
            Explanation::well(
                job,
                format!("{} is running: it has {pods}, and none is in trouble.", named(job)),
            )
        }
    }
}

/// Why a CronJob is as it is.
pub(super) fn cron_job(facts: &Facts, cron_job: &Object) -> Explanation {
    if cron_job.get(&["spec", "suspend"]) == Some(&Value::Bool(true)) {
        let said = format!("{} is suspended, so it starts no Jobs.", named(cron_job));
        return Explanation::ill(cron_job, said).fix("Set its spec.suspend to false to let it go on.");
    }
    let newest = facts.owned("Job", cron_job);
    let newest = newest.into_iter().max_by_key(|job| job.text(&["metadata", "creationTimestamp"]));
    let Some(newest) = newest else { return unseen(facts, cron_job, "Job") };
    let last = job(facts, newest);
    let said = format!("{} started {} last.", named(cron_job), named(newest));
    let explained =
        if last.healthy { Explanation::well(cron_job, said) } else { Explanation::ill(cron_job, said) };
    explained.follow(last)
}

fn unseen(facts: &Facts, object: &Object, what: &str) -> Explanation {
    let since = since(object.text(&["metadata", "creationTimestamp"]), facts.now);
    let explained = Explanation::ill(
        object,
        format!("{} has been there{since}, and has started no {what}.", named(object)),
    );
    if let Some(event) = facts.last_warning(object) {
        return explained.because(format!("It was warned: {}.", quoted(event.text(&["message"]))));
    }
    explained
        .because_if((object.kind() == "CronJob").then(|| {
            format!("Its schedule is {:?}, in UTC unless it says otherwise.", object.text(&["spec", "schedule"]))
        }))
        .fix(format!(
            "Xebec may not run {}s yet: see docs/compatibility.md. `xctl run NAME --image IMAGE --restart Never` runs a \
             pod to its end.",
            object.kind()
        ))
}
