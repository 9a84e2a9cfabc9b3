//! Keeps a bootstrap master that lost its data folder from making a second cluster: an
//! empty folder alone does not tell a first start from a loss, but other things do.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpStream;

use crate::config::Config;
use crate::error::MasterError;

/// How long another master may take to accept a connection. A first start waits for this
/// only where hosts do not even refuse.
const ANSWER: Duration = Duration::from_millis(250);

/// What shows that there is a cluster already; `None` when nothing does. A founding that
/// was `cut_short` left the kubeconfig behind itself, which then shows nothing.
pub(crate) async fn trace(config: &Config, cut_short: bool) -> Option<String> {
    let kubeconfig = config.admin_kubeconfig.as_ref().filter(|path| !cut_short && path.exists());
    if let Some(path) = kubeconfig {
        return Some(format!("its admin_kubeconfig is there, {}", path.display()));
    }
    let others = config.join.iter().filter(|address| **address != config.client_address);
    let answers = join_all(others.map(|address| answers(address))).await;
    answers.into_iter().flatten().next().map(|address| format!("a master answers at {address}"))
}

async fn answers(address: &str) -> Option<&str> {
    let parsed: SocketAddr = address.parse().ok()?;
    let connected = tokio::time::timeout(ANSWER, TcpStream::connect(parsed)).await;
    matches!(connected, Ok(Ok(_))).then_some(address)
}

/// Whether it has what it takes to join the others.
pub(crate) fn may_rejoin(config: &Config) -> bool {
    !config.join.is_empty() && config.token_file.as_ref().is_some_and(|path| path.exists())
}

/// Says what is the matter, and both ways on.
pub(crate) fn refusal(config: &Config, trace: &str) -> MasterError {
    let (dir, name) = (config.data_dir.display(), &config.name);
    MasterError::Refused(format!(
        "data_dir = {dir} holds no master, but a cluster was made before ({trace}): bootstrap would make a second \
         one; to rejoin: take the old member out (`xctl cluster remove-master {name}`), make a master token \
         (`xctl token create --master`) into token_file, name the other masters in join, and start again; \
         to give the old cluster up instead: stop its masters and remove the admin's kubeconfig"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let text = format!(
            "name = \"m1\"\ndata_dir = \"/data\"\nclient_address = \"127.0.0.1:1\"\npeer_address = \"127.0.0.1:2\"\n\
             bootstrap = true\n{more}"
        );
        Config::parse(&text, &|_| None).expect("good")
    }

    #[tokio::test]
    async fn a_first_start_finds_no_trace() {
        // Nothing listens on the first port of loopback.
        let first = config("join = [\"127.0.0.1:1\", \"127.0.0.2:1\"]\nadmin_kubeconfig = \"/nowhere/k\"");
        assert_eq!(trace(&first, false).await, None);
    }

    #[tokio::test]
    async fn a_kubeconfig_shows_a_cluster_unless_the_founding_was_cut_short() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("admin.kubeconfig");
        std::fs::write(&path, "{}").expect("written");
        let again = config(&format!("admin_kubeconfig = {path:?}"));
        let found = trace(&again, false).await;
        assert_eq!(found, Some(format!("its admin_kubeconfig is there, {}", path.display())));
        assert_eq!(trace(&again, true).await, None);
        let refused = refusal(&again, &found.expect("a trace")).to_string();
        assert!(
            refused.contains("remove-master m1") && refused.contains("token create --master"),
            "{refused}"
        );
        assert!(!may_rejoin(&again));
    }

    #[tokio::test]
    async fn another_master_that_answers_shows_a_cluster() {
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = other.local_addr().expect("bound").to_string();
        let again = config(&format!("join = [{address:?}]"));
        assert_eq!(trace(&again, true).await, Some(format!("a master answers at {address}")));
    }
}
