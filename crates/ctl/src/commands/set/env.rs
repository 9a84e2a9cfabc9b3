//! `set env`: `NAME=VALUE` sets a variable, `NAME-` removes it.

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::containers;
use crate::asked;
use crate::chosen::{self, Choice};
use crate::output::Out;
use crate::printable::printable;
use crate::session::{Session, reference};

pub(super) fn is_change(word: &str) -> bool {
    word.contains('=') || word.ends_with('-')
}

/// A variable's name, and what it becomes in a container's list; `None` removes it.
pub(super) type Change = (String, Option<Value>);

/// Variables and their values.
pub(super) fn read(changes: &[String]) -> Result<Vec<Change>> {
    if changes.is_empty() {
        bail!("at least one environment variable must be provided: NAME=VALUE sets, NAME- removes");
    }
    let read = |change: &String| match change.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok((name.to_owned(), Some(json!({"name": name, "value": value}))))
        }
        None if change.len() > 1 => Ok((change.trim_end_matches('-').to_owned(), None)),
        _ => bail!("{change:?}: write NAME=VALUE or NAME-"),
    };
    changes.iter().map(read).collect()
}

/// A variable for each key of a ConfigMap or a Secret, or for those that are named.
pub(super) async fn from(
    session: &Session,
    source: &str,
    prefix: &str,
    keys: &[String],
) -> Result<Vec<Change>> {
    let wrong = || anyhow!("--from {source}: write configmap/NAME or secret/NAME");
    let (kind, name) = source.split_once('/').ok_or_else(wrong)?;
    let row = asked::row(kind)?;
    let reference = match (row.group, row.kind) {
        ("", "ConfigMap") => "configMapKeyRef",
        ("", "Secret") => "secretKeyRef",
        _ => bail!(wrong()),
    };
    let object = session.client.get(row, &session.namespace, name).await?;
    let data = object.get(&["data"]).and_then(Value::as_object).into_iter().flatten();
    let chosen: Vec<&String> =
        data.map(|(key, _)| key).filter(|key| keys.is_empty() || keys.contains(key)).collect();
    if let Some(missing) = keys.iter().find(|key| !chosen.contains(key)) {
        bail!("--keys: {source} has no key {missing:?}");
    }
    let change = |key: &String| {
        let name_of_variable = variable(prefix, key);
        let source = json!({reference: {"key": key, "name": name}});
        let entry = json!({"name": name_of_variable, "valueFrom": source});
        (name_of_variable, Some(entry))
    };
    Ok(chosen.into_iter().map(change).collect())
}

/// `REDIS_URL` of `redis.url`.
fn variable(prefix: &str, key: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("{prefix}{}", key.chars().map(letter).collect::<String>())
}

/// Sets them in the containers of this name.
pub(super) fn set(object: &mut Object, pattern: &str, changes: &[Change]) -> Result<()> {
    for container in containers(object, pattern)? {
        let mut env = container.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
        for (name, value) in changes {
            let place =
                env.iter().position(|variable| variable.get("name").and_then(Value::as_str) == Some(name));
            match (value, place) {
                (Some(value), Some(place)) => env[place] = value.clone(),
                (Some(value), None) => env.push(value.clone()),
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
