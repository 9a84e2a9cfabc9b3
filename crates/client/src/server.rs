//! A master's address as people write it: `host:port`, `https://host:port`, or, on
//! loopback only, `http://host:port` for connections without TLS.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

/// The port of an address that names none.
const DEFAULT_PORT: u16 = 6443;

/// Where one master answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    host: String,
    port: u16,
    plain: bool,
}

/// Why a text is no server.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ServerError {
    /// Not `https://host:port`.
    #[error("server {0:?}: expected https://host:port")]
    Malformed(String),
    /// Without TLS beyond this host.
    #[error("server {0:?}: http is for loopback only, use https")]
    PlainBeyondLoopback(String),
}

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let malformed = || ServerError::Malformed(text.to_owned());
        let text_with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let uri: Uri = text_with_scheme.parse().map_err(|_| malformed())?;
        let plain = match uri.scheme_str() {
            Some("https") => false,
            Some("http") => true,
            _ => return Err(malformed()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(malformed)?.to_owned();
        if uri.path().len() > 1 || uri.query().is_some() {
            return Err(malformed());
        }
        if plain && !is_loopback(&host) {
            return Err(ServerError::PlainBeyondLoopback(text.to_owned()));
        }
        Ok(Self { host, port: uri.port_u16().unwrap_or(DEFAULT_PORT), plain })
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Server {
    /// The host without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plain { "http" } else { "https" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let cases = [
            ("10.0.0.1:6443", "https://10.0.0.1:6443"),
            ("https://master:7000/", "https://master:7000"),
            ("m1", "https://m1:6443"),
            ("[fd00::1]:6443", "https://[fd00::1]:6443"),
            ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ];
        for (text, shown) in cases {
            assert_eq!(text.parse::<Server>().map(|s| s.to_string()), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "https://", "ftp://a:1", "https://a:1/path", "a b:1"] {
            assert_eq!(text.parse::<Server>(), Err(ServerError::Malformed(text.into())));
        }
        let plain = "http://10.0.0.1:80";
        assert_eq!(plain.parse::<Server>(), Err(ServerError::PlainBeyondLoopback(plain.into())));
    }
}
