//! Image names, normalised as Docker does: `redis` is `docker.io/library/redis:latest`.

use std::fmt;
use std::str::FromStr;

use super::Digest;

/// A normalised name: registry, repository, and a tag, a digest or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    /// `docker.io`, `localhost:5000`, `xebec.local`.
    pub registry: String,
    /// `library/redis`.
    pub repository: String,
    /// `latest` where the name has neither a tag nor a digest.
    pub tag: Option<String>,
    /// The manifest's digest.
    pub digest: Option<Digest>,
}

/// A name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid image name {name:?}: {message}")]
pub struct NameError {
    name: String,
    message: String,
}

impl FromStr for ImageName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<ImageName, NameError> {
        let fail = |message: &str| NameError { name: name.to_owned(), message: message.to_owned() };
        if name.len() > 512 {
            return Err(fail("it is longer than 512 bytes"));
        }
        let (rest, digest) = match name.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(|error| fail(&error))?)),
            None => (name, None),
        };
        let (registry, path) = split_registry(rest);
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag.to_owned())),
            None => (path, None),
        };
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(fail("the tag must be letters, digits, '_', '.' and '-', at most 128"));
        }
        if path.is_empty() || !path.split('/').all(is_component) {
            return Err(fail(
                "the repository must be lower-case letters, digits, '.', '_' and '-' between '/'",
            ));
        }
        let repository = if registry == "docker.io" && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.into()
        };
        let tag = if tag.is_none() && digest.is_none() { Some("latest".to_owned()) } else { tag };
        Ok(ImageName { registry: registry.to_owned(), repository, tag, digest })
    }
}

/// The registry is the first part where it can be a host: it has a dot or a port, or is `localhost`.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
            (if host == "index.docker.io" { "docker.io" } else { host }, path)
        }
        _ => ("docker.io", name),
    }
}

fn is_tag(tag: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=128).contains(&tag.len()) && tag.bytes().all(valid) && !tag.starts_with(['.', '-'])
}

fn is_component(part: &str) -> bool {
    let valid =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-');
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    part.bytes().all(valid) && edge(part.bytes().next()) && edge(part.bytes().last())
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}
