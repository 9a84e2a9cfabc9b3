//! ClusterIPs and NodePorts. Each one that is taken is a hidden key whose absence is a
//! precondition of taking it, in the transaction that stores the Service: so two masters
//! never give one away twice, and no sweep has to find lost ones.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};
use xebec_api::error::{ApiError, FieldError};
use xebec_api::object::Object;
use xebec_state::{Key, Operation, Precondition, State};

use crate::Settings;

const CLUSTER_IPS: &str = "xebec/clusterips";
const NODE_PORTS: &str = "xebec/nodeports";

/// Offsets in the range that only these Services get: namespace and name.
const RESERVED: &[(u32, &str, &str)] = &[(1, "default", "kubernetes"), (10, "kube-system", "kube-dns")];

/// What a Service's transaction needs beside the Service.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Allocation {
    pub(crate) preconditions: Vec<Precondition>,
    pub(crate) operations: Vec<Operation>,
}

/// Completes `new` with addresses and ports, and says what to take and to give back.
/// `old` is the stored Service on an update or delete, `new` is `None` on a delete.
pub(crate) fn plan(
    state: &State,
    settings: &Settings,
    old: Option<&Object>,
    new: Option<&mut Object>,
    seed: u64,
) -> Result<Allocation, ApiError> {
    let held = old.map(held).unwrap_or_default();
    let mut wanted = BTreeSet::new();
    let mut owner = String::new();
    if let Some(new) = new {
        owner = format!("{}/{}", new.namespace(), new.name());
        let mut planner = Planner { state, settings, held: &held, seed, errors: Vec::new() };
        planner.cluster_ip(new, old);
        planner.node_ports(new, old);
        if !planner.errors.is_empty() {
            return Err(ApiError::invalid("", "Service", new.name(), planner.errors));
        }
        wanted = self::held(new);
    }
    let mut allocation = Allocation::default();
    for key in wanted.difference(&held) {
        allocation.preconditions.push(Precondition::Absent(key.clone()));
        let value = json!({"owner": owner}).to_string();
        allocation.operations.push(Operation::Put(key.clone(), value.into()));
    }
    allocation.operations.extend(held.difference(&wanted).cloned().map(Operation::Delete));
    Ok(allocation)
}

/// The keys that a stored Service holds.
fn held(service: &Object) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    let ip = service.text(&["spec", "clusterIP"]);
    if ip.parse::<Ipv4Addr>().is_ok() {
        keys.insert(Key::new(CLUSTER_IPS, "", ip));
    }
    for port in ports(service) {
        if let Some(port) = node_port(port) {
            keys.insert(port_key(port));
        }
    }
    keys
}

fn port_key(port: u64) -> Key {
    Key::new(NODE_PORTS, "", &port.to_string())
}

fn ports(service: &Object) -> impl Iterator<Item = &Value> {
    service.get(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten()
}

fn node_port(port: &Value) -> Option<u64> {
    port.get("nodePort").and_then(Value::as_u64).filter(|port| *port != 0)
}

fn protocol(port: &Value) -> &str {
    port.get("protocol").and_then(Value::as_str).unwrap_or("TCP")
}

/// Whether two are the same port of a Service, before and after an update.
fn is_same(one: &Value, other: &Value) -> bool {
    one.get("port") == other.get("port") && protocol(one) == protocol(other)
}

/// The node ports that a Service's own ports have by now.
#[derive(Default)]
struct NodePorts {
    taken: BTreeSet<u64>,
    /// Port, protocol and node port.
    list: Vec<(Option<u64>, String, u64)>,
}

impl NodePorts {
    fn of(ports: &[Value]) -> Self {
        let mut all = Self::default();
        ports.iter().for_each(|port| all.add(port));
        all
    }

    fn add(&mut self, port: &Value) {
        if let Some(number) = node_port(port) {
            self.taken.insert(number);
            let own = port.get("port").and_then(Value::as_u64);
            self.list.push((own, protocol(port).to_owned(), number));
        }
    }

    /// The one that the same port has in another protocol: DNS over TCP and UDP is found at
    /// one number of the nodes too.
    fn shared(&self, port: &Value) -> Option<u64> {
        let own = port.get("port").and_then(Value::as_u64);
        let (_, _, number) = self.list.iter().find(|(other, _, _)| *other == own)?;
        let clashes =
            |(_, other, taken): &(Option<u64>, String, u64)| taken == number && other == protocol(port);
        (!self.list.iter().any(clashes)).then_some(*number)
    }
}

struct Planner<'a> {
    state: &'a State,
    settings: &'a Settings,
    held: &'a BTreeSet<Key>,
    seed: u64,
    errors: Vec<FieldError>,
}

