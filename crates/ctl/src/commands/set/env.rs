//! `set env`: `NAME=VALUE` sets a variable, `NAME-` removes it.

use anyhow::{Result, bail};
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::containers;
use crate::chosen::{self, Choice};
use crate::output::Out;
use crate::printable::printable;
use crate::session::{Session, reference};

pub(super) fn is_change(word: &str) -> bool {
    word.contains('=') || word.ends_with('-')
}

/// Variables and their values; `None` removes one.
pub(super) fn read(changes: &[String]) -> Result<Vec<(String, Option<String>)>> {
    if changes.is_empty() {
        bail!("at least one environment variable must be provided: NAME=VALUE sets, NAME- removes");
    }
    let read = |change: &String| match change.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), Some(value.to_owned()))),
        None if change.len() > 1 => Ok((change.trim_end_matches('-').to_owned(), None)),
        _ => bail!("{change:?}: write NAME=VALUE or NAME-"),
    };
    changes.iter().map(read).collect()
}

/// Sets them in the containers of this name.
pub(super) fn set(object: &mut Object, pattern: &str, changes: &[(String, Option<String>)]) -> Result<()> {
    for container in containers(object, pattern)? {
        let mut env = container.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
        for (name, value) in changes {
            let place =
                env.iter().position(|variable| variable.get("name").and_then(Value::as_str) == Some(name));
            match (value, place) {
                (Some(value), Some(place)) => env[place] = json!({"name": name, "value": value}),
                (Some(value), None) => env.push(json!({"name": name, "value": value})),
                (None, Some(place)) => drop(env.remove(place)),
                (None, None) => {}
            }
        }
        if !env.is_empty() {
            container["env"] = Value::Array(env);
        } else if let Some(container) = container.as_object_mut() {
            container.remove("env");
        }
    }
    Ok(())
}

/// Shows the variables of each container. Of a Secret's only where they come from.
pub(super) async fn list(session: &Session, words: &[String], choice: &Choice, out: &mut Out) -> Result<()> {
    for (row, mut object) in chosen::objects(session, words, choice).await? {
        let name = reference(row, object.name());
        for container in containers(&mut object, "*")? {
            let text = |value: &Value, key: &str| {
                value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            out.line(format!("# {name}, container {}", text(container, "name")))?;
            for variable in container.get("env").and_then(Value::as_array).into_iter().flatten() {
                let name = text(variable, "name");
                match variable.get("valueFrom") {
                    Some(source) => out.line(format!("# {name} from {source}"))?,
                    None => out.line(format!("{name}={}", printable(&text(variable, "value"))))?,
                }
            }
        }
    }
    Ok(())
}
