//! The [`Client`]: several masters as one, the same for every kind of object.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use xebec_api::error::{ApiError, Reason};
use xebec_rpc::v1::{self, resources_client::ResourcesClient};

use crate::call::{self, Repeat};
use crate::credentials::{Credentials, TlsError};
use crate::kubeconfig::{Kubeconfig, KubeconfigError};
use crate::pool::{Channel, Pool};
use crate::server::Server;

/// The largest message that is read: a page of a list, with room to spare.
const MOST_BYTES: usize = 64 << 20;

/// How patient a client is, and under which name it writes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Until when an answer must be there, all tries included.
    pub deadline: Duration,
    /// How long one master may take to answer before the next is asked.
    pub try_timeout: Duration,
    /// Recorded in `metadata.managedFields` with every write.
    pub field_manager: String,
    /// Writes are checked and answered as if they were done, and are not.
    pub dry_run: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            try_timeout: Duration::from_secs(5),
            field_manager: "xebec".to_owned(),
            dry_run: false,
        }
    }
}

type OnWarning = Arc<dyn Fn(&str) + Send + Sync>;

/// A client of the cluster. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) pool: Arc<Pool>,
    pub(crate) settings: Arc<Settings>,
    on_warning: Option<OnWarning>,
}

impl Client {
    /// Connects lazily, to any of the servers.
    ///
    /// # Errors
    /// Credentials that make no TLS configuration.
    ///
    /// # Panics
    /// On an empty list of servers.
    pub fn new(servers: Vec<Server>, credentials: &Credentials) -> Result<Self, TlsError> {
        let pool = Arc::new(Pool::new(servers, credentials)?);
        Ok(Self { pool, settings: Arc::default(), on_warning: None })
    }

    /// As a kubeconfig says.
    ///
    /// # Errors
    /// A file that cannot be read or lacks something, by its path and field.
    pub fn from_kubeconfig(path: &Path) -> Result<Self, KubeconfigError> {
        let config = Kubeconfig::read(path)?;
        Self::new(config.servers, &config.credentials)
            .map_err(|error| KubeconfigError::new(path, error.to_string()))
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The same client with other settings.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = Arc::new(settings);
        self
    }

    /// The same client, which passes the server's warnings on.
    #[must_use]
    pub fn on_warning(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_warning = Some(Arc::new(hook));
        self
    }

    /// The servers it asks.
    #[must_use]
    pub fn servers(&self) -> Vec<Server> {
        self.pool.servers()
    }

    /// Takes another list of masters, as a session tells it; an empty one changes nothing.
    pub fn set_servers(&self, servers: Vec<Server>) {
        self.pool.set_servers(servers);
    }

    /// Takes renewed credentials for every later connection.
    ///
    /// # Errors
    /// Credentials that make no TLS configuration; the old ones stay.
    pub fn set_credentials(&self, credentials: &Credentials) -> Result<(), TlsError> {
        self.pool.set_credentials(credentials)
    }

    /// A connection to a master that answers, for the other services (`Cluster`, `Nodes`,
    /// `Pods`). Who holds it long asks again after an error.
    ///
    /// # Errors
    /// No master takes a connection before the deadline.
    pub async fn channel(&self) -> Result<Channel, ApiError> {
        self.call(Repeat::Always, |channel, _| async move { Ok(channel) }).await
    }

    /// One request to another service, over every master like all requests: it is sent
    /// again where nothing happened, and after an unknown outcome only if it is `repeatable`.
    ///
    /// # Errors
    /// As every request.
    pub async fn ask<T, F>(&self, repeatable: bool, send: impl Fn(Channel) -> F) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, tonic::Status>>,
    {
        let repeat = if repeatable { Repeat::Always } else { Repeat::IfNothingHappened };
        self.call(repeat, |channel, _| send(channel)).await
    }

    /// The server's own version and its table of kinds.
    ///
    /// # Errors
    /// As every request.
    pub async fn discover(&self) -> Result<v1::DiscoverResponse, ApiError> {
        self.call(Repeat::Always, |channel, timeout| async move {
            let request = call::request(v1::DiscoverRequest {}, timeout);
            Ok(resources(channel).discover(request).await?.into_inner())
        })
        .await
    }

    /// The object of an answer; its warnings go to the hook.
    pub(crate) fn object(&self, answer: v1::ObjectResponse) -> Result<xebec_api::object::Object, ApiError> {
        if let Some(hook) = &self.on_warning {
            answer.warnings.iter().for_each(|warning| hook(warning));
        }
        xebec_rpc::object::decode(answer.object).map_err(|error| bad_answer(&error))
    }
}

/// An answer that is no object is the server's defect, not the request's.
pub(crate) fn bad_answer(error: &ApiError) -> ApiError {
    ApiError::new(Reason::InternalError, format!("the server's answer: {}", error.message))
}

pub(crate) fn resources(channel: Channel) -> ResourcesClient<Channel> {
    ResourcesClient::new(channel).max_decoding_message_size(MOST_BYTES).max_encoding_message_size(MOST_BYTES)
}
