//! `create secret`: one with any keys, a certificate with its key, or a registry's password.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use rustls::InconsistentKeys;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde_json::{Map, Value, json};
use xebec_api::object::Object;
use xebec_api::pem::{self, PemError};

use super::data::{DataArgs, data};
use super::shell;
use crate::only::OnlyArgs;

/// What to do with a file that was PEM once.
const COPY_IT_ANEW: &str = "copy it anew from where it came";

#[derive(Subcommand)]
pub(crate) enum SecretKind {
    /// One with any keys
    Generic(GenericArgs),
    /// A certificate and its key
    Tls(TlsArgs),
    /// A user and a password of a registry of images
    DockerRegistry(RegistryArgs),
}

#[derive(Args)]
pub(crate) struct GenericArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// What it is for, such as kubernetes.io/basic-auth
    #[arg(long, default_value = "Opaque")]
    pub(crate) r#type: String,
}

#[derive(Args)]
pub(crate) struct TlsArgs {
    pub(crate) name: String,
    /// The certificate, in PEM, and those that lead to its root
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: PathBuf,
    /// Its private key, in PEM, without a passphrase
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

#[derive(Args)]
pub(crate) struct RegistryArgs {
    pub(crate) name: String,
    /// The registry
    #[arg(long, value_name = "ADDRESS", default_value = "https://index.docker.io/v1/")]
    pub(crate) docker_server: String,
    #[arg(long, value_name = "NAME")]
    pub(crate) docker_username: String,
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) docker_password: String,
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) docker_email: Option<String>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// The Secret, and how it is to be made.
pub(super) fn made(kind: &SecretKind) -> Result<(Object, &OnlyArgs)> {
    Ok(match kind {
        SecretKind::Generic(args) => {
            (secret(&args.data.name, &args.r#type, data(&args.data)?), &args.data.only)
        }
        SecretKind::Tls(args) => (tls(args)?, &args.only),
        SecretKind::DockerRegistry(args) => (registry(args), &args.only),
    })
}

fn secret(name: &str, r#type: &str, data: Vec<(String, Vec<u8>)>) -> Object {
    let mut object = shell("v1", "Secret", name);
    object.set(&["type"], r#type);
    let data: Map<String, Value> =
        data.into_iter().map(|(key, value)| (key, STANDARD.encode(value).into())).collect();
    object.set(&["data"], data);
    object
}

fn tls(args: &TlsArgs) -> Result<Object> {
    let certificate = read("--cert", &args.cert)?;
    let key = read("--key", &args.key)?;
    let chain = chain_in(&certificate).with_context(|| format!("--cert {}", args.cert.display()))?;
    let of_key = || format!("--key {}", args.key.display());
    key_in(&key).and_then(|key| belong(chain, key)).with_context(of_key)?;
    let data = vec![("tls.crt".to_owned(), certificate), ("tls.key".to_owned(), key)];
    Ok(secret(&args.name, "kubernetes.io/tls", data))
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{flag} {}: name a file that can be read", path.display()))
}

fn chain_in(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    match pem::certificates(bytes) {
        Ok(chain) => return Ok(chain),
        Err(PemError::NoBlock | PemError::Encrypted) => {}
        Err(error @ (PemError::Unfinished | PemError::Damaged)) => bail!("{error}: {COPY_IT_ANEW}"),
    }
    if matches!(pem::key(bytes), Ok(_) | Err(PemError::Encrypted)) {
        bail!("this is a private key: name it by --key, and the certificate by --cert");
    }
    bail!(
        "this is no certificate in PEM (-----BEGIN CERTIFICATE-----): name one, or make one of a DER file by \
         `openssl x509 -inform der -in FILE -out FILE.pem`"
    )
}

fn key_in(bytes: &[u8]) -> Result<PrivateKeyDer<'static>> {
    match pem::key(bytes) {
        Ok(key) => return Ok(key),
        Err(PemError::NoBlock) => {}
        Err(PemError::Encrypted) => bail!(
            "this key has a passphrase, which nobody would enter: `openssl pkey -in FILE -out FILE.pem` \
             takes it away"
        ),
        Err(error @ (PemError::Unfinished | PemError::Damaged)) => bail!("{error}: {COPY_IT_ANEW}"),
    }
    if pem::certificates(bytes).is_ok() {
        bail!("this is a certificate: name it by --cert, and its private key by --key");
    }
    bail!(
        "this is no private key in PEM (-----BEGIN PRIVATE KEY-----): name one, or make one of a DER file by \
         `openssl pkey -inform der -in FILE -out FILE.pem`"
    )
}

/// Refuses a key that is certainly another certificate's. What the TLS library does not know,
/// such as an odd curve, passes: others than the ingress may serve it.
fn belong(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<()> {
    match CertifiedKey::from_der(chain, key, &xebec_rpc::tls::provider()) {
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => bail!(
            "this key is not that of the certificate in --cert: name the one that it was made with, and in \
             --cert the server's own certificate first"
        ),
        _ => Ok(()),
    }
}

fn registry(args: &RegistryArgs) -> Object {
    let (name, password) = (&args.docker_username, &args.docker_password);
    let auth = STANDARD.encode(format!("{name}:{password}"));
    let mut entry = json!({"username": name, "password": password, "auth": auth});
    if let Some(email) = &args.docker_email {
        entry["email"] = email.as_str().into();
    }
    let mut servers = Map::new();
    servers.insert(args.docker_server.clone(), entry);
    let config = json!({"auths": servers}).to_string().into_bytes();
    secret(&args.name, "kubernetes.io/dockerconfigjson", vec![(".dockerconfigjson".to_owned(), config)])
}
