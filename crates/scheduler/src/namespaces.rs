//! The labels of namespaces, which a pod's affinity may choose them by.

use std::collections::BTreeMap;

use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;

/// Every namespace's labels, by its name.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    labels: BTreeMap<String, BTreeMap<String, String>>,
}

impl Namespaces {
    /// Of the objects.
    pub fn of<'a>(namespaces: impl IntoIterator<Item = &'a Object>) -> Self {
        let labels = |namespace: &Object| {
            namespace.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let all = namespaces.into_iter();
        Self { labels: all.map(|namespace| (namespace.name().to_owned(), labels(namespace))).collect() }
    }

    /// Whether a selector selects the namespace of this name; an empty one selects any.
    pub(crate) fn selects(&self, selector: &LabelSelector, name: &str) -> bool {
        let labels = self.labels.get(name).into_iter().flatten();
        selector.matches_labels(labels.map(|(key, value)| (key.as_str(), value.as_str())))
    }
}
