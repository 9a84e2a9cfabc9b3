//! ServiceAccount tokens: signed (ES256), bound to an audience, an account and, as the
//! agent asks for them, a pod.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use xebec_api::error::{ApiError, Reason};

use crate::context::User;

/// Who issues the tokens and whom they are for.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The key pair that signs and proves tokens, the same on every master.
pub struct TokenKeys {
    sign: EncodingKey,
    verify: DecodingKey,
}

/// What a token says. Names as in Kubernetes' bound tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Always [`ISSUER`].
    pub iss: String,
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub sub: String,
    /// Whom the token is for.
    pub aud: Vec<String>,
    /// Unix seconds.
    pub exp: i64,
    /// Unix seconds.
    pub iat: i64,
    /// What the token is bound to.
    #[serde(rename = "kubernetes.io")]
    pub bound: Bound,
}

/// What a token is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The account's namespace.
    pub namespace: String,
    /// The account.
    pub serviceaccount: Named,
    /// The pod, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Named>,
}

/// A name and the uid it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The uid.
    pub uid: String,
}

impl TokenKeys {
    /// From a PKCS#8 private key and its public key, both PEM, on P-256.
    ///
    /// # Errors
    /// When they are no such keys.
    pub fn from_pem(private: &[u8], public: &[u8]) -> Result<Self, jsonwebtoken::errors::Error> {
        Ok(Self { sign: EncodingKey::from_ec_pem(private)?, verify: DecodingKey::from_ec_pem(public)? })
    }

    /// Signs a token.
    ///
    /// # Errors
    /// `InternalError` when the key does not work.
    pub fn sign(&self, claims: &Claims) -> Result<String, ApiError> {
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::ES256), claims, &self.sign);
        signed.map_err(|error| ApiError::new(Reason::InternalError, format!("sign a token: {error}")))
    }

    /// The claims of a token that is ours and has not expired.
    ///
    /// # Errors
    /// `Unauthorized`, saying which of the two it is not.
    pub fn verify(&self, token: &str) -> Result<Claims, ApiError> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        validation.leeway = 0;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verify, &validation);
        let claims = claims.map_err(|error| {
            crate::authentication::unauthorized(&format!("the bearer token is not valid: {error}"))
        })?;
        Ok(claims.claims)
    }
}

impl Claims {
    /// The account as a user.
    #[must_use]
    pub fn user(&self) -> User {
        let groups = [
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{}", self.bound.namespace),
            "system:authenticated".to_owned(),
        ];
        User { name: self.sub.clone(), groups: groups.into() }
    }
}
