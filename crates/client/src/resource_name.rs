//! How requests name a kind of object: a row of the resource table, or group and plural
//! alone, for kinds that this program was not built with.

use std::borrow::Cow;

use xebec_api::resource::Resource;
use xebec_rpc::v1;

/// A collection's address, such as `apps` and `deployments`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceName {
    /// `""` for the core group.
    pub group: Cow<'static, str>,
    /// Such as `pods`.
    pub plural: Cow<'static, str>,
}

impl ResourceName {
    /// The wire's form; `name` may be `""` for the collection.
    pub(crate) fn target(&self, namespace: &str, name: &str, subresource: &str) -> v1::Target {
        v1::Target {
            group: self.group.clone().into_owned(),
            version: String::new(),
            resource: self.plural.clone().into_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
        }
    }
}

impl From<&Resource> for ResourceName {
    fn from(row: &Resource) -> Self {
        Self { group: row.group.into(), plural: row.plural.into() }
    }
}

impl From<(&'static str, &'static str)> for ResourceName {
    fn from((group, plural): (&'static str, &'static str)) -> Self {
        Self { group: group.into(), plural: plural.into() }
    }
}

impl From<&Self> for ResourceName {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}
