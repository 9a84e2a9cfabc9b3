//! Which port of which pod is meant: numbers, names of container ports, and ports of Services, which are not their
//! pods' own.

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use xebec_api::object::Object;

use crate::session::Session;
use crate::{asked, pod_of};

/// A port of ours and the pod's that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forwarded {
    /// 0 for any.
    pub(super) local: u16,
    pub(super) remote: u16,
}

/// The pod that is meant, and the ports in it.
pub(super) async fn resolve(
    session: &Session,
    target: &str,
    words: &[String],
) -> Result<(Object, Vec<Forwarded>)> {
    let pod = pod_of::named(session, target).await?;
    let service = match target.split_once('/') {
        Some((kind, name)) if asked::row(kind)?.kind == "Service" => {
            Some(session.client.get(asked::row("services")?, &session.namespace, name).await?)
        }
        _ => None,
    };
    let ports = words.iter().map(|word| port(word, service.as_ref(), &pod)).collect::<Result<_>>()?;
    Ok((pod, ports))
}

/// `LOCAL:REMOTE`, `REMOTE` or `:REMOTE`.
fn port(word: &str, service: Option<&Object>, pod: &Object) -> Result<Forwarded> {
    let (local, remote) = word.split_once(':').map_or((None, word), |(local, remote)| (Some(local), remote));
    let (asked, remote) = match service {
        Some(service) => of_service(remote, service, pod)?,
        None => {
            let port = of_pod(&Value::from(remote), pod)?;
            (port, port)
        }
    };
    let local = match local {
        None => asked,
        Some("") => 0,
        Some(text) => text.parse().with_context(|| format!("{word:?}: {text:?} is no port"))?,
    };
    Ok(Forwarded { local, remote })
}

/// The number of a container's port, given as a number, its digits, or its name.
fn of_pod(port: &Value, pod: &Object) -> Result<u16> {
    let digits = port.as_str().map_or_else(|| port.to_string(), str::to_owned);
    if let Ok(number) = digits.parse::<u16>() {
        return if number > 0 { Ok(number) } else { Err(anyhow!("0 is no port of a pod")) };
    }
    let containers = pod.get(&["spec", "containers"]).and_then(Value::as_array);
    let ports = containers.into_iter().flatten().filter_map(|it| it["ports"].as_array()).flatten();
    let mut numbers =
        ports.filter(|it| it["name"] == digits.as_str()).filter_map(|it| it["containerPort"].as_u64());
    let found = numbers.next().and_then(|number| u16::try_from(number).ok());
    found.ok_or_else(|| anyhow!("pod {} has no port named {digits:?}", pod.name()))
}

/// The Service's own port, and the pod's behind it.
fn of_service(word: &str, service: &Object, pod: &Object) -> Result<(u16, u16)> {
    let ports =
        service.get(&["spec", "ports"]).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let number = word.parse::<u64>().ok();
    let means = |port: &&Value| port["name"] == word || (number.is_some() && port["port"].as_u64() == number);
    let Some(found) = ports.iter().find(means) else {
        let own: Vec<String> = ports.iter().map(|port| port["port"].to_string()).collect();
        bail!("service {} has no port {word:?}: it has {}", service.name(), own.join(", "));
    };
    let own = of_pod(&found["port"], pod)?;
    let headless = service.text(&["spec", "clusterIP"]) == "None";
    let target = found.get("targetPort").filter(|_| !headless).unwrap_or(&found["port"]);
    Ok((own, of_pod(target, pod)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn read(word: &str, service: Option<&Object>) -> Result<(u16, u16), String> {
        let ports = json!([{"name": "http", "containerPort": 8080}]);
        let pod = object(json!({"metadata": {"name": "p"}, "spec": {"containers": [{"ports": ports}]}}));
        let read = port(word, service, &pod).map_err(|error| error.to_string())?;
        Ok((read.local, read.remote))
    }

    #[test]
    fn ports_of_pods_are_numbers_or_names() {
        assert_eq!(read("80", None), Ok((80, 80)));
        assert_eq!(read("5000:80", None), Ok((5000, 80)));
        assert_eq!(read(":80", None), Ok((0, 80)));
        assert_eq!(read("http", None), Ok((8080, 8080)));
        assert_eq!(read("1:http", None), Ok((1, 8080)));
        assert_eq!(read("ftp", None), Err("pod p has no port named \"ftp\"".into()));
        assert_eq!(read("x:80", None), Err("\"x:80\": \"x\" is no port".into()));
        assert_eq!(read("0", None), Err("0 is no port of a pod".into()));
    }

    #[test]
    fn ports_of_services_lead_to_their_targets() {
        let service = |cluster_ip: &str| {
            let ports =
                json!([{"name": "web", "port": 80, "targetPort": "http"}, {"port": 90, "targetPort": 91}]);
            object(json!({"metadata": {"name": "s"}, "spec": {"clusterIP": cluster_ip, "ports": ports}}))
        };
        let usual = service("10.43.0.1");
        assert_eq!(read("80", Some(&usual)), Ok((80, 8080)));
        assert_eq!(read("1234:web", Some(&usual)), Ok((1234, 8080)));
        assert_eq!(read("90", Some(&usual)), Ok((90, 91)));
        assert_eq!(read("90", Some(&service("None"))), Ok((90, 90)));
        assert_eq!(read("81", Some(&usual)), Err("service s has no port \"81\": it has 80, 90".into()));
    }
}
