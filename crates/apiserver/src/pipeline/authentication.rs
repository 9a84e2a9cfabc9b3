//! Stage 1: who asks. Done by [`crate::authentication::Authenticator`] in the face, before
//! there is a [`RequestContext`]; this is the place where both faces make one.

use std::time::Duration;

use crate::authentication::{Authenticator, Credentials};
use crate::{ApiServer, DEFAULT_TIMEOUT, RequestContext};
use xebec_api::error::ApiError;

/// The longest deadline that a client may ask for.
const MAX_TIMEOUT: Duration = Duration::from_secs(300);

impl ApiServer {
    /// Proves who asks and makes the context of the request.
    ///
    /// # Errors
    /// `Unauthorized`, logged, with what is missing or wrong.
    pub fn authenticate(
        &self,
        credentials: &Credentials<'_>,
        timeout: Option<Duration>,
    ) -> Result<RequestContext, ApiError> {
        let keys = self.token_keys();
        let settings = self.settings();
        let issuer = crate::service_account::issuer(&settings.cluster_domain);
        let authenticator =
            Authenticator { keys: keys.as_deref(), issuer: &issuer, now: settings.clock.now() };
        let user = authenticator.authenticate(credentials, &self.state()).inspect_err(|error| {
            tracing::warn!(peer = credentials.peer, error = %error, "refused: not authenticated");
        })?;
        let context = RequestContext::new(user, settings.ids.uid());
        Ok(context.with_timeout(timeout.unwrap_or(DEFAULT_TIMEOUT).min(MAX_TIMEOUT)))
    }
}
