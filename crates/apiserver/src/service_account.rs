//! ServiceAccount tokens: JWTs signed with ES256, in Kubernetes' claims.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use xebec_api::error::{ApiError, Reason};

/// Who signs the tokens of a cluster.
#[must_use]
pub fn issuer(cluster_domain: &str) -> String {
    format!("https://kubernetes.default.svc.{cluster_domain}")
}

/// The key pair that signs, and with it every key that verifies.
pub struct TokenKeys {
    id: String,
    signing: EncodingKey,
    /// Key id and key; the first is the signing one's.
    verifying: Vec<(String, DecodingKey)>,
}

/// A key that is none.
#[derive(Debug, thiserror::Error)]
#[error("the key for ServiceAccount tokens is no P-256 key in PKCS#8: {0}")]
pub struct KeyError(String);

impl TokenKeys {
    /// A new key pair as PKCS#8 DER, to be kept secret.
    ///
    /// # Errors
    /// [`KeyError`] when the system has no randomness.
    pub fn generate() -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        document.map(|document| document.as_ref().to_vec()).map_err(|_| KeyError("no randomness".into()))
    }

    /// From PKCS#8 DER.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new())
            .map_err(|rejected| KeyError(rejected.to_string()))?;
        let public = pair.public_key().as_ref();
        let id = key_id(public);
        let verifying = vec![(id.clone(), DecodingKey::from_ec_der(public))];
        Ok(Self { id, signing: EncodingKey::from_ec_der(der), verifying })
    }

    /// From a PKCS#8 private key and its public key, both PEM, on P-256.
    ///
    /// # Errors
    /// [`KeyError`], also when the two are no pair.
    pub fn from_pem(private: &[u8], public: &[u8]) -> Result<Self, KeyError> {
        let keys = Self::from_pkcs8(&pem_body(private)?)?;
        // The last 65 bytes of a P-256 SubjectPublicKeyInfo are the point itself.
        let spki = pem_body(public)?;
        let point = spki.len().checked_sub(65).map(|start| key_id(&spki[start..]));
        if point.as_ref() != Some(&keys.id) {
            return Err(KeyError("the public key is not the private key's".into()));
        }
        Ok(keys)
    }

    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, ApiError> {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, &claims.to_wire(), &self.signing)
            .map_err(|error| ApiError::new(Reason::InternalError, format!("signing a token: {error}")))
    }

    /// The claims of a token of this cluster that is valid now, for one of the audiences.
    pub(crate) fn verify(
        &self,
        token: &str,
        issuer: &str,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<Claims, String> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| "it is no JWT".to_owned())?;
        let key = self.verifying.iter().find(|(id, _)| header.kid.as_ref() == Some(id));
        let (_, key) = key.ok_or("it was not signed by this cluster")?;
        // Times are compared below, with the injected clock.
        let mut validation = Validation::new(Algorithm::ES256);
        validation.validate_exp = false;
        validation.set_audience(audiences);
        validation.set_issuer(&[issuer]);
        let decoded = jsonwebtoken::decode::<WireClaims>(token, key, &validation);
        let wire = decoded.map_err(|error| format!("it is not valid: {error}"))?.claims;
        let now = now.as_second();
        if wire.exp <= now {
            return Err("it has expired: ask for a new one".into());
        }
        if wire.nbf > now + 60 {
            return Err("it is not valid yet: compare the clocks".into());
        }
        Claims::from_wire(wire)
    }
}

/// The DER inside of one PEM block.
fn pem_body(pem: &[u8]) -> Result<Vec<u8>, KeyError> {
    let text = std::str::from_utf8(pem).map_err(|_| KeyError("not PEM".into()))?;
    let body: String = text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).map_err(|error| KeyError(format!("not PEM: {error}")))
}

fn key_id(public: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, public))
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) id: String,
    pub(crate) namespace: String,
    pub(crate) account: String,
    pub(crate) account_uid: String,
    pub(crate) pod: Option<BoundPod>,
}

/// The pod that a token dies with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BoundPod {
    pub(crate) name: String,
    pub(crate) uid: String,
}

#[derive(Serialize, Deserialize)]
struct WireClaims {
    aud: Vec<String>,
    exp: i64,
    iat: i64,
    iss: String,
    jti: String,
    nbf: i64,
    sub: String,
    #[serde(rename = "kubernetes.io")]
    kubernetes: WireKubernetes,
}

#[derive(Serialize, Deserialize)]
struct WireKubernetes {
    namespace: String,
    serviceaccount: WireAccount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<BoundPod>,
}

#[derive(Serialize, Deserialize)]
struct WireAccount {
    name: String,
    uid: String,
}

impl Claims {
    fn to_wire(&self) -> WireClaims {
        WireClaims {
            aud: self.audiences.clone(),
            exp: self.expires.as_second(),
            iat: self.issued.as_second(),
            iss: self.issuer.clone(),
            jti: self.id.clone(),
            nbf: self.issued.as_second(),
            sub: format!("system:serviceaccount:{}:{}", self.namespace, self.account),
            kubernetes: WireKubernetes {
                namespace: self.namespace.clone(),
                serviceaccount: WireAccount { name: self.account.clone(), uid: self.account_uid.clone() },
                pod: self.pod.clone(),
            },
        }
    }

    fn from_wire(wire: WireClaims) -> Result<Self, String> {
        let time = |second| Timestamp::from_second(second).map_err(|_| "its times are no times".to_owned());
        Ok(Self {
            issuer: wire.iss,
            audiences: wire.aud,
            issued: time(wire.iat)?,
            expires: time(wire.exp)?,
            id: wire.jti,
            namespace: wire.kubernetes.namespace,
            account: wire.kubernetes.serviceaccount.name,
            account_uid: wire.kubernetes.serviceaccount.uid,
            pod: wire.kubernetes.pod,
        })
    }
}
