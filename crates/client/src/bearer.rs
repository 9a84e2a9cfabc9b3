//! The `authorization` header: a fixed token, or one in a file that somebody else renews.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::credentials::Identity;

/// How long a token read from a file is used before the file is read again.
const FRESH: Duration = Duration::from_secs(30);

type Header = MetadataValue<Ascii>;

/// Adds the token to every request, where there is one.
#[derive(Clone, Debug)]
pub struct Bearer(Source);

#[derive(Clone, Debug)]
enum Source {
    None,
    Fixed(Header),
    File { path: PathBuf, read: Arc<Mutex<Option<(Instant, Header)>>> },
}

impl Bearer {
    /// # Errors
    /// A token that no header can carry.
    pub(crate) fn new(identity: &Identity) -> Result<Self, Status> {
        Ok(Self(match identity {
            Identity::Anonymous | Identity::Certificate { .. } => Source::None,
            Identity::Token(token) => Source::Fixed(header(token)?),
            Identity::TokenFile(path) => Source::File { path: path.clone(), read: Arc::default() },
        }))
    }
}

fn header(token: &str) -> Result<Header, Status> {
    let text = format!("Bearer {}", token.trim());
    let mut header: Header =
        text.parse().map_err(|_| Status::unauthenticated("the bearer token holds control characters"))?;
    header.set_sensitive(true);
    Ok(header)
}

fn from_file(path: &PathBuf, read: &Mutex<Option<(Instant, Header)>>) -> Result<Header, Status> {
    let mut last = read.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, header)) = last.as_ref().filter(|(when, _)| when.elapsed() < FRESH) {
        return Ok(header.clone());
    }
    let token = fs::read_to_string(path)
        .map_err(|error| Status::unauthenticated(format!("read the token {}: {error}", path.display())))?;
    let header = header(&token)?;
    *last = Some((Instant::now(), header.clone()));
    Ok(header)
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let header = match &self.0 {
            Source::None => return Ok(request),
            Source::Fixed(header) => header.clone(),
            Source::File { path, read } => from_file(path, read)?,
        };
        request.metadata_mut().insert("authorization", header);
        Ok(request)
    }
}
