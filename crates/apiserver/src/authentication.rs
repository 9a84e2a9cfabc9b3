//! Who asks: the client certificate's CN and O, or a ServiceAccount's token. Nobody is
//! anonymous. That the certificate was issued by the cluster's CA was checked by TLS.

use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};
use xebec_api::error::{ApiError, Reason};
use xebec_state::{Key, State};

use crate::service_account::{Claims, TokenKeys};
use crate::{AUTHENTICATED_GROUP, User, stored};

/// What a connection and a request show of who asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// The client's certificate, DER, verified by TLS.
    pub certificate: Option<&'a [u8]>,
    /// The header `authorization`.
    pub authorization: Option<&'a str>,
    /// Where it comes from, for the log.
    pub peer: &'a str,
}

/// Proves who asks.
pub struct Authenticator<'a> {
    /// What verifies tokens, once this master has it.
    pub keys: Option<&'a TokenKeys>,
    /// Who signs tokens here.
    pub issuer: &'a str,
    /// The present.
    pub now: Timestamp,
}

impl Authenticator<'_> {
    /// The user behind the credentials. A token that is given must be valid, whatever the
    /// certificate says.
    ///
    /// # Errors
    /// `Unauthorized`, saying what is missing or wrong.
    pub fn authenticate(&self, credentials: &Credentials<'_>, state: &State) -> Result<User, ApiError> {
        match (credentials.authorization, credentials.certificate) {
            (Some(header), _) => self.by_header(header, state),
            (None, Some(der)) => certificate(der),
            (None, None) => Err(unauthorized(
                "no credentials: present a client certificate of this cluster's CA, or a bearer token",
            )),
        }
    }

    fn by_header(&self, header: &str, state: &State) -> Result<User, ApiError> {
        let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, token) = token.ok_or_else(|| unauthorized("authorization: write `Bearer TOKEN`"))?;
        self.by_token(token.trim(), &[self.issuer], state).map(|(user, _)| user)
    }

    /// The user behind a token, and those of the audiences that it is meant for.
    ///
    /// # Errors
    /// `Unauthorized`, saying what is wrong.
    pub fn by_token(
        &self,
        token: &str,
        audiences: &[&str],
        state: &State,
    ) -> Result<(User, Vec<String>), ApiError> {
        let keys = self.keys.ok_or_else(|| unauthorized("this master cannot check tokens yet: try again"))?;
        let mut claims = keys
            .verify(token, self.issuer, audiences, self.now)
            .map_err(|why| unauthorized(format!("the bearer token was refused: {why}")))?;
        check_alive(&claims, state)?;
        claims.audiences.retain(|audience| audiences.contains(&audience.as_str()));
        Ok((account_user(&claims), claims.audiences))
    }
}

/// The refusal of somebody unknown.
#[must_use]
pub fn unauthorized(message: impl Display) -> ApiError {
    ApiError::new(Reason::Unauthorized, format!("Unauthorized: {message}"))
}

/// The user that a certificate names.
///
/// # Errors
/// `Unauthorized` when it cannot be read or names nobody.
pub fn certificate(der: &[u8]) -> Result<User, ApiError> {
    let (_, certificate) = X509Certificate::from_der(der)
        .map_err(|error| unauthorized(format!("the client certificate cannot be read: {error}")))?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().find_map(|name| name.as_str().ok()).unwrap_or_default();
    if name.is_empty() {
        return Err(unauthorized("the client certificate has no CN to be the user's name"));
    }
    let groups = subject.iter_organization().filter_map(|group| group.as_str().ok()).map(str::to_owned);
    let groups = groups.chain([AUTHENTICATED_GROUP.to_owned()]).collect();
    Ok(User { name: name.to_owned(), groups, ..User::default() })
}

/// A token dies with its ServiceAccount and with the pod it is bound to.
fn check_alive(claims: &Claims, state: &State) -> Result<(), ApiError> {
    let is = |resource: &str, name: &str, uid: &str| {
        let entry = state.get(&Key::new(resource, &claims.namespace, name))?;
        let object = stored::decode(entry).ok()?;
        (object.uid() == uid).then_some(())
    };
    if is("serviceaccounts", &claims.account, &claims.account_uid).is_none() {
        return Err(unauthorized("the bearer token's ServiceAccount is gone"));
    }
    match &claims.pod {
        Some(pod) if is("pods", &pod.name, &pod.uid).is_none() => {
            Err(unauthorized("the bearer token's pod is gone"))
        }
        _ => Ok(()),
    }
}

/// What a token says beside its account.
fn extra(claims: &Claims) -> BTreeMap<String, Vec<String>> {
    let pod = claims.pod.as_ref();
    let said = [
        ("credential-id", Some(format!("JTI={}", claims.id))),
        ("pod-name", pod.map(|pod| pod.name.clone())),
        ("pod-uid", pod.map(|pod| pod.uid.clone())),
    ];
    let said = said.into_iter().filter_map(|(key, value)| Some((key, value?)));
    said.map(|(key, value)| (format!("authentication.kubernetes.io/{key}"), vec![value])).collect()
}

fn account_user(claims: &Claims) -> User {
    let (namespace, name) = (&claims.namespace, &claims.account);
    User {
        name: format!("system:serviceaccount:{namespace}:{name}"),
        groups: vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
            AUTHENTICATED_GROUP.into(),
        ],
        uid: claims.account_uid.clone(),
        extra: extra(claims),
    }
}
