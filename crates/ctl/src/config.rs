//! Which cluster is meant: `--kubeconfig`, `$KUBECONFIG`, or one of the usual places.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use xebec_client::{Client, Identity, Kubeconfig, Settings};

use crate::cli::Global;
use crate::expiry;
use crate::session::Session;

/// Where a master leaves its administrator's kubeconfig.
const SYSTEM: &str = "/etc/xebec/admin.kubeconfig";

/// The name under which writes are recorded; kubectl's own, so that both can take turns.
const FIELD_MANAGER: &str = "kubectl-client-side-apply";

/// Connects (lazily) as the options say.
pub(crate) fn session(global: &Global) -> Result<Session> {
    Ok(opened(global)?.0)
}

/// As [`session`], and what there is to say of its certificate.
pub(crate) fn opened(global: &Global) -> Result<(Session, Option<String>)> {
    let path = path(global)?;
    let config = Kubeconfig::read_context(&path, global.context.as_deref())?;
    let settings = Settings {
        deadline: global.request_timeout,
        field_manager: FIELD_MANAGER.to_owned(),
        ..Settings::default()
    };
    let client = Client::new(config.servers, &config.credentials)
        .with_context(|| format!("kubeconfig {}", path.display()))?
        .with_settings(settings)
        .on_warning(crate::output::warning);
    let session = Session {
        client,
        namespace: global.namespace.clone().unwrap_or(config.namespace),
        namespace_is_forced: global.namespace.is_some(),
        now: || jiff::Timestamp::now().as_second(),
    };
    let remark = match &config.credentials.identity {
        Identity::Certificate { certificate, .. } => expiry::remark(certificate, &path, (session.now)()),
        Identity::Anonymous | Identity::Token(_) | Identity::TokenFile(_) => None,
    };
    Ok((session, remark))
}

/// The kubeconfig that is meant.
pub(crate) fn path(global: &Global) -> Result<PathBuf> {
    locate(global.kubeconfig.as_deref(), &environment())
}

struct Environment {
    kubeconfig: Option<String>,
    home: Option<PathBuf>,
}

#[allow(clippy::disallowed_methods, reason = "a command line reads its environment, here only")]
fn environment() -> Environment {
    Environment {
        kubeconfig: std::env::var("KUBECONFIG").ok().filter(|value| !value.is_empty()),
        home: std::env::var_os("HOME").map(PathBuf::from),
    }
}

fn locate(option: Option<&Path>, environment: &Environment) -> Result<PathBuf> {
    if let Some(path) = option {
        return Ok(path.to_owned());
    }
    let mut places: Vec<PathBuf> = match &environment.kubeconfig {
        Some(list) => list.split(':').filter(|path| !path.is_empty()).map(PathBuf::from).collect(),
        None => vec![PathBuf::from(SYSTEM)],
    };
    if environment.kubeconfig.is_none()
        && let Some(home) = &environment.home
    {
        places.push(home.join(".kube/config"));
    }
    places.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
        let looked: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        anyhow!("no kubeconfig at {}: name one with --kubeconfig FILE or KUBECONFIG", looked.join(" or "))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};
    use xebec_client::{Credentials, Trust};

    use super::*;

    #[tokio::test]
    async fn a_certificate_that_has_ended_is_told_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed").pem().into_bytes();
        let trust = Trust::Ca(certificate.clone());
        let identity = Identity::Certificate { certificate, key: key.serialize_pem().into_bytes() };
        let kubeconfig = Kubeconfig {
            servers: vec!["https://127.0.0.1:1".parse().expect("a server")],
            credentials: Credentials { trust, identity },
            namespace: "default".to_owned(),
            name: "xebec".to_owned(),
        };
        kubeconfig.write(&path).expect("written");
        let global = Global {
            kubeconfig: Some(path.clone()),
            context: None,
            namespace: None,
            request_timeout: Duration::from_secs(1),
        };
        let (_, remark) = opened(&global).expect("a session");
        let begins = format!("the client certificate of {} has ended on 2020-01-01: ", path.display());
        assert!(remark.as_ref().is_some_and(|remark| remark.starts_with(&begins)), "{remark:?}");
    }

    #[test]
    fn the_option_wins_then_the_environment_then_the_usual_places() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config");
        std::fs::write(&file, "").expect("written");
        let environment = |kubeconfig: Option<String>| Environment { kubeconfig, home: None };
        let option = Path::new("/given");
        assert_eq!(locate(Some(option), &environment(None)).expect("given"), option);
        let list = format!("/nowhere:{}", file.display());
        assert_eq!(locate(None, &environment(Some(list))).expect("the second exists"), file);
        let error = locate(None, &environment(Some("/nowhere".into()))).expect_err("it is not there");
        let words = "no kubeconfig at /nowhere: name one with --kubeconfig FILE or KUBECONFIG";
        assert_eq!(error.to_string(), words);
    }
}
