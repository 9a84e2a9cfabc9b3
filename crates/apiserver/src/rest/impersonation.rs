//! Acting as somebody else, by the headers `Impersonate-User` and `Impersonate-Group`: for
//! whom a role gives the verb `impersonate` on each name that is claimed.

use http::HeaderMap;
use xebec_api::error::{ApiError, Reason};

use crate::{AUTHENTICATED_GROUP, ApiServer, Attributes, RequestContext, User};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
/// Groups that one request may claim.
const MOST_GROUPS: usize = 64;

/// The context of whom the request claims to be; the same context when it claims nothing.
///
/// # Errors
/// `Forbidden`, or what is wrong with the headers.
pub(super) async fn assume(
    server: &ApiServer,
    context: RequestContext,
    headers: &HeaderMap,
) -> Result<RequestContext, ApiError> {
    let Some(claimed) = claimed(headers)? else { return Ok(context) };
    let may = |group, resource, namespace, name| {
        let attributes = Attributes::new("impersonate", group, resource, namespace, name);
        let context = &context;
        async move { server.check_access(context, &attributes).await }
    };
    let account = account(&claimed.name);
    match account {
        Some((namespace, name)) => may("", "serviceaccounts", namespace, name).await?,
        None => may("", "users", "", &claimed.name).await?,
    }
    for group in &claimed.groups {
        may("", "groups", "", group).await?;
    }
    let mut groups = claimed.groups.clone();
    if let (Some((namespace, _)), true) = (account, groups.is_empty()) {
        groups.extend(["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]);
    }
    if !groups.iter().any(|group| group == AUTHENTICATED_GROUP) {
        groups.push(AUTHENTICATED_GROUP.to_owned());
    }
    let user = User { name: claimed.name, groups, ..User::default() };
    tracing::info!(
        by = context.user.name,
        user = user.name,
        audit_id = context.audit_id,
        "acting as somebody else"
    );
    Ok(RequestContext { user, ..context })
}

/// Namespace and name in the user name of a ServiceAccount.
fn account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}

fn claimed(headers: &HeaderMap) -> Result<Option<User>, ApiError> {
    let bad = |message: &str| Err(ApiError::new(Reason::BadRequest, message));
    let names = headers.keys().filter(|name| name.as_str().starts_with("impersonate-"));
    if let Some(other) = names.map(http::HeaderName::as_str).find(|name| ![USER, GROUP].contains(name)) {
        let message = format!("{other}: only a user and groups can be impersonated here");
        return Err(ApiError::new(Reason::NotImplemented, message));
    }
    let texts =
        |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default().to_owned());
    let groups: Vec<String> = texts(GROUP).take(MOST_GROUPS + 1).collect();
    let name = texts(USER).next().unwrap_or_default();
    if name.is_empty() {
        let claims = headers.contains_key(USER) || !groups.is_empty();
        return if claims { bad("impersonate-group: needs impersonate-user beside it") } else { Ok(None) };
    }
    if groups.len() > MOST_GROUPS {
        return bad("impersonate-group: too many groups");
    }
    Ok(Some(User { name, groups, ..User::default() }))
}
