//! A probe by the gRPC health protocol.

use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

pub(super) async fn check(host: &str, port: u16, service: &str) -> Result<(), String> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let endpoint =
        Endpoint::from_shared(format!("http://{host}:{port}")).map_err(|error| error.to_string())?;
    let channel = endpoint.connect().await;
    let channel = channel.map_err(|error| format!("cannot connect to {host}:{port}: {error}"))?;
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel).check(request).await;
    let answer = answer.map_err(|status| format!("health check: {}", status.message()))?.into_inner();
    match answer.status() {
        ServingStatus::Serving => Ok(()),
        status => Err(format!("service unhealthy (responded with {:?})", status.as_str_name())),
    }
}
