//! One try of a probe, whatever its kind.

use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, ExecAction, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;

use super::{Target, grpc, http};

/// One try, within the probe's timeout.
///
/// # Errors
/// Why it failed, as the event says it.
pub(super) async fn try_once(target: &Target, container: &Container, probe: &Probe) -> Result<(), String> {
    let timeout = seconds(probe.timeout_seconds, 1).max(Duration::from_secs(1));
    if let Some(action) = &probe.exec {
        return exec(target, action, timeout).await;
    }
    let outcome = tokio::time::timeout(timeout, over_network(target, container, probe)).await;
    outcome.map_err(|_| format!("no answer within {timeout:?}"))?
}

async fn over_network(target: &Target, container: &Container, probe: &Probe) -> Result<(), String> {
    if let Some(action) = &probe.http_get {
        return http_get(action, container, target.ip).await;
    }
    if let Some(action) = &probe.tcp_socket {
        let address = (host(action.host.as_deref(), target.ip)?, port(container, &action.port)?);
        return TcpStream::connect(address).await.map(drop).map_err(|error| error.to_string());
    }
    if let Some(action) = &probe.grpc {
        let port = port(container, &IntOrString::Int(action.port))?;
        return grpc::check(&host(None, target.ip)?, port, action.service.as_deref().unwrap_or_default())
            .await;
    }
    // A kind of probe that is not known here must not keep a pod from being ready.
    Ok(())
}

/// A request as a probe or a hook names it, by default to the pod itself.
///
/// # Errors
/// As [`try_once`].
pub(crate) async fn http_get(
    action: &HTTPGetAction,
    container: &Container,
    ip: Option<IpAddr>,
) -> Result<(), String> {
    http::get(action, &host(action.host.as_deref(), ip)?, port(container, &action.port)?).await
}

fn host(named: Option<&str>, ip: Option<IpAddr>) -> Result<String, String> {
    let named = named.filter(|named| !named.is_empty()).map(str::to_owned);
    named.or_else(|| ip.map(|ip| ip.to_string())).ok_or_else(|| "the pod has no address".to_owned())
}

async fn exec(target: &Target, action: &ExecAction, timeout: Duration) -> Result<(), String> {
    let command = action.command.clone().unwrap_or_default();
    let outcome = target.runtime.exec_sync(&target.pod_uid, &target.run, command, timeout).await;
    let outcome = outcome.map_err(|error| error.to_string())?;
    let output = String::from_utf8_lossy(&outcome.output);
    match (outcome.exit_code, output.trim()) {
        (0, _) => Ok(()),
        (code, "") => Err(format!("command exited with code {code}")),
        (_, output) => Err(output.to_owned()),
    }
}

fn port(container: &Container, port: &IntOrString) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => {
            let named = container.ports.iter().flatten().find(|port| port.name.as_deref() == Some(name));
            named.map(|port| port.container_port)
        }
    };
    number.and_then(|number| u16::try_from(number).ok()).ok_or_else(|| format!("there is no port {port:?}"))
}

pub(super) fn seconds(value: Option<i32>, default: u64) -> Duration {
    Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default))
}
