//! The slices of one owner, brought to what they should hold.
//!
//! A slice's name comes from what it is about (owner, family, ports, index), so that the
//! same contents always make the same slices. Whoever keeps them is named in a label, and
//! nobody touches another's.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::well_known::SERVICE_NAME;

use super::MANAGED_BY;
use crate::hash::{Fnv, suffix};
use crate::owner::controller_reference;
use crate::plan::Plan;
use crate::resources::ENDPOINT_SLICES;
use crate::view::View;

/// Endpoints per slice, as the API allows them.
const CAPACITY: usize = 1000;

/// What one slice is about, family and ports as text, and what it holds: the ports, and
/// endpoints in the order of their addresses.
pub(super) type Contents = BTreeMap<(&'static str, String), (Value, Vec<Value>)>;

/// Whose slices these are.
pub(super) struct Slices<'a> {
    /// Who keeps them.
    pub(super) manager: &'static str,
    /// What they come from, and go with: a Service, or Endpoints.
    pub(super) owner: &'a Object,
    /// The Service that they stand behind.
    pub(super) service: &'a str,
    pub(super) headless: bool,
}

impl Slices<'_> {
    /// Creates, updates, and then deletes what is left over.
    pub(super) fn write(&self, view: &dyn View, contents: Contents, plan: &mut Plan) {
        // By the labels, as everybody reads them: also those of an earlier Service of the name.
        let all = view.slices_of(self.owner.namespace(), self.service).into_iter();
        let ours = all.filter(|slice| slice.text(&["metadata", "labels", MANAGED_BY]) == self.manager);
        let mut stored: BTreeMap<String, Object> =
            ours.map(|slice| (slice.name().to_owned(), slice)).collect();
        for ((family, text), (ports, mut endpoints)) in contents {
            endpoints
                .sort_by_cached_key(|endpoint| endpoint.pointer("/addresses/0").map(ToString::to_string));
            let empty: &[Value] = &[];
            let chunks =
                if endpoints.is_empty() { vec![empty] } else { endpoints.chunks(CAPACITY).collect() };
            for (index, chunk) in chunks.into_iter().enumerate() {
                let name = self.name(family, &text, index);
                let old = stored.remove(&name);
                let mut new = self.slice(old.as_ref(), &name);
                new.set(&["addressType"], family);
                new.set(&["ports"], ports.clone());
                new.set(&["endpoints"], chunk.to_vec());
                match old {
                    Some(old) if !old.is_terminating() => plan.update(&old, new),
                    Some(_) => {}
                    None => plan.create(new),
                }
            }
        }
        stored.values().for_each(|stale| plan.delete(ENDPOINT_SLICES, stale));
    }

    fn name(&self, family: &str, ports: &str, index: usize) -> String {
        let mut hash = Fnv::default();
        for part in [self.owner.uid(), family, ports, &index.to_string()] {
            hash.write(part.as_bytes());
            hash.write(&[0]);
        }
        let stem: String = self.service.chars().take(57).collect();
        format!("{stem}-{}", suffix(hash.finish(), 5))
    }

    /// All but what it holds.
    fn slice(&self, old: Option<&Object>, name: &str) -> Object {
        let mut slice = old.cloned().unwrap_or_default();
        slice.set(&["apiVersion"], "discovery.k8s.io/v1");
        slice.set(&["kind"], "EndpointSlice");
        slice.set(&["metadata", "name"], name);
        slice.set(&["metadata", "namespace"], self.owner.namespace());
        for (key, value) in self.owner.labels() {
            slice.set(&["metadata", "labels", key], value);
        }
        if self.headless {
            slice.set(&["metadata", "labels", "service.kubernetes.io/headless"], "");
        }
        slice.set(&["metadata", "labels", SERVICE_NAME], self.service);
        slice.set(&["metadata", "labels", MANAGED_BY], self.manager);
        slice.set(&["metadata", "ownerReferences"], json!([controller_reference(self.owner)]));
        slice
    }
}
