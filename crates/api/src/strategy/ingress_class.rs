//! IngressClasses.

use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::resource::{Column, Strategy};

/// Of a controller's name.
const MOST_BYTES: usize = 250;
const BAD_PATH: &str = r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')";

/// The strategy of IngressClasses.
pub(crate) struct IngressClass;

impl Strategy for IngressClass {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        validate_controller(&controller(object), &mut errors);
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        controller(new).immutable(&controller(old), &mut errors);
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("CONTROLLER"), Column::shown("PARAMETERS")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let paths: [&[&str]; 2] = [&["spec", "controller"], &["spec", "parameters", "name"]];
        let cell = |path| match object.text(path) {
            "" => "<none>".to_owned(),
            text => text.to_owned(),
        };
        paths.map(cell).into()
    }
}

fn controller(object: &Object) -> At<'_> {
    At::field(object, "spec").key("controller")
}

/// A domain and a path, such as `acme.io/foo`.
fn validate_controller(controller: &At<'_>, errors: &mut Vec<FieldError>) {
    let text = controller.text();
    if text.is_empty() {
        return errors.push(controller.required(""));
    }
    if text.len() > MOST_BYTES {
        errors.push(controller.too_long(MOST_BYTES));
    }
    let Some((domain, path)) = text.split_once('/').filter(|(a, b)| !a.is_empty() && !b.is_empty()) else {
        let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return errors.push(controller.invalid(why));
    };
    // Kubernetes shows the part that is wrong.
    let mut wrong = |part: &str, why: &str| {
        let message = format!("Invalid value: {part:?}: {why}");
        errors.push(FieldError::invalid(controller.path.clone(), message));
    };
    if let Err(why) = name::dns_subdomain(domain) {
        wrong(domain, &why);
    }
    let known = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b);
    if !path.bytes().all(known) {
        wrong(path, BAD_PATH);
    }
}
