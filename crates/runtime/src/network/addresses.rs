//! Which pod has which address, kept in a file so that it survives the agent.
//!
//! Addresses are given in turn, so that one is not used again soon after it was given back: stale endpoints then fail
//! instead of reaching a stranger.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::range::pod_addresses;
use crate::RuntimeError;
use crate::shim::write_whole;

pub(super) struct Addresses {
    path: PathBuf,
    ranges: Vec<Ipv4Net>,
    given: Given,
}

#[derive(Default, Serialize, Deserialize)]
struct Given {
    /// By the pod's uid.
    pods: BTreeMap<String, Ipv4Addr>,
    /// The address given last.
    last: Option<Ipv4Addr>,
}

impl Addresses {
    pub(super) fn open(path: &Path) -> Result<Addresses, RuntimeError> {
        let fail = |error: io::Error| RuntimeError::io(format!("reading {}", path.display()), error);
        let given = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| fail(error.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Given::default(),
            Err(error) => return Err(fail(error)),
        };
        Ok(Addresses { path: path.to_owned(), ranges: Vec::new(), given })
    }

    pub(super) fn set_ranges(&mut self, ranges: Vec<Ipv4Net>) {
        self.ranges = ranges;
    }

    pub(super) fn allocate(&mut self, pod_uid: &str) -> Result<Ipv4Addr, RuntimeError> {
        if self.ranges.is_empty() {
            return Err(RuntimeError::Network("this node has no pod range yet".into()));
        }
        if let Some(ip) = self.given.pods.get(pod_uid)
            && self.ranges.iter().any(|range| range.contains(ip))
        {
            return Ok(*ip);
        }
        let used: BTreeSet<Ipv4Addr> = self.given.pods.values().copied().collect();
        let all = || self.ranges.iter().flat_map(|range| pod_addresses(*range));
        let last = self.given.last;
        let after =
            all().skip_while(|ip| last.is_some_and(|last| *ip != last)).skip(usize::from(last.is_some()));
        let free = after.chain(all()).find(|ip| !used.contains(ip));
        let ip = free.ok_or_else(|| RuntimeError::Network("no free pod address on this node".into()))?;
        self.given.pods.insert(pod_uid.to_owned(), ip);
        self.given.last = Some(ip);
        self.save()?;
        Ok(ip)
    }

    pub(super) fn release(&mut self, pod_uid: &str) -> Result<(), RuntimeError> {
        match self.given.pods.remove(pod_uid) {
            Some(_) => self.save(),
            None => Ok(()),
        }
    }

    pub(super) fn retain(&mut self, pod_uids: &[String]) -> Result<(), RuntimeError> {
        let before = self.given.pods.len();
        self.given.pods.retain(|uid, _| pod_uids.contains(uid));
        if self.given.pods.len() == before { Ok(()) } else { self.save() }
    }

    fn save(&self) -> Result<(), RuntimeError> {
        let bytes = serde_json::to_vec(&self.given).expect("the keys are strings");
        write_whole(&self.path, &bytes)
            .map_err(|error| RuntimeError::io(format!("writing {}", self.path.display()), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path, range: &str) -> Addresses {
        let mut addresses = Addresses::open(&dir.join("addresses.json")).expect("opens");
        addresses.set_ranges(vec![range.parse().expect("a range")]);
        addresses
    }

    #[test]
    fn addresses_are_given_in_turn_and_survive() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut addresses = open(dir.path(), "10.42.1.0/29");
        let mut give = |uid: &str| addresses.allocate(uid).map(|ip| ip.octets()[3]);
        assert_eq!(give("a").expect("free"), 2);
        assert_eq!(give("b").expect("free"), 3);
        assert_eq!(give("a").expect("its own"), 2);
        addresses.release("a").expect("releases");
        let mut addresses = open(dir.path(), "10.42.1.0/29");
        let mut give = |uid: &str| addresses.allocate(uid).map(|ip| ip.octets()[3]);
        assert_eq!(give("b").expect("its own"), 3);
        assert_eq!([give("c"), give("d"), give("e"), give("f")].map(|ip| ip.expect("free")), [4, 5, 6, 2]);
        assert_eq!(give("g").expect_err("full").to_string(), "pod network: no free pod address on this node");
        addresses.retain(&["b".into()]).expect("saves");
        assert_eq!(addresses.allocate("g").expect("free again").octets()[3], 4);
    }
}
