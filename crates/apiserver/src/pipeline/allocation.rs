//! ClusterIPs and NodePorts. Each address in use is a hidden object, made in the same
//! transaction as the Service, so no two masters can give one address twice.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, FieldError, Reason};
use xebec_api::object::Object;
use xebec_state::{Key, Operation, Precondition, State, Transaction};

use crate::server::ApiServer;

const CLUSTER_IPS: &str = "xebec/clusterips";
const NODE_PORTS: &str = "xebec/nodeports";
/// Addresses at the range's start that are only given when they are asked for: the
/// API's own (.0.1), the cluster's DNS (.0.10) and what else is well known.
const RESERVED: u32 = 16;

impl ApiServer {
    /// Gives a Service what it asks for or lacks, and takes back what it gave up.
    pub(crate) fn allocate(
        &self,
        new: &mut Object,
        old: Option<&Object>,
        transaction: &mut Transaction,
    ) -> Result<(), ApiError> {
        if new.kind() != "Service" || new.api_version() != "v1" {
            return Ok(());
        }
        let state = self.store.state();
        let owner = json!({"owner": format!("{}/{}", new.namespace(), new.name())}).to_string();
        let had = old.map(held).unwrap_or_default();
        self.fill_cluster_ip(new, &state, &had)?;
        self.fill_node_ports(new, &state, &had)?;
        let has = held(new);
        for key in has.iter().filter(|key| !had.contains(key)) {
            if state.get(key).is_some() {
                return Err(taken(new, key));
            }
            transaction.preconditions.push(Precondition::Absent(key.clone()));
            transaction.operations.push(Operation::Put(key.clone(), owner.clone().into()));
        }
        for key in had.into_iter().filter(|key| !has.contains(key)) {
            transaction.operations.push(Operation::Delete(key));
        }
        Ok(())
    }

    /// Takes back everything that a Service held.
    pub(crate) fn release(&self, object: &Object, transaction: &mut Transaction) {
        if object.kind() == "Service" && object.api_version() == "v1" {
            transaction.operations.extend(held(object).into_iter().map(Operation::Delete));
        }
    }

    fn fill_cluster_ip(&self, service: &mut Object, state: &State, had: &[Key]) -> Result<(), ApiError> {
        let kind = service.text(&["spec", "type"]).to_owned();
        if kind == "ExternalName" {
            service.remove(&["spec", "clusterIP"]);
            service.remove(&["spec", "clusterIPs"]);
            return Ok(());
        }
        let asked = service.text(&["spec", "clusterIP"]).to_owned();
        let [first, second] = self.settings.service_prefix;
        let address = if asked.is_empty() {
            // A different start a Service, so that masters seldom draw the same.
            let seed =
                service.uid().bytes().fold(7_u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b)));
            let free = (0..=0xffff_u32).map(|i| seed.wrapping_add(i) & 0xffff).find(|host| {
                let name = format!("{first}.{second}.{}.{}", host >> 8, host & 0xff);
                *host >= RESERVED && *host != 0xffff && state.get(&Key::new(CLUSTER_IPS, "", &name)).is_none()
            });
            let host = free.ok_or_else(|| {
                ApiError::new(
                    Reason::ServiceUnavailable,
                    "spec.clusterIP: every address of the service range is in use",
                )
            })?;
            format!("{first}.{second}.{}.{}", host >> 8, host & 0xff)
        } else {
            if asked != "None" && !had.contains(&Key::new(CLUSTER_IPS, "", &asked)) {
                check_address(service, &asked, self.settings.service_prefix)?;
            }
            asked
        };
        service.set(&["spec", "clusterIPs"], json!([address]));
        service.set(&["spec", "clusterIP"], address);
        Ok(())
    }

    fn fill_node_ports(&self, service: &mut Object, state: &State, had: &[Key]) -> Result<(), ApiError> {
        let wants = matches!(service.text(&["spec", "type"]), "NodePort" | "LoadBalancer");
        let (low, high) = self.settings.node_ports;
        let name = service.name().to_owned();
        let seed =
            service.uid().bytes().fold(11_u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b)));
        let Some(Value::Array(ports)) =
            service.as_map_mut().get_mut("spec").and_then(|spec| spec.get_mut("ports"))
        else {
            return Ok(());
        };
        let mut given: Vec<u64> = ports.iter().filter_map(|port| port["nodePort"].as_u64()).collect();
        for (index, port) in ports.iter_mut().enumerate() {
            let Some(port) = port.as_object_mut() else { continue };
            if !wants {
                port.remove("nodePort");
                continue;
            }
            match port.get("nodePort").and_then(Value::as_u64).filter(|number| *number > 0) {
                Some(number) if (u64::from(low)..=u64::from(high)).contains(&number) => {}
                Some(number) => {
                    let message = format!(
                        "Invalid value: {number}: provided port is not in the valid range {low}-{high}"
                    );
                    let cause = FieldError::invalid(format!("spec.ports[{index}].nodePort"), message);
                    return Err(ApiError::invalid("", "Service", &name, vec![cause]));
                }
                None => {
                    let size = u32::from(high - low) + 1;
                    let free = (0..size)
                        .map(|i| u64::from(u32::from(low) + seed.wrapping_add(i) % size))
                        .find(|number| {
                            let key = Key::new(NODE_PORTS, "", &number.to_string());
                            !given.contains(number) && (had.contains(&key) || state.get(&key).is_none())
                        });
                    let number = free.ok_or_else(|| {
                        ApiError::new(Reason::ServiceUnavailable, "spec.ports: every node port is in use")
                    })?;
                    given.push(number);
                    port.insert("nodePort".to_owned(), number.into());
                }
            }
        }
        Ok(())
    }
}

/// The hidden objects of a Service's addresses.
fn held(service: &Object) -> Vec<Key> {
    let address = service.text(&["spec", "clusterIP"]);
    let mut keys = Vec::new();
    if !matches!(address, "" | "None") {
        keys.push(Key::new(CLUSTER_IPS, "", address));
    }
    let ports = service.get(&["spec", "ports"]).and_then(Value::as_array);
    let mut numbers: Vec<u64> =
        ports.into_iter().flatten().filter_map(|port| port["nodePort"].as_u64()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    keys.extend(
        numbers.iter().filter(|n| **n > 0).map(|number| Key::new(NODE_PORTS, "", &number.to_string())),
    );
    keys
}

fn check_address(service: &Object, asked: &str, prefix: [u8; 2]) -> Result<(), ApiError> {
    let inside = asked.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.octets()[..2] == prefix);
    if inside {
        return Ok(());
    }
    let [first, second] = prefix;
    let message = format!(
        "Invalid value: {asked:?}: the provided IP is not in the valid range {first}.{second}.0.0/16"
    );
    let cause = FieldError::invalid("spec.clusterIP", message);
    Err(ApiError::invalid("", "Service", service.name(), vec![cause]))
}

fn taken(service: &Object, key: &Key) -> ApiError {
    let cause = if *key.resource == *CLUSTER_IPS {
        FieldError::invalid(
            "spec.clusterIP",
            format!("Invalid value: {:?}: the provided IP is already allocated", key.name),
        )
    } else {
        FieldError::invalid(
            "spec.ports",
            format!("Invalid value: {}: the provided port is already allocated", key.name),
        )
    };
    ApiError::invalid("", "Service", service.name(), vec![cause])
}
