//! Reads and writes kubeconfig files, the standard Kubernetes form. Further masters stand
//! in an extension of the cluster entry, which other clients ignore:
//!
//! ```yaml
//! clusters:
//!   - name: xebec
//!     cluster:
//!       server: https://10.0.0.1:6443
//!       certificate-authority-data: …
//!       extensions:
//!         - name: xebec.dev/servers
//!           extension: {servers: ["https://10.0.0.2:6443", "https://10.0.0.3:6443"]}
//! ```

mod file;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::credentials::Credentials;
use crate::server::Server;
use file::File;

/// What a kubeconfig's current context says.
#[derive(Clone)]
pub struct Kubeconfig {
    /// Every master that it names, the `server` first.
    pub servers: Vec<Server>,
    /// Whom to trust and who to be.
    pub credentials: Credentials,
    /// The context's namespace, `default` when it names none.
    pub namespace: String,
    /// The name of the cluster, of the context and of the user entry when written.
    pub name: String,
}

/// Why a kubeconfig is of no use.
#[derive(Debug, thiserror::Error)]
#[error("kubeconfig {path}: {message}")]
pub struct KubeconfigError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, with the field.
    pub message: String,
}

impl KubeconfigError {
    pub(crate) fn new(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into() }
    }
}

impl Kubeconfig {
    /// Reads a file; paths in it are relative to its folder.
    ///
    /// # Errors
    /// What is wrong with it, by path and field.
    pub fn read(path: &Path) -> Result<Self, KubeconfigError> {
        Self::read_context(path, None)
    }

    /// As [`Kubeconfig::read`], of another context than the current one.
    ///
    /// # Errors
    /// What is wrong with it, by path and field; and that it has no such context.
    pub fn read_context(path: &Path, context: Option<&str>) -> Result<Self, KubeconfigError> {
        let unreadable = |error| KubeconfigError::new(path, format!("{error}: name another one"));
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse_context(&text, folder, context).map_err(|message| KubeconfigError::new(path, message))
    }

    /// Reads the text of a file that lies in a folder.
    ///
    /// # Errors
    /// What is wrong with it, by field.
    pub fn parse(yaml: &str, folder: &Path) -> Result<Self, String> {
        Self::parse_context(yaml, folder, None)
    }

    fn parse_context(yaml: &str, folder: &Path, context: Option<&str>) -> Result<Self, String> {
        let mut file: File = serde_yaml_ng::from_str(yaml).map_err(|error| error.to_string())?;
        if let Some(context) = context {
            file.use_context(context);
        }
        file.resolve(folder)
    }

    /// The text of a file with everything in it.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        serde_yaml_ng::to_string(&File::of(self)).expect("texts and lists always serialize")
    }

    /// Writes the file, readable by its owner only. It is there whole or not at all.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, path: &Path) -> Result<(), KubeconfigError> {
        let write = || -> std::io::Result<()> {
            let temporary = path.with_extension("new");
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            file.write_all(self.to_yaml().as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        };
        write().map_err(|error| KubeconfigError::new(path, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::credentials::{Identity, Trust};

    fn sample() -> Kubeconfig {
        Kubeconfig {
            servers: ["10.0.0.1:6443", "10.0.0.2:6443"].map(|s| s.parse().expect("a server")).to_vec(),
            credentials: Credentials {
                trust: Trust::Ca(b"the CA".to_vec()),
                identity: Identity::Certificate { certificate: b"me".to_vec(), key: b"secret".to_vec() },
            },
            namespace: "default".to_owned(),
            name: "xebec".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.kubeconfig");
        sample().write(&path).expect("written");
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
        let read = Kubeconfig::read(&path).expect("read");
        assert_eq!(read.to_yaml(), sample().to_yaml());
        expect![[r#"
            apiVersion: v1
            kind: Config
            current-context: xebec
            clusters:
            - name: xebec
              cluster:
                server: https://10.0.0.1:6443
                certificate-authority-data: dGhlIENB
                extensions:
                - name: xebec.dev/servers
                  extension:
                    servers:
                    - https://10.0.0.2:6443
            contexts:
            - name: xebec
              context:
                cluster: xebec
                user: xebec
            users:
            - name: xebec
              user:
                client-certificate-data: bWU=
                client-key-data: c2VjcmV0
        "#]]
        .assert_eq(&read.to_yaml());
    }

    #[test]
    fn files_beside_it_and_tokens_are_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.crt"), "the CA").expect("written");
        let yaml = "
            current-context: c
            clusters: [{name: k, cluster: {server: 'https://m', certificate-authority: ca.crt}}]
            contexts: [{name: c, context: {cluster: k, user: u, namespace: team}}]
            users: [{name: u, user: {tokenFile: token}}]";
        let read = Kubeconfig::parse(yaml, folder.path()).expect("read");
        assert!(matches!(&read.credentials.trust, Trust::Ca(pem) if pem == b"the CA"));
        assert!(
            matches!(&read.credentials.identity, Identity::TokenFile(p) if *p == folder.path().join("token"))
        );
        assert_eq!(
            (read.namespace.as_str(), read.servers[0].to_string().as_str()),
            ("team", "https://m:6443")
        );
    }

    #[test]
    fn another_context_than_the_current_one_may_be_meant() {
        let yaml = "
            current-context: here
            clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}, {name: b, cluster: {server: 'http://127.0.0.1:2'}}]
            contexts: [{name: here, context: {cluster: a}}, {name: there, context: {cluster: b, namespace: team}}]";
        let read = |context: Option<&str>| {
            let read = Kubeconfig::parse_context(yaml, Path::new("."), context);
            read.map(|read| format!("{} {}", read.servers[0], read.namespace))
        };
        assert_eq!(read(None), Ok("http://127.0.0.1:1 default".to_owned()));
        assert_eq!(read(Some("there")), Ok("http://127.0.0.1:2 team".to_owned()));
        assert_eq!(read(Some("x")), Err("contexts: there is none named \"x\"".to_owned()));
    }

    #[test]
    fn what_is_missing_is_named() {
        let cases = [
            ("a: 1", "current-context: there are several contexts or none, name one"),
            ("current-context: c", "contexts: there is none named \"c\""),
            (
                "{contexts: [{name: c, context: {cluster: k}}], clusters: [{name: k, cluster: {}}]}",
                "clusters[k].server: missing",
            ),
            (
                "{contexts: [{name: c, context: {cluster: k}}], clusters: [{name: k, cluster: {server: m}}]}",
                "clusters[k].certificate-authority-data: missing",
            ),
        ];
        for (yaml, message) in cases {
            let outcome = Kubeconfig::parse(yaml, Path::new(".")).map(|_| ());
            assert_eq!(outcome, Err(message.to_owned()), "{yaml}");
        }
    }
}
