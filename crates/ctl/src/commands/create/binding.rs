//! `create rolebinding` and `create clusterrolebinding`: a role, and who has it.

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::role::RBAC;
use super::shell;
use crate::only::OnlyArgs;
use crate::session::Session;

const GROUP: &str = "rbac.authorization.k8s.io";

#[derive(Args)]
pub(crate) struct BindingArgs {
    pub(crate) name: String,
    /// A ClusterRole
    #[arg(long, value_name = "NAME", conflicts_with = "role")]
    pub(crate) clusterrole: Option<String>,
    /// A Role of the same namespace
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<String>,
    /// Users who have it
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) user: Vec<String>,
    /// Groups that have it
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) group: Vec<String>,
    /// ServiceAccounts that have it
    #[arg(long, value_name = "NAMESPACE:NAME", value_delimiter = ',')]
    pub(crate) serviceaccount: Vec<String>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// The RoleBinding or ClusterRoleBinding.
pub(super) fn made(session: &Session, kind: &str, args: &BindingArgs) -> Result<Object> {
    let (role_kind, role) = match (&args.clusterrole, &args.role) {
        (Some(role), _) => ("ClusterRole", role),
        (None, Some(role)) if kind == "RoleBinding" => ("Role", role),
        (None, Some(_)) => bail!("--role: the whole cluster has only ClusterRoles: say --clusterrole NAME"),
        (None, None) if kind == "RoleBinding" => bail!("say which role: --clusterrole NAME or --role NAME"),
        (None, None) => bail!("say which role: --clusterrole NAME"),
    };
    let mut object = shell(RBAC, kind, &args.name);
    object.set(&["roleRef"], json!({"apiGroup": GROUP, "kind": role_kind, "name": role}));
    object.set(&["subjects"], subjects(session, args)?);
    Ok(object)
}

fn subjects(session: &Session, args: &BindingArgs) -> Result<Vec<Value>> {
    let mut subjects = Vec::new();
    for (kind, names) in [("User", &args.user), ("Group", &args.group)] {
        subjects.extend(names.iter().map(|name| json!({"apiGroup": GROUP, "kind": kind, "name": name})));
    }
    for written in &args.serviceaccount {
        let pair =
            written.split_once(':').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
        let (namespace, name) = pair.ok_or_else(|| {
            anyhow!("--serviceaccount {written}: write NAMESPACE:NAME, such as {}:default", session.namespace)
        })?;
        subjects.push(json!({"kind": "ServiceAccount", "namespace": namespace, "name": name}));
    }
    if subjects.is_empty() {
        bail!("say who has it: --user, --group or --serviceaccount NAMESPACE:NAME");
    }
    Ok(subjects)
}
