//! Who asks: a client certificate that the TLS layer has verified against the
//! cluster's CA, or a bearer token. Nobody is anonymous.

use x509_parser::prelude::{FromDer, X509Certificate};
use xebec_api::error::{ApiError, Reason};

use crate::context::User;

/// The user of a verified client certificate: the name from its CN, groups from its O.
///
/// # Errors
/// `Unauthorized` when it names nobody.
pub fn certificate(der: &[u8]) -> Result<User, ApiError> {
    let unreadable = || unauthorized("the client certificate cannot be read");
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| unreadable())?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next().and_then(|name| name.as_str().ok());
    let name = name.ok_or_else(|| unauthorized("the client certificate has no common name"))?;
    let groups = subject.iter_organization().filter_map(|group| group.as_str().ok());
    let mut groups: Vec<String> = groups.map(str::to_owned).collect();
    groups.push("system:authenticated".to_owned());
    Ok(User { name: name.to_owned(), groups })
}

/// The refusal of somebody unknown.
#[must_use]
pub fn unauthorized(why: &str) -> ApiError {
    let hint = "give a client certificate of this cluster or a bearer token (the kubeconfig has one)";
    ApiError::new(Reason::Unauthorized, format!("Unauthorized: {why}; {hint}"))
}
