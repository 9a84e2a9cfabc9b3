//! `create token`: one by which a program speaks as a ServiceAccount, for a while.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::{Value, json};
use xebec_api::object::Object;

use crate::output::Out;
use crate::session::Session;
use crate::{asked, durations};

#[derive(Args)]
pub(crate) struct TokenArgs {
    /// The ServiceAccount
    pub(crate) name: String,
    /// How long it is good for; else as the server says
    #[arg(long, value_parser = durations::parse)]
    pub(crate) duration: Option<Duration>,
    /// For whom it is; else for the API
    #[arg(long)]
    pub(crate) audience: Vec<String>,
}

/// Prints one.
pub(super) async fn run(session: &Session, args: &TokenArgs, out: &mut Out) -> Result<ExitCode> {
    let accounts = asked::row("serviceaccounts")?;
    let request = request(args);
    let made = session.client.create_subresource(accounts, &session.namespace, &args.name, "token", &request);
    let made = made.await?;
    let token = made.get(&["status", "token"]).and_then(Value::as_str);
    out.line(token.ok_or_else(|| anyhow!("the server has made no token"))?)?;
    Ok(ExitCode::SUCCESS)
}

fn request(args: &TokenArgs) -> Object {
    let mut request = Object::default();
    request.set(&["apiVersion"], "authentication.k8s.io/v1");
    request.set(&["kind"], "TokenRequest");
    request.set(&["spec", "audiences"], json!(args.audience));
    if let Some(duration) = args.duration {
        request.set(&["spec", "expirationSeconds"], json!(duration.as_secs()));
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_as_it_was_said() {
        let args = TokenArgs {
            name: "web".to_owned(),
            duration: Some(Duration::from_secs(600)),
            audience: vec!["vault".to_owned()],
        };
        let wanted = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": ["vault"], "expirationSeconds": 600}});
        assert_eq!(request(&args).into_value(), wanted);
    }
}
