//! The slices of one owner, brought to what they should hold.
//!
//! A slice's name comes from what it is about (owner, family, ports, index), so that the
//! same owner never makes one twice. Whoever keeps them is named in a label, and nobody
//! touches another's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::well_known::SERVICE_NAME;

use super::MANAGED_BY;
use crate::hash::{Fnv, suffix};
use crate::owner::controller_reference;
use crate::plan::Plan;
use crate::resources::ENDPOINT_SLICES;
use crate::view::View;

/// Endpoints per slice, as Kubernetes has it unless it is told otherwise: everybody who follows
/// a Service is told a whole slice for each change of an endpoint in it.
const CAPACITY: usize = 100;

/// By what an endpoint is known again: its address, and whose that is.
type Identity = (String, String);

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
        for ((family, text), (ports, endpoints)) in contents {
            let name = |index: usize| self.name(family, &text, index);
            let held = |index: usize| Some((index, identities(stored.get(&name(index))?)));
            let held = (0..=stored.len()).filter_map(held).collect();
            // What comes to another slice is there before it is gone from a fuller one.
            for (index, endpoints) in parted(endpoints, &held).into_iter().rev() {
                let name = name(index);
                let old = stored.remove(&name);
                let mut new = self.slice(old.as_ref(), &name);
                new.set(&["addressType"], family);
                new.set(&["ports"], ports.clone());
                new.set(&["endpoints"], endpoints);
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
        // They are the owner's, those too that it has no longer.
        slice.remove(&["metadata", "labels"]);
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

fn identity(endpoint: &Value) -> Identity {
    let text = |pointer| endpoint.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("/addresses/0"), text("/targetRef/uid"))
}

fn identities(slice: &Object) -> BTreeSet<Identity> {
    let list = slice.get(&["endpoints"]).and_then(Value::as_array).into_iter().flatten();
    list.map(identity).collect()
}

/// Endpoints by the index of their slice. Each stays in the slice that it is in, so that a change
/// touches that slice alone and not all behind it; but not where that comes to more than twice
/// the slices that there need to be. Without any there is one slice, an empty one.
fn parted(endpoints: Vec<Value>, held: &BTreeMap<usize, BTreeSet<Identity>>) -> BTreeMap<usize, Vec<Value>> {
    let mut left: Vec<(Identity, Value)> =
        endpoints.into_iter().map(|endpoint| (identity(&endpoint), endpoint)).collect();
    let needed = left.len().div_ceil(CAPACITY);
    let mut parts: BTreeMap<usize, Vec<(Identity, Value)>> = BTreeMap::new();
    for (index, held) in held {
        let (mut stay, others): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|(identity, _)| held.contains(identity));
        let over = stay.split_off(stay.len().min(CAPACITY));
        left = others.into_iter().chain(over).collect();
        if !stay.is_empty() {
            parts.insert(*index, stay);
        }
    }
    if parts.len() > 2 * needed {
        left.extend(std::mem::take(&mut parts).into_values().flatten());
    }
    left.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut left = left.into_iter();
    for part in parts.values_mut() {
        part.extend(left.by_ref().take(CAPACITY - part.len()));
    }
    let mut index = 0;
    while !left.as_slice().is_empty() || parts.is_empty() {
        parts.entry(index).or_insert_with(|| left.by_ref().take(CAPACITY).collect());
        index += 1;
    }
    parts.into_iter().map(|(index, part)| (index, in_order(part))).collect()
}

fn in_order(mut part: Vec<(Identity, Value)>) -> Vec<Value> {
    part.sort_by(|(a, _), (b, _)| a.cmp(b));
    part.into_iter().map(|(_, endpoint)| endpoint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(numbers: impl IntoIterator<Item = usize>) -> Vec<Value> {
        let endpoint =
            |number: usize| json!({"addresses": [format!("10.42.{}.{}", number / 100, number % 100)]});
        numbers.into_iter().map(endpoint).collect()
    }

    fn held(parts: &BTreeMap<usize, Vec<Value>>) -> BTreeMap<usize, BTreeSet<Identity>> {
        parts.iter().map(|(index, part)| (*index, part.iter().map(identity).collect())).collect()
    }

    /// The slices whose contents differ, and the sizes of all after that.
    fn step(parts: &mut BTreeMap<usize, Vec<Value>>, wanted: Vec<Value>) -> (Vec<usize>, Vec<usize>) {
        let count = wanted.len();
        let new = parted(wanted, &held(parts));
        assert_eq!(new.values().map(Vec::len).sum::<usize>(), count);
        let indices: BTreeSet<usize> = new.keys().chain(parts.keys()).copied().collect();
        let changed = indices.into_iter().filter(|index| new.get(index) != parts.get(index)).collect();
        *parts = new;
        (changed, parts.values().map(Vec::len).collect())
    }

    #[test]
    fn a_change_of_one_endpoint_touches_one_slice() {
        let mut parts = BTreeMap::new();
        assert_eq!(
            step(&mut parts, Vec::new()),
            (vec![0], vec![0]),
            "an empty slice says that there is none"
        );
        assert_eq!(step(&mut parts, endpoints(0..250)), (vec![0, 1, 2], vec![100, 100, 50]));
        assert_eq!(step(&mut parts, endpoints(1..250)), (vec![0], vec![99, 100, 50]));
        assert_eq!(step(&mut parts, endpoints(1..251)), (vec![0], vec![100, 100, 50]));
        assert_eq!(step(&mut parts, endpoints(1..251)), (Vec::new(), vec![100, 100, 50]));
        assert_eq!(step(&mut parts, endpoints(101..251)), (vec![0, 1], vec![1, 99, 50]));
        let few = (101..111).chain([200, 250]);
        assert_eq!(step(&mut parts, endpoints(few)), (vec![0, 1, 2], vec![12]), "three slices are too many");
        assert_eq!(step(&mut parts, Vec::new()), (vec![0], vec![0]));
    }
}
