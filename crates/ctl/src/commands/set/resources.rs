//! `set resources`: requests and limits; an amount of 0 takes one away.

use anyhow::{Result, anyhow, bail};
use serde_json::{Map, Value};
use xebec_api::object::Object;
use xebec_api::quantity::Quantity;

use super::containers;

/// What to ask for, and how much at most.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    requests: Vec<(String, Quantity, String)>,
    limits: Vec<(String, Quantity, String)>,
}

/// Reads `cpu=500m,memory=64Mi`.
pub(super) fn read(requests: &str, limits: &str) -> Result<Wanted> {
    if requests.is_empty() && limits.is_empty() {
        bail!("you must specify an update to requests or limits (in the form of --requests/--limits)");
    }
    Ok(Wanted { requests: amounts("--requests", requests)?, limits: amounts("--limits", limits)? })
}

fn amounts(option: &str, text: &str) -> Result<Vec<(String, Quantity, String)>> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, amount) =
                pair.split_once('=').ok_or_else(|| anyhow!("{option} {pair:?}: write NAME=AMOUNT"))?;
            let quantity = Quantity::parse(amount).map_err(|error| anyhow!("{option} {name}: {error}"))?;
            Ok((name.to_owned(), quantity, amount.to_owned()))
        })
        .collect()
}

/// Sets them in the containers of this name.
pub(super) fn set(object: &mut Object, pattern: &str, wanted: &Wanted) -> Result<()> {
    for container in containers(object, pattern)? {
        let mut resources =
            container.get("resources").and_then(Value::as_object).cloned().unwrap_or_default();
        for (field, amounts) in [("requests", &wanted.requests), ("limits", &wanted.limits)] {
            put(&mut resources, field, amounts);
        }
        container["resources"] = Value::Object(resources);
    }
    Ok(())
}

fn put(resources: &mut Map<String, Value>, field: &str, amounts: &[(String, Quantity, String)]) {
    let mut map = resources.get(field).and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, quantity, written) in amounts {
        if quantity.is_zero() {
            map.remove(name);
        } else {
            map.insert(name.clone(), Value::String(written.clone()));
        }
    }
    if map.is_empty() {
        resources.remove(field);
    } else {
        resources.insert(field.to_owned(), Value::Object(map));
    }
}
