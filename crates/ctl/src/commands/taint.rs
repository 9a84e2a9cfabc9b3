//! `taint`: sets and removes what keeps pods off nodes. `KEY=VALUE:EFFECT` and `KEY:EFFECT`
//! set, `KEY:EFFECT-` and `KEY-` remove.

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use xebec_api::object::Object;

use crate::change::change;
use crate::chosen::{self, Choice};
use crate::output::Out;
use crate::session::Session;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Which nodes and which taints.
#[derive(Args)]
pub(crate) struct TaintArgs {
    /// nodes NAME…, then KEY[=VALUE]:EFFECT… and KEY[:EFFECT]-…
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Replace taints that are there
    #[arg(long)]
    pub(crate) overwrite: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TaintChange {
    Set { key: String, value: String, effect: String },
    Remove { key: String, effect: Option<String> },
}

/// Changes each node.
pub(crate) async fn run(session: &Session, args: &TaintArgs, out: &mut Out) -> Result<()> {
    let is_change = |word: &&String| word.contains([':', '=']) || word.ends_with('-');
    let (changes, words): (Vec<&String>, Vec<&String>) = args.words.iter().partition(is_change);
    let changes = changes.into_iter().map(|word| read(word)).collect::<Result<Vec<_>>>()?;
    if changes.is_empty() {
        bail!("at least one taint update is required: KEY=VALUE:EFFECT sets, KEY:EFFECT- removes");
    }
    let words: Vec<String> = words.into_iter().cloned().collect();
    let removes = changes.iter().all(|change| matches!(change, TaintChange::Remove { .. }));
    let sets = changes.iter().all(|change| matches!(change, TaintChange::Set { .. }));
    let word = if sets {
        "tainted"
    } else if removes {
        "untainted"
    } else {
        "modified"
    };
    for target in chosen::targets(session, &words, &args.choice).await? {
        let (row, _, name) = target.map_err(|error| anyhow!(error))?;
        if row.kind != "Node" {
            bail!("{} have no taints: nodes do", row.plural);
        }
        if change(session, row, &name, |node| apply(node, &changes, args.overwrite)).await?.is_some() {
            out.line(format!("node/{name} {word}"))?;
        }
    }
    Ok(())
}

fn read(word: &str) -> Result<TaintChange> {
    let wrong = || {
        anyhow!(
            "{word:?}: write KEY[=VALUE]:EFFECT or KEY[:EFFECT]-, EFFECT being one of {}",
            EFFECTS.join(", ")
        )
    };
    let (body, removes) = word.strip_suffix('-').map_or((word, false), |body| (body, true));
    let (body, effect) = body.rsplit_once(':').map_or((body, None), |(body, effect)| (body, Some(effect)));
    let (key, value) = body.split_once('=').unwrap_or((body, ""));
    if key.is_empty() || effect.is_some_and(|effect| !EFFECTS.contains(&effect)) {
        return Err(wrong());
    }
    let (key, effect) = (key.to_owned(), effect.map(str::to_owned));
    if removes {
        return Ok(TaintChange::Remove { key, effect });
    }
    Ok(TaintChange::Set { key, value: value.to_owned(), effect: effect.ok_or_else(wrong)? })
}

fn apply(node: &mut Object, changes: &[TaintChange], overwrite: bool) -> Result<()> {
    let name = node.name().to_owned();
    let mut taints = node.get(&["spec", "taints"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let text =
        |taint: &Value, field: &str| taint.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    for change in changes {
        match change {
            TaintChange::Set { key, value, effect } => {
                let same = |taint: &Value| text(taint, "key") == *key && text(taint, "effect") == *effect;
                match taints.iter_mut().find(|taint| same(taint)) {
                    Some(taint) if text(taint, "value") == *value => {}
                    Some(_) if !overwrite => bail!(
                        "node {name} already has {key} taint(s) with same effect(s) and --overwrite is false"
                    ),
                    Some(taint) => taint["value"] = value.as_str().into(),
                    None if value.is_empty() => taints.push(json!({"key": key, "effect": effect})),
                    None => taints.push(json!({"key": key, "value": value, "effect": effect})),
                }
            }
            TaintChange::Remove { key, effect } => {
                let before = taints.len();
                let meant = |taint: &Value| {
                    text(taint, "key") == *key
                        && effect.as_ref().is_none_or(|effect| text(taint, "effect") == *effect)
                };
                taints.retain(|taint| !meant(taint));
                if taints.len() == before {
                    let effect = effect.as_ref().map(|effect| format!(":{effect}")).unwrap_or_default();
                    bail!("taint \"{key}{effect}\" not found");
                }
            }
        }
    }
    if taints.is_empty() {
        node.remove(&["spec", "taints"]);
    } else {
        node.set(&["spec", "taints"], taints);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(changes: &str, overwrite: bool) -> String {
        let value = json!({"metadata": {"name": "n1"}, "spec": {"taints": [{"key": "a", "value": "1", "effect": "NoSchedule"}]}});
        let mut node = Object::from_json(value.to_string().as_bytes()).expect("an object");
        let changes = changes.split(' ').map(read).collect::<Result<Vec<_>>>();
        match changes.and_then(|changes| apply(&mut node, &changes, overwrite)) {
            Ok(()) => node.get(&["spec", "taints"]).map(Value::to_string).unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn taints_are_set_and_removed() {
        assert_eq!(after("b=2:NoExecute a-", false), r#"[{"effect":"NoExecute","key":"b","value":"2"}]"#);
        assert_eq!(after("a:NoSchedule-", false), "");
        assert_eq!(after("a=2:NoSchedule", true), r#"[{"effect":"NoSchedule","key":"a","value":"2"}]"#);
        assert_eq!(
            after("a=2:NoSchedule", false),
            "node n1 already has a taint(s) with same effect(s) and --overwrite is false"
        );
        assert_eq!(after("a:NoExecute-", false), "taint \"a:NoExecute\" not found");
        assert_eq!(
            after("a=1:Never", false),
            "\"a=1:Never\": write KEY[=VALUE]:EFFECT or KEY[:EFFECT]-, EFFECT being one of NoSchedule, PreferNoSchedule, NoExecute"
        );
    }
}
