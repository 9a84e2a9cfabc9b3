//! Watch: changes after a revision, as a stream of one master. It ends with its connection;
//! who must not miss anything opens another one at the last revision, or uses a [`crate::Cache`].

use tonic::{Request, Streaming};
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_rpc::v1::watch_event::Type;
use xebec_rpc::v1::{Encoding, WatchEvent, WatchRequest};

use crate::call::Repeat;
use crate::client::{Client, bad_answer, resources};
use crate::failure::{Failure, Outcome};
use crate::resource_name::ResourceName;
use crate::server::Server;

/// What to watch, and from where.
#[derive(Clone, Debug, Default)]
pub struct WatchParams {
    /// Such as `app=web`.
    pub label_selector: String,
    /// Such as `spec.nodeName=n1`.
    pub field_selector: String,
    /// Changes after it; `""` for what is there now, as `Added`, and then changes.
    pub resource_version: String,
    /// 0 for no limit.
    pub timeout_seconds: u32,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It is there, or came to match the selectors.
    Added(Object),
    /// It changed.
    Modified(Object),
    /// It is gone, or ceased to match; as it was last.
    Deleted(Object),
    /// Nothing changed up to the revision that stands beside it.
    Bookmark,
}

/// The changes, in order.
pub struct WatchStream {
    inner: Streaming<WatchEvent>,
    server: Server,
    client: Client,
}

impl Client {
    /// Opens a watch; the namespace `""` means all.
    ///
    /// # Errors
    /// `Expired` when the revision was compacted: list again. As every request.
    pub async fn watch(
        &self,
        resource: impl Into<ResourceName>,
        namespace: &str,
        params: &WatchParams,
    ) -> Result<WatchStream, ApiError> {
        let message = WatchRequest {
            target: Some(resource.into().target(namespace, "", "")),
            encoding: Encoding::Json.into(),
            label_selector: params.label_selector.clone(),
            field_selector: params.field_selector.clone(),
            resource_version: params.resource_version.clone(),
            allow_bookmarks: true,
            timeout_seconds: params.timeout_seconds,
        };
        self.call(Repeat::Always, |channel, _| {
            // The time of one try ends with the first headers, not with the stream.
            let (request, server, client) =
                (Request::new(message.clone()), self.pool.current(), self.clone());
            async move {
                let inner = resources(channel).watch(request).await?.into_inner();
                Ok(WatchStream { inner, server, client })
            }
        })
        .await
    }
}

impl WatchStream {
    /// The next change and the revision that it stands for; `None` when the server closed
    /// the stream, as it does at the end of its time.
    ///
    /// # Errors
    /// The connection broke, or `Expired`.
    pub async fn next(&mut self) -> Result<Option<(Event, String)>, ApiError> {
        match self.inner.message().await {
            Ok(None) => Ok(None),
            Ok(Some(event)) => read(event).map(Some),
            Err(status) => {
                let failure = Failure::of(&status);
                if failure.broken {
                    self.client.pool.pass_over(&self.server, true);
                } else if failure.outcome == Outcome::NothingHappened {
                    // It cannot tell any more what changes, or not now.
                    self.pass_over();
                }
                Err(failure.error)
            }
        }
    }

    /// The master that serves it is not worth waiting for: later requests go to the next. A
    /// single address may stand for several masters, and a new connection lead to another.
    pub(crate) fn pass_over(&self) {
        let single = self.client.pool.servers().len() == 1;
        self.client.pool.pass_over(&self.server, single);
    }
}

fn read(event: WatchEvent) -> Result<(Event, String), ApiError> {
    let kind = event.r#type();
    let revision = event.resource_version;
    if kind == Type::Bookmark {
        return Ok((Event::Bookmark, revision));
    }
    let object = xebec_rpc::object::decode(event.object).map_err(|error| bad_answer(&error))?;
    let event = match kind {
        Type::Added => Event::Added(object),
        Type::Modified => Event::Modified(object),
        Type::Deleted => Event::Deleted(object),
        Type::Unspecified | Type::Bookmark => {
            return Err(ApiError::new(Reason::InternalError, "the server sent an event without a type"));
        }
    };
    Ok((event, revision))
}
