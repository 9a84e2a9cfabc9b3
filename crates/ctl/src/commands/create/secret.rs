//! `create secret`: one with any keys, a certificate with its key, or a registry's password.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use xebec_api::object::Object;

use super::data::{DataArgs, data};
use super::{OnlyArgs, pem, shell};

#[derive(Subcommand)]
pub(crate) enum SecretKind {
    /// One with any keys
    Generic(DataArgs),
    /// A certificate and its key
    Tls(TlsArgs),
    /// A user and a password of a registry of images
    DockerRegistry(RegistryArgs),
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
        SecretKind::Generic(args) => (secret(&args.name, "Opaque", data(args)?), &args.only),
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
    certificate_in(&certificate).with_context(|| format!("--cert {}", args.cert.display()))?;
    key_in(&key).with_context(|| format!("--key {}", args.key.display()))?;
    let data = vec![("tls.crt".to_owned(), certificate), ("tls.key".to_owned(), key)];
    Ok(secret(&args.name, "kubernetes.io/tls", data))
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{flag} {}: name a file that can be read", path.display()))
}

fn certificate_in(bytes: &[u8]) -> Result<()> {
    let labels = pem::labels(bytes);
    if labels.iter().any(|label| label == pem::CERTIFICATE) {
        return Ok(());
    }
    if labels.iter().any(|label| label.ends_with(pem::KEY)) {
        bail!("this is a private key: name it by --key, and the certificate by --cert");
    }
    bail!(
        "this is no certificate in PEM (-----BEGIN CERTIFICATE-----): name one, or make one of a DER file by \
         `openssl x509 -inform der -in FILE -out FILE.pem`"
    )
}

fn key_in(bytes: &[u8]) -> Result<()> {
    let labels = pem::labels(bytes);
    if labels.iter().any(|label| pem::PLAIN_KEYS.contains(&label.as_str())) {
        return Ok(());
    }
    if pem::is_encrypted(bytes) {
        bail!(
            "this key has a passphrase, which nobody would enter: `openssl pkey -in FILE -out FILE.pem` \
             takes it away"
        );
    }
    if labels.iter().any(|label| label == pem::CERTIFICATE) {
        bail!("this is a certificate: name it by --cert, and its private key by --key");
    }
    bail!(
        "this is no private key in PEM (-----BEGIN PRIVATE KEY-----): name one, or make one of a DER file by \
         `openssl pkey -inform der -in FILE -out FILE.pem`"
    )
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
