//! The options of each verb, from the query and, for a delete, the body.

use std::time::Duration;

use xebec_api::error::ApiError;
use xebec_api::object::Object;

use super::query::Query;
use crate::options::{dry_run, invalid, not_supported, of_delete, propagation};
use crate::{ApiServer, DeleteOptions, FieldValidation, ListOptions, RequestContext, WatchOptions};

/// A watch without a limit of its own ends after half an hour to an hour, so that watchers
/// spread over the masters again.
const WATCH_SECONDS: u64 = 1800;
/// Names of field managers are this long at most.
pub(super) const MOST_MANAGER_BYTES: usize = 128;

pub(super) fn list(query: &Query) -> Result<ListOptions, ApiError> {
    let resource_version = query.get("resourceVersion");
    let exact = match (query.get("resourceVersionMatch"), resource_version) {
        ("", _) => false,
        (_, "") => {
            return Err(forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"));
        }
        ("NotOlderThan", _) => false,
        ("Exact", "0") => {
            return Err(forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
        }
        ("Exact", _) => true,
        (other, _) => return Err(not_supported("resourceVersionMatch", other, &["Exact", "NotOlderThan"])),
    };
    Ok(ListOptions {
        label_selector: query.get("labelSelector").to_owned(),
        field_selector: query.get("fieldSelector").to_owned(),
        limit: usize::try_from(query.number("limit")?.unwrap_or(0)).unwrap_or(usize::MAX),
        continue_token: query.get("continue").to_owned(),
        resource_version: resource_version.to_owned(),
        exact,
    })
}

pub(super) fn watch(server: &ApiServer, query: &Query) -> Result<WatchOptions, ApiError> {
    let initial_events = query.choice("sendInitialEvents");
    match (initial_events, query.get("resourceVersionMatch")) {
        (None, "") | (Some(_), "NotOlderThan") => {}
        (None, _) => {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            return Err(forbidden(why));
        }
        (Some(_), _) => {
            let why = "sendInitialEvents requires resourceVersionMatch to be NotOlderThan";
            return Err(invalid("sendInitialEvents", format!("Forbidden: {why}")));
        }
    }
    let seconds = query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0);
    let spread = || WATCH_SECONDS + server.settings().ids.random() % WATCH_SECONDS;
    Ok(WatchOptions {
        label_selector: query.get("labelSelector").to_owned(),
        field_selector: query.get("fieldSelector").to_owned(),
        resource_version: query.get("resourceVersion").to_owned(),
        initial_events,
        bookmarks: query.flag("allowWatchBookmarks"),
        timeout: Some(Duration::from_secs(seconds.unwrap_or_else(spread))),
    })
}

/// The context with the options of a write.
pub(super) fn write(ctx: RequestContext, query: &Query) -> Result<RequestContext, ApiError> {
    let mut ctx = RequestContext { dry_run: dry_run(query.all("dryRun"))?, ..ctx };
    ctx.field_validation = match query.get("fieldValidation") {
        "" | "Warn" => FieldValidation::Warn,
        "Strict" => FieldValidation::Strict,
        "Ignore" => FieldValidation::Ignore,
        other => return Err(not_supported("fieldValidation", other, &["Ignore", "Strict", "Warn"])),
    };
    let manager = query.get("fieldManager");
    if manager.len() > MOST_MANAGER_BYTES {
        return Err(invalid(
            "fieldManager",
            format!("Too long: may not be more than {MOST_MANAGER_BYTES} bytes"),
        ));
    }
    if !manager.is_empty() {
        manager.clone_into(&mut ctx.field_manager);
    }
    Ok(ctx)
}

/// The options of a delete: those of the body where there is one, else of the query. And
/// whether it is tried out only.
pub(super) fn delete(query: &Query, body: Option<&Object>) -> Result<(DeleteOptions, bool), ApiError> {
    let Some(body) = body else {
        let options = DeleteOptions {
            grace_seconds: query.number("gracePeriodSeconds")?,
            propagation: propagation(query.get("propagationPolicy"), query.choice("orphanDependents"))?,
            ..DeleteOptions::default()
        };
        return Ok((options, dry_run(query.all("dryRun"))?));
    };
    let (options, tried) = of_delete(body)?;
    Ok((options, tried || dry_run(query.all("dryRun"))?))
}

fn forbidden(why: &str) -> ApiError {
    invalid("resourceVersionMatch", format!("Forbidden: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Propagation;
    use serde_json::{Value, json};
    use xebec_api::error::Reason;

    fn query(text: &str) -> Query {
        Query::of(&format!("/x?{text}").parse().expect("a target"))
    }

    fn body(value: Value) -> Object {
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    #[test]
    fn lists_name_what_they_may_not() {
        let fine = list(&query("limit=5&labelSelector=a%3Db&resourceVersion=7&resourceVersionMatch=Exact"));
        let fine = fine.expect("options");
        assert_eq!((fine.limit, fine.label_selector.as_str(), fine.exact), (5, "a=b", true));
        for text in [
            "limit=-1",
            "resourceVersionMatch=Exact",
            "resourceVersionMatch=Exact&resourceVersion=0",
            "resourceVersionMatch=Nearly&resourceVersion=3",
        ] {
            assert_eq!(list(&query(text)).expect_err(text).reason, Reason::Invalid, "{text}");
        }
    }

    #[test]
    fn deletes_take_their_options_from_the_body_or_the_query() {
        let by_query = delete(&query("gracePeriodSeconds=0&propagationPolicy=Foreground&dryRun=All"), None);
        let wanted = DeleteOptions {
            grace_seconds: Some(0),
            propagation: Propagation::Foreground,
            ..DeleteOptions::default()
        };
        assert_eq!(by_query, Ok((wanted, true)));
        let sent = body(json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 3,
            "preconditions": {"uid": "u", "resourceVersion": "7"}, "orphanDependents": true}));
        let wanted = DeleteOptions {
            grace_seconds: Some(3),
            uid: Some("u".into()),
            resource_version: Some("7".into()),
            propagation: Propagation::Orphan,
        };
        assert_eq!(delete(&query("gracePeriodSeconds=0"), Some(&sent)), Ok((wanted, false)));
        for wrong in [
            json!({"kind": "Pod"}),
            json!({"gracePeriodSeconds": -1}),
            json!({"propagationPolicy": "Nearly"}),
            json!({"propagationPolicy": "Orphan", "orphanDependents": true}),
            json!({"dryRun": ["Some"]}),
        ] {
            assert!(delete(&query(""), Some(&body(wrong.clone()))).is_err(), "{wrong}");
        }
    }

    #[test]
    fn writes_take_their_manager_and_how_strict_they_are() {
        let ctx = || RequestContext::internal("test");
        let written =
            write(ctx(), &query("fieldManager=me&fieldValidation=Strict&dryRun=All")).expect("fine");
        assert_eq!((written.field_manager.as_str(), written.dry_run), ("me", true));
        assert_eq!(written.field_validation, FieldValidation::Strict);
        assert_eq!(write(ctx(), &query("")).expect("fine").field_validation, FieldValidation::Warn);
        let long = "x".repeat(129);
        for text in ["fieldValidation=Maybe", "dryRun=1", &format!("fieldManager={long}")] {
            assert_eq!(write(ctx(), &query(text)).expect_err(text).reason, Reason::Invalid, "{text}");
        }
    }
}