impl Planner<'_> {
    fn is_free(&self, key: &Key) -> bool {
        self.held.contains(key) || self.state.get(key).is_none()
    }

    fn cluster_ip(&mut self, new: &mut Object, old: Option<&Object>) {
        if new.text(&["spec", "type"]) == "ExternalName" {
            for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                new.remove(&["spec", field]);
            }
            return;
        }
        let mut asked = new.text(&["spec", "clusterIP"]).to_owned();
        if asked.is_empty() {
            let first = new.get(&["spec", "clusterIPs"]).and_then(|ips| ips.get(0)).and_then(Value::as_str);
            let kept = old.map(|old| old.text(&["spec", "clusterIP"]));
            asked = first.or(kept).unwrap_or_default().to_owned();
        }
        let ip = match asked.as_str() {
            "None" => "None".to_owned(),
            "" => match self.free_ip() {
                Some(ip) => ip.to_string(),
                None => return self.refuse("spec.clusterIP", "the service range has no free address".into()),
            },
            asked => match self.fixed_ip(asked, new) {
                Ok(()) => asked.to_owned(),
                Err(why) => return self.refuse("spec.clusterIP", why),
            },
        };
        new.set(&["spec", "clusterIPs"], json!([ip]));
        new.set(&["spec", "clusterIP"], ip);
        for (field, value) in [("ipFamilies", json!(["IPv4"])), ("ipFamilyPolicy", json!("SingleStack"))] {
            if new.get(&["spec", field]).is_none() {
                new.set(&["spec", field], value);
            }
        }
    }

    fn refuse(&mut self, field: &str, why: String) {
        self.errors.push(FieldError::invalid(field, why));
    }

    /// From a random place on, the first that is free.
    fn free_ip(&self) -> Option<Ipv4Addr> {
        let cidr = self.settings.service_cidr;
        let places = cidr.size() - 2;
        let start = u32::try_from(self.seed % u64::from(places)).expect("below a u32");
        (0..places)
            .map(|step| 1 + (start + step) % places)
            .filter(|offset| RESERVED.iter().all(|(reserved, ..)| reserved != offset))
            .map(|offset| cidr.at(offset))
            .find(|ip| self.is_free(&Key::new(CLUSTER_IPS, "", &ip.to_string())))
    }

    fn fixed_ip(&self, asked: &str, service: &Object) -> Result<(), String> {
        let key = Key::new(CLUSTER_IPS, "", asked);
        if self.held.contains(&key) {
            return Ok(());
        }
        let cidr = self.settings.service_cidr;
        let ip: Ipv4Addr = asked
            .parse()
            .map_err(|_| format!("Invalid value: {asked:?}: must be an IPv4 address, \"None\" or empty"))?;
        let offset = cidr.offset(ip).ok_or_else(|| {
            format!("Invalid value: {asked:?}: failed to allocate IP {asked}: the provided IP is not in the valid range {cidr}")
        })?;
        let reserved = RESERVED.iter().find(|(reserved, ..)| *reserved == offset);
        if let Some((_, namespace, name)) = reserved
            && (service.namespace(), service.name()) != (*namespace, *name)
        {
            return Err(format!("Invalid value: {asked:?}: reserved for the Service {namespace}/{name}"));
        }
        if !self.is_free(&key) {
            return Err(format!(
                "Invalid value: {asked:?}: failed to allocate IP {asked}: provided IP is already allocated"
            ));
        }
        Ok(())
    }

    fn node_ports(&mut self, new: &mut Object, old: Option<&Object>) {
        let with_ports = matches!(new.text(&["spec", "type"]), "NodePort" | "LoadBalancer");
        let before: Vec<Value> = old.into_iter().flat_map(ports).cloned().collect();
        let mut list: Vec<Value> = ports(new).cloned().collect();
        let mut given = NodePorts::of(&list);
        for (index, port) in list.iter_mut().enumerate() {
            if !with_ports {
                // Left over from a NodePort Service that became a ClusterIP one.
                port.as_object_mut().and_then(|fields| fields.remove("nodePort"));
                continue;
            }
            let kept = before.iter().find(|old| is_same(old, port)).and_then(node_port);
            let kept = kept.filter(|kept| !given.taken.contains(kept));
            let number = node_port(port).or(kept).or_else(|| given.shared(port));
            let path = format!("spec.ports[{index}].nodePort");
            match number.or_else(|| self.free_port(&given.taken)) {
                Some(number) => {
                    if let Some(why) = self.refused_port(number) {
                        self.refuse(&path, why);
                    }
                    port["nodePort"] = number.into();
                    given.add(port);
                }
                None => self.refuse(&path, "the node port range has no free port".into()),
            }
        }
        if !list.is_empty() {
            new.set(&["spec", "ports"], list);
        }
    }

    fn refused_port(&self, port: u64) -> Option<String> {
        let range = &self.settings.node_ports;
        if !u16::try_from(port).is_ok_and(|port| range.contains(&port)) {
            let (first, last) = (range.start(), range.end());
            return Some(format!(
                "Invalid value: {port}: provided port is not in the valid range. The range of valid ports is {first}-{last}"
            ));
        }
        (!self.is_free(&port_key(port)))
            .then(|| format!("Invalid value: {port}: provided port is already allocated"))
    }

    fn free_port(&self, taken: &BTreeSet<u64>) -> Option<u64> {
        let (first, last) =
            (u64::from(*self.settings.node_ports.start()), u64::from(*self.settings.node_ports.end()));
        let places = last.checked_sub(first)? + 1;
        (0..places)
            .map(|step| first + (self.seed + step) % places)
            .find(|port| !taken.contains(port) && self.is_free(&port_key(*port)))
    }
}
