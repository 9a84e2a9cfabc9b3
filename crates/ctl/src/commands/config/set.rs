//! `config set-cluster` and `set-credentials`: an entry of the kubeconfig, made where there is none.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_yaml_ng::{Mapping, Value};

use super::entries;

#[derive(Args)]
pub(crate) struct SetClusterArgs {
    /// A cluster
    pub(crate) name: String,
    /// Its first server, such as https://10.0.0.1:6443
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// A file with the certificate of its authority, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate_authority: Option<PathBuf>,
    /// Keep the file's contents, not its path
    #[arg(long, requires = "certificate_authority")]
    pub(crate) embed_certs: bool,
}

#[derive(Args)]
pub(crate) struct SetCredentialsArgs {
    /// A user
    pub(crate) name: String,
    /// A file with the user's certificate, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// A file with its private key, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) client_key: Option<PathBuf>,
    /// A token instead, such as `xctl create token` prints
    #[arg(long, conflicts_with_all = ["client_certificate", "client_key"])]
    pub(crate) token: Option<String>,
    /// Keep the files' contents, not their paths
    #[arg(long)]
    pub(crate) embed_certs: bool,
}

/// Changes a cluster's entry.
pub(super) fn cluster(config: &mut Mapping, args: &SetClusterArgs) -> Result<()> {
    let cluster = inner(config, "clusters", "cluster", &args.name)?;
    if let Some(server) = &args.server {
        cluster.insert("server".into(), server.as_str().into());
    }
    if let Some(path) = &args.certificate_authority {
        put(cluster, "certificate-authority", path, args.embed_certs)?;
    }
    Ok(())
}

/// Changes a user's entry. Of a certificate and a token only what was said last is kept.
pub(super) fn credentials(config: &mut Mapping, args: &SetCredentialsArgs) -> Result<()> {
    let files = [("client-certificate", &args.client_certificate), ("client-key", &args.client_key)];
    if args.embed_certs && files.iter().all(|(_, path)| path.is_none()) {
        bail!("--embed-certs: name files by --client-certificate and --client-key");
    }
    let user = inner(config, "users", "user", &args.name)?;
    for (key, path) in files {
        if let Some(path) = path {
            put(user, key, path, args.embed_certs)?;
            user.remove("token");
        }
    }
    if let Some(token) = &args.token {
        for (key, _) in files {
            user.remove(key);
            user.remove(format!("{key}-data"));
        }
        user.insert("token".into(), token.as_str().into());
    }
    Ok(())
}

/// What an entry of a list has under its own word.
fn inner<'a>(config: &'a mut Mapping, list: &str, word: &str, name: &str) -> Result<&'a mut Mapping> {
    let all = entries(config, list)?;
    let is_it = |entry: &Value| entry.get("name").and_then(Value::as_str) == Some(name);
    let at = match all.iter().position(is_it) {
        Some(at) => at,
        None => {
            let mut entry = Mapping::new();
            entry.insert("name".into(), name.into());
            entry.insert(word.into(), Value::Mapping(Mapping::new()));
            all.push(Value::Mapping(entry));
            all.len() - 1
        }
    };
    let found = all[at].get_mut(word).and_then(Value::as_mapping_mut);
    found.ok_or_else(|| anyhow!("{list}[{name}].{word}: this is no map"))
}

/// A file, by its path or by what is in it, and not by both.
fn put(map: &mut Mapping, key: &str, path: &Path, is_embedded: bool) -> Result<()> {
    let data = format!("{key}-data");
    if is_embedded {
        let bytes = std::fs::read(path).with_context(|| format!("--{key} {}", path.display()))?;
        map.remove(key);
        map.insert(data.into(), STANDARD.encode(bytes).into());
    } else {
        let path = std::path::absolute(path).with_context(|| format!("--{key} {}", path.display()))?;
        map.remove(data.as_str());
        map.insert(key.into(), path.display().to_string().into());
    }
    Ok(())
}
