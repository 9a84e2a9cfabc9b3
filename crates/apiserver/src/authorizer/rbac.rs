//! Roles, ClusterRoles and their bindings, compiled to what each user and group may do.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;
use xebec_state::State;

use super::Attributes;
use crate::{User, stored};

const ROLES: &str = "rbac.authorization.k8s.io/roles";
const CLUSTER_ROLES: &str = "rbac.authorization.k8s.io/clusterroles";
const ROLE_BINDINGS: &str = "rbac.authorization.k8s.io/rolebindings";
const CLUSTER_ROLE_BINDINGS: &str = "rbac.authorization.k8s.io/clusterrolebindings";

/// What decides.
pub(super) const RESOURCES: [&str; 4] = [ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS];

/// One rule of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) verbs: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) urls: Vec<String>,
}

impl Rule {
    /// The rules of a Role or ClusterRole.
    pub(crate) fn of(role: &Object) -> Vec<Self> {
        let rules = role.get(&["rules"]).and_then(Value::as_array);
        rules.into_iter().flatten().map(Self::parse).collect()
    }

    fn parse(rule: &Value) -> Self {
        let list = |key: &str| {
            let list = rule.get(key).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self {
            verbs: list("verbs"),
            groups: list("apiGroups"),
            resources: list("resources"),
            names: list("resourceNames"),
            urls: list("nonResourceURLs"),
        }
    }

    fn allows(&self, wanted: &Attributes<'_>, name: &str) -> bool {
        let has = |list: &[String], wanted: &str| list.iter().any(|found| found == "*" || found == wanted);
        if !wanted.path.is_empty() {
            return has(&self.verbs, wanted.verb) && self.has_path(wanted.path);
        }
        has(&self.verbs, wanted.verb)
            && has(&self.groups, wanted.group)
            && self.has_resource(wanted.resource)
            && (self.names.is_empty() || self.names.iter().any(|found| found == name))
    }

    /// A `*` at the end of a path is everything below it.
    fn has_path(&self, wanted: &str) -> bool {
        self.urls.iter().any(|found| match found.strip_suffix('*') {
            Some(start) => wanted.starts_with(start),
            None => found == wanted,
        })
    }

    /// `*` is everything; `*/scale` that subresource of everything.
    fn has_resource(&self, wanted: &str) -> bool {
        let of_any = wanted.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
        self.resources
            .iter()
            .any(|found| found == "*" || found == wanted || of_any.as_deref() == Some(found.as_str()))
    }
}

/// Rules that somebody has somewhere.
struct Grant {
    /// `None` for everywhere.
    namespace: Option<String>,
    rules: Arc<Vec<Rule>>,
}

/// What every subject may do.
#[derive(Default)]
pub(crate) struct Grants {
    users: HashMap<String, Vec<Grant>>,
    groups: HashMap<String, Vec<Grant>>,
    /// By namespace (`""` for ClusterRoles) and name.
    roles: HashMap<(String, String), Arc<Vec<Rule>>>,
}

impl Grants {
    /// Reads every role and binding of a state.
    pub(super) fn compile(state: &State) -> Self {
        let mut grants = Self { roles: roles(state), ..Self::default() };
        for binding in read(state, CLUSTER_ROLE_BINDINGS) {
            grants.bind(&binding, None);
        }
        for binding in read(state, ROLE_BINDINGS) {
            grants.bind(&binding, Some(binding.namespace()));
        }
        grants
    }

    /// The rules of the role that a binding refers to.
    pub(crate) fn role_of(&self, binding: &Object) -> Option<Arc<Vec<Rule>>> {
        let namespace = match binding.text(&["roleRef", "kind"]) {
            "ClusterRole" => "",
            "Role" if !binding.namespace().is_empty() => binding.namespace(),
            _ => return None,
        };
        let name = binding.text(&["roleRef", "name"]);
        self.roles.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    fn bind(&mut self, binding: &Object, namespace: Option<&str>) {
        let Some(rules) = self.role_of(binding) else { return };
        let subjects = binding.get(&["subjects"]).and_then(Value::as_array);
        for subject in subjects.into_iter().flatten() {
            let text = |key: &str| subject.get(key).and_then(Value::as_str).unwrap_or_default();
            let grant = Grant { namespace: namespace.map(str::to_owned), rules: rules.clone() };
            let name = text("name").to_owned();
            match text("kind") {
                "User" => self.users.entry(name).or_default().push(grant),
                "Group" => self.groups.entry(name).or_default().push(grant),
                "ServiceAccount" => {
                    let own = if text("namespace").is_empty() {
                        namespace.unwrap_or("")
                    } else {
                        text("namespace")
                    };
                    let name = format!("system:serviceaccount:{own}:{name}");
                    self.users.entry(name).or_default().push(grant);
                }
                _ => {}
            }
        }
    }

    /// Whether any rule of a user allows something.
    pub(crate) fn allow(&self, user: &User, wanted: &Attributes<'_>) -> bool {
        let name = wanted.object_name();
        self.rules_of(user, wanted.namespace).any(|rule| rule.allows(wanted, &name))
    }

    /// The rules of a user in a namespace; in none (`""`) those that hold everywhere.
    pub(crate) fn rules_of<'a>(
        &'a self,
        user: &'a User,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Rule> {
        let own = self.users.get(&user.name);
        let groups = user.groups.iter().filter_map(|group| self.groups.get(group));
        own.into_iter()
            .chain(groups)
            .flatten()
            .filter(move |grant| grant.namespace.as_deref().is_none_or(|own| own == namespace))
            .flat_map(|grant| grant.rules.iter())
    }
}

fn read(state: &State, resource: &str) -> Vec<Object> {
    // An unreadable role grants nothing.
    state.list(resource, None).filter_map(|(_, _, entry)| stored::decode(entry).ok()).collect()
}

fn roles(state: &State) -> HashMap<(String, String), Arc<Vec<Rule>>> {
    let cluster_roles = read(state, CLUSTER_ROLES);
    let mut roles = HashMap::new();
    for role in &cluster_roles {
        let mut rules = Rule::of(role);
        rules.extend(aggregated(role, &cluster_roles));
        roles.insert((String::new(), role.name().to_owned()), Arc::new(rules));
    }
    for role in read(state, ROLES) {
        roles.insert((role.namespace().to_owned(), role.name().to_owned()), Arc::new(Rule::of(&role)));
    }
    roles
}

/// The rules of the ClusterRoles that an aggregating one selects by their labels.
fn aggregated(role: &Object, all: &[Object]) -> Vec<Rule> {
    let selectors = role.get(&["aggregationRule", "clusterRoleSelectors"]).and_then(Value::as_array);
    let selectors: Vec<LabelSelector> =
        selectors.into_iter().flatten().map(LabelSelector::from_object).collect();
    all.iter()
        .filter(|other| other.name() != role.name() && selectors.iter().any(|s| s.matches(other)))
        .flat_map(Rule::of)
        .collect()
}
