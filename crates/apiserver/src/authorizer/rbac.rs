//! Role based access control: rules of Roles and ClusterRoles, given to subjects by
//! RoleBindings and ClusterRoleBindings. Rules only ever allow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use xebec_api::object::Object;
use xebec_state::State;

use crate::authorizer::Attributes;
use crate::context::User;

const GROUP: &str = "rbac.authorization.k8s.io";
const RESOURCES: [&str; 4] = ["roles", "clusterroles", "rolebindings", "clusterrolebindings"];

/// The compiled rules of the last state that was asked about.
#[derive(Default)]
pub(crate) struct RuleCache(Mutex<Option<([u64; 4], Arc<Rules>)>>);

impl RuleCache {
    /// The rules of a state; compiled anew only when a role or binding changed.
    pub(crate) fn of(&self, state: &State) -> Arc<Rules> {
        let revisions = RESOURCES.map(|resource| state.changed_at(&format!("{GROUP}/{resource}")));
        let mut cached = self.0.lock().expect("no holder of this lock panics");
        match &*cached {
            Some((known, rules)) if *known == revisions => rules.clone(),
            _ => {
                let rules = Arc::new(Rules::compile(state));
                *cached = Some((revisions, rules.clone()));
                rules
            }
        }
    }
}

/// Who may do what, where.
#[derive(Default)]
pub(crate) struct Rules(Vec<Grant>);

struct Grant {
    subjects: Vec<Subject>,
    /// `None` everywhere.
    namespace: Option<String>,
    rules: Arc<Vec<Rule>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Rule {
    verbs: Vec<String>,
    api_groups: Vec<String>,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Subject {
    kind: String,
    name: String,
    namespace: String,
}

impl Rules {
    fn compile(state: &State) -> Self {
        let mut roles: BTreeMap<(String, String), Arc<Vec<Rule>>> = BTreeMap::new();
        for resource in ["roles", "clusterroles"] {
            for role in objects(state, resource) {
                let rules = role.get(&["rules"]).cloned().unwrap_or_default();
                let rules: Vec<Rule> = serde_json::from_value(rules).unwrap_or_default();
                roles.insert((role.namespace().to_owned(), role.name().to_owned()), Arc::new(rules));
            }
        }
        let mut grants = Vec::new();
        for resource in ["rolebindings", "clusterrolebindings"] {
            for binding in objects(state, resource) {
                let role_kind = binding.text(&["roleRef", "kind"]);
                let home = if role_kind == "Role" { binding.namespace() } else { "" };
                let role = (home.to_owned(), binding.text(&["roleRef", "name"]).to_owned());
                let Some(rules) = roles.get(&role) else { continue };
                let subjects = binding.get(&["subjects"]).cloned().unwrap_or_default();
                grants.push(Grant {
                    subjects: serde_json::from_value(subjects).unwrap_or_default(),
                    namespace: (resource == "rolebindings").then(|| binding.namespace().to_owned()),
                    rules: rules.clone(),
                });
            }
        }
        Self(grants)
    }

    pub(crate) fn allow(&self, asked: &Attributes<'_>) -> bool {
        self.0.iter().any(|grant| {
            grant.namespace.as_deref().is_none_or(|namespace| namespace == asked.namespace)
                && grant.subjects.iter().any(|subject| subject.is(asked.user))
                && grant.rules.iter().any(|rule| rule.covers(asked))
        })
    }
}

impl Subject {
    fn is(&self, user: &User) -> bool {
        match self.kind.as_str() {
            "User" => self.name == user.name,
            "Group" => user.groups.contains(&self.name),
            "ServiceAccount" => {
                user.name == format!("system:serviceaccount:{}:{}", self.namespace, self.name)
            }
            _ => false,
        }
    }
}

impl Rule {
    fn covers(&self, asked: &Attributes<'_>) -> bool {
        let holds = |list: &[String], wanted: &str| list.iter().any(|item| item == "*" || item == wanted);
        let resource = match asked.subresource {
            "" => asked.resource.to_owned(),
            sub => format!("{}/{sub}", asked.resource),
        };
        let any_sub = format!("*/{}", asked.subresource);
        holds(&self.verbs, asked.verb)
            && holds(&self.api_groups, asked.group)
            && (holds(&self.resources, &resource)
                || (!asked.subresource.is_empty() && self.resources.contains(&any_sub)))
            && (self.resource_names.is_empty() || self.resource_names.iter().any(|name| name == asked.name))
    }
}

fn objects<'a>(state: &'a State, resource: &str) -> impl Iterator<Item = Object> + use<'a> {
    let entries = state.list(&format!("{GROUP}/{resource}"), None);
    entries.filter_map(|(_, _, entry)| Object::from_json(&entry.value).ok())
}
