//! Tokens of ServiceAccounts for pods: asked for once, and again when four fifths of their
//! life are over, so that a file never holds one that has expired.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_api::time::parse;

use crate::downward::renewal;
use crate::run::Agent;

/// Seconds that a token is good for when nobody says.
pub(super) const DEFAULT_SECONDS: i64 = 3600;

#[derive(Clone)]
struct Token {
    text: String,
    renewal: Timestamp,
    expires: Timestamp,
}

/// By pod, audience and seconds.
type Key = (String, String, i64);

/// The tokens of this node's pods.
#[derive(Default)]
pub(super) struct Tokens(Mutex<BTreeMap<Key, Token>>);

impl Tokens {
    fn get(&self, key: &Key) -> Option<Token> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: Key, token: Token) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, token);
    }

    /// A pod is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(pod, ..), _| pod != uid);
    }
}

/// A token that is good for a while yet.
///
/// # Errors
/// There is none, and the API gives none.
pub(super) async fn current(
    agent: &Agent,
    pod: &Object,
    audience: &str,
    seconds: i64,
) -> Result<String, String> {
    let key = (pod.uid().to_owned(), audience.to_owned(), seconds);
    let (known, now) = (agent.volumes.tokens.get(&key), agent.clock.now());
    if let Some(token) = known.as_ref().filter(|token| now < token.renewal) {
        return Ok(token.text.clone());
    }
    match (request(agent, pod, audience, seconds).await, known) {
        (Ok(token), _) => {
            agent.volumes.tokens.put(key, token.clone());
            Ok(token.text)
        }
        // It is tried again soon; until then the old one is good.
        (Err(error), Some(token)) if now < token.expires => {
            tracing::warn!(error, pod = pod.name(), "a token was not renewed");
            Ok(token.text)
        }
        (Err(error), _) => Err(error),
    }
}

/// The ServiceAccount that a pod runs as.
pub(super) fn account(pod: &Object) -> &str {
    match pod.text(&["spec", "serviceAccountName"]) {
        "" => "default",
        named => named,
    }
}

async fn request(agent: &Agent, pod: &Object, audience: &str, seconds: i64) -> Result<Token, String> {
    let account = account(pod);
    let audiences: Vec<&str> = Some(audience).filter(|audience| !audience.is_empty()).into_iter().collect();
    let mut request = Object::default();
    request.set(&["apiVersion"], "authentication.k8s.io/v1");
    request.set(&["kind"], "TokenRequest");
    request.set(
        &["spec"],
        json!({"expirationSeconds": seconds, "audiences": audiences,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.name(), "uid": pod.uid()}}),
    );
    let issued = agent.clock.now();
    let row = table::find("", "serviceaccounts").expect("a built-in kind");
    let made = agent.client.create_subresource(row, pod.namespace(), account, "token", &request).await;
    let made = made.map_err(|error| format!("token of ServiceAccount {account:?}: {error}"))?;
    let asked = issued.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(issued);
    let expires = parse(made.text(&["status", "expirationTimestamp"])).unwrap_or(asked);
    let text = made.text(&["status", "token"]).to_owned();
    Ok(Token { text, renewal: renewal(issued, expires), expires })
}
