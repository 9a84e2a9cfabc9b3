//! CertificateSigningRequests.

use serde_json::Value;

use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::pod::list;
use crate::resource::{Column, Strategy};
use crate::table_view::age;
use crate::time;

/// The strategy of CertificateSigningRequests.
pub(crate) struct CertificateSigningRequest;

impl Strategy for CertificateSigningRequest {
    fn validate_name(&self, name: &str) -> Result<(), String> {
        crate::name::path_segment(name)
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        for field in ["request", "signerName", "usages"] {
            if spec.key(field).is_empty() {
                errors.push(spec.key(field).required(""));
            }
        }
        spec.key("expirationSeconds").at_least(600, &mut errors);
        errors
    }

    fn selectable_field(&self, object: &Object, field: &str) -> Option<String> {
        (field == "spec.signerName").then(|| object.text(&["spec", "signerName"]).to_owned())
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("NAME"),
                Column::shown("AGE"),
                Column::shown("SIGNERNAME"),
                Column::shown("REQUESTOR"),
                Column::shown("REQUESTEDDURATION"),
                Column::shown("CONDITION"),
            ]
        }
    }

    fn cells(&self, object: &Object, now: i64) -> Vec<String> {
        let seconds = object.get(&["spec", "expirationSeconds"]).and_then(Value::as_i64);
        vec![
            object.name().to_owned(),
            age(object, now),
            object.text(&["spec", "signerName"]).to_owned(),
            object.text(&["spec", "username"]).to_owned(),
            seconds.map_or_else(|| "<none>".to_owned(), time::human_duration),
            condition(object),
        ]
    }
}

fn condition(request: &Object) -> String {
    let mut found: Vec<&str> =
        list(request, &["status", "conditions"]).filter_map(|c| c.get("type")?.as_str()).collect();
    if found.is_empty() {
        found.push("Pending");
    }
    if !request.text(&["status", "certificate"]).is_empty() {
        found.push("Issued");
    }
    found.join(",")
}
