//! How a system pod reaches the API: the masters that its environment names, and the files
//! of its ServiceAccount.

use std::io;
use std::path::{Path, PathBuf};

use crate::client::Client;
use crate::credentials::{Credentials, Identity, TlsError, Trust};
use crate::server::{Server, ServerError};

/// Where the files of a pod's ServiceAccount lie.
const CREDENTIALS: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What a pod is told of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPod {
    servers: Vec<Server>,
    credentials: PathBuf,
}

/// Why a pod cannot reach the API.
#[derive(Debug, thiserror::Error)]
pub enum InPodError {
    /// No server.
    #[error(
        "neither XEBEC_SERVERS nor KUBERNETES_SERVICE_HOST is set: list the masters as host:port,host:port"
    )]
    NoServers,
    /// A master's address that is none.
    #[error("XEBEC_SERVERS: {0}")]
    Server(#[from] ServerError),
    /// A file of the ServiceAccount.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its contents.
    #[error("the ServiceAccount's files: {0}")]
    Tls(#[from] TlsError),
}

impl InPod {
    /// Reads, by way of `lookup`, `XEBEC_SERVERS`: masters, `host:port`, of which there may be
    /// none; and after them the Service `kubernetes`, behind which are all masters that there
    /// are, and which `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` name in every pod.
    ///
    /// # Errors
    /// There is neither, or something is no server.
    pub fn by_masters_and_service(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, InPodError> {
        let mut servers = named(&lookup);
        if let Some(host) = lookup("KUBERNETES_SERVICE_HOST").filter(|host| !host.is_empty()) {
            let port = lookup("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
            servers.push(format!("{host}:{port}"));
        }
        Self::of(servers)
    }

    fn of(servers: Vec<String>) -> Result<Self, InPodError> {
        if servers.is_empty() {
            return Err(InPodError::NoServers);
        }
        let servers = servers.iter().map(|server| server.parse()).collect::<Result<_, ServerError>>()?;
        Ok(Self { servers, credentials: PathBuf::from(CREDENTIALS) })
    }

    /// The API, in the order in which it is asked.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// A client with the account's token, which is read again as it is renewed.
    ///
    /// # Errors
    /// The account's files cannot be read, or hold nothing that can be used.
    pub fn connect(&self) -> Result<Client, InPodError> {
        let trust = Trust::Ca(read(&self.credentials.join("ca.crt"))?);
        let identity = Identity::TokenFile(self.credentials.join("token"));
        Ok(Client::new(self.servers.clone(), &Credentials { trust, identity })?)
    }
}

fn named(lookup: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let list = lookup("XEBEC_SERVERS").unwrap_or_default();
    list.split(',').map(str::trim).filter(|server| !server.is_empty()).map(str::to_owned).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, InPodError> {
    std::fs::read(path).map_err(|source| InPodError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: (&str, &str) = ("KUBERNETES_SERVICE_HOST", "10.43.0.1");

    fn lookup(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |key| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned())
    }

    fn shown(found: Result<InPod, InPodError>) -> Vec<String> {
        found.expect("complete").servers().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn masters_are_named_and_the_service_comes_after_them() {
        let both = [("XEBEC_SERVERS", "a:1, b:2,"), SERVICE];
        assert_eq!(shown(InPod::by_masters_and_service(lookup(&both[..1]))), ["https://a:1", "https://b:2"]);
        assert_eq!(
            shown(InPod::by_masters_and_service(lookup(&both))),
            ["https://a:1", "https://b:2", "https://10.43.0.1:443"]
        );
        let at = [SERVICE, ("KUBERNETES_SERVICE_PORT", "6443")];
        assert_eq!(shown(InPod::by_masters_and_service(lookup(&at))), ["https://10.43.0.1:6443"]);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let none = InPod::by_masters_and_service(lookup(&[])).expect_err("no master");
        assert_eq!(
            none.to_string(),
            "neither XEBEC_SERVERS nor KUBERNETES_SERVICE_HOST is set: list the masters as host:port,host:port"
        );
        let wrong =
            InPod::by_masters_and_service(lookup(&[("XEBEC_SERVERS", "a:1/x")])).expect_err("no server");
        assert_eq!(wrong.to_string(), "XEBEC_SERVERS: server \"a:1/x\": expected https://host:port");
    }

    #[test]
    fn the_accounts_files_make_a_client() {
        let folder = tempfile::tempdir().expect("a folder");
        let servers = vec!["a:1".parse().expect("a server")];
        let pod = InPod { servers, credentials: folder.path().to_owned() };
        let missing = pod.connect().map(drop).expect_err("nothing there").to_string();
        assert!(
            missing.starts_with(&format!("cannot read {}/ca.crt: ", folder.path().display())),
            "{missing}"
        );
        std::fs::write(folder.path().join("ca.crt"), "no certificate").expect("written");
        let empty = pod.connect().map(drop).expect_err("no certificate").to_string();
        assert_eq!(empty, "the ServiceAccount's files: certificate-authority: it holds no certificate");
        let made = rcgen::generate_simple_self_signed(vec!["ca".to_owned()]).expect("a certificate");
        std::fs::write(folder.path().join("ca.crt"), made.cert.pem()).expect("written");
        pod.connect().map(drop).expect("a client");
    }
}
