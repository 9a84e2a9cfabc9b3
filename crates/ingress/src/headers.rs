//! Header fields on their way through: what belongs to one connection only is taken off,
//! and what an endpoint should know of the client is put on.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Uri, Version, request};

const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Fields of one connection, beside those that its `Connection` names.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// Fields that a `Connection` cannot take away: somebody would be deceived.
const KEPT: [HeaderName; 6] =
    [header::HOST, X_REAL_IP, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, header::CONTENT_LENGTH];

/// What a message's `Connection` names.
fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Takes off what belongs to the connection that a message came by.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Most messages have no Connection, and then there is nothing to collect.
    let named: Vec<HeaderName> = connection_options(headers).filter_map(|name| name.parse().ok()).collect();
    for name in named.iter().filter(|name| !KEPT.contains(name)) {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Whether a request asks for a WebSocket: the only other protocol that is passed on. An `Upgrade`
/// that `Connection` does not name came by way of somebody who did not understand it, and is not heard.
pub(crate) fn is_websocket(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11
        && headers
            .get(header::UPGRADE)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && connection_options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"))
}

/// Puts on what asks for, or grants, a WebSocket.
pub(crate) fn set_websocket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// The host that is asked for, with its port: HTTP/2 has it in its own place.
pub(crate) fn host<T>(request: &Request<T>) -> &str {
    let field = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    request.uri().authority().map(|authority| authority.as_str()).or_else(field).unwrap_or("")
}

/// What only a proxy may say of a client, or what a client has no business to say: a `Proxy` is
/// taken by CGI programs for their environment's HTTP_PROXY. Those and many other endpoints read
/// an underscore like a hyphen, so it is one here.
fn is_claim(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    let begins = |known: &[u8]| {
        let mut pairs = name.iter().zip(known);
        name.len() >= known.len()
            && pairs.all(|(byte, known)| byte == known || (*byte == b'_' && *known == b'-'))
    };
    let is = |known: &[u8]| name.len() == known.len() && begins(known);
    begins(b"x-forwarded-") || is(b"x-real-ip") || is(b"forwarded") || is(b"proxy")
}

fn strip_claims(headers: &mut HeaderMap) {
    let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
    for name in &claims {
        headers.remove(name);
    }
}

/// Puts together what HTTP/2 cuts a Cookie to: in HTTP/1.1 it is one field, and endpoints read no more
/// than one, or join several by what parts no cookies (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let parts: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if parts.len() < 2 {
        return;
    }
    let whole = HeaderValue::from_bytes(&parts.join(&b"; "[..]));
    headers.insert(header::COOKIE, whole.expect("parts of fields, parted by what may stand in one"));
}

/// Whether all that a request says of its host can be one. What is none could be read by an
/// endpoint as another host than that by which its rule was found.
pub(crate) fn has_plain_host<T>(request: &Request<T>) -> bool {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let fields = request.headers().get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    authority.into_iter().chain(fields).all(is_host)
}

/// The characters of a `uri-host` with its port (RFC 9110, section 7.2), also of an address in
/// brackets. None at all is what has no host.
fn is_host(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte))
}

/// Makes a request one for an endpoint. What a client said about itself is replaced: it
/// could be a lie.
pub(crate) fn forward(head: &mut request::Parts, client: &HeaderValue, tls: bool) {
    let host = match head.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => head.headers.get(header::HOST).filter(|host| host.to_str().is_ok()).cloned(),
    };
    let websocket = is_websocket(head.version, &head.headers);
    strip_hop_by_hop(&mut head.headers);
    strip_claims(&mut head.headers);
    if websocket {
        set_websocket(&mut head.headers);
    }
    if head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
    }
    if let Some(host) = host.filter(|host| !host.is_empty()) {
        head.headers.insert(X_FORWARDED_HOST, host.clone());
        head.headers.insert(header::HOST, host);
    }
    head.headers.insert(X_REAL_IP, client.clone());
    head.headers.insert(X_FORWARDED_FOR, client.clone());
    let scheme = if tls { "https" } else { "http" };
    head.headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    head.version = Version::HTTP_11;
    head.extensions.clear();
    let target = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    head.uri = Uri::from(target);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect();
        lines.sort();
        lines
    }

    fn forwarded(request: request::Builder) -> request::Parts {
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        forward(&mut head, &HeaderValue::from_static("10.0.0.1"), true);
        head
    }

    #[test]
    fn what_belongs_to_one_connection_stays_there() {
        let request =
            Request::get("/a?b").header("Connection", "keep-alive, X-Secret, Host, X-Forwarded-For");
        let request = request.header("X-Secret", "1").header("Keep-Alive", "5").header("TE", "trailers");
        let request =
            request.header("Transfer-Encoding", "chunked").header("Upgrade", "h2c").header("Accept", "*/*");
        let head = forwarded(
            request
                .header("Forwarded", "for=1.1.1.1")
                .header("X-Real-IP", "1.1.1.1")
                .header("Host", "a.com:80"),
        );
        assert_eq!(
            shown(&head.headers),
            [
                "accept: */*",
                "host: a.com:80",
                "x-forwarded-for: 10.0.0.1",
                "x-forwarded-host: a.com:80",
                "x-forwarded-proto: https",
                "x-real-ip: 10.0.0.1"
            ]
        );
    }

    #[test]
    fn a_websocket_is_asked_for_by_both_fields() {
        let asks = |connection: &str, upgrade: &str, version: Version| {
            let request = Request::get("/").header("Connection", connection).header("Upgrade", upgrade);
            is_websocket(version, request.body(()).expect("a request").headers())
        };
        assert!(asks("keep-alive, Upgrade", "WebSocket", Version::HTTP_11));
        assert!(!asks("keep-alive", "websocket", Version::HTTP_11));
        assert!(!asks("Upgrade", "h2c", Version::HTTP_11));
        assert!(!asks("Upgrade", "websocket", Version::HTTP_10));
        let mut head = forwarded(Request::get("/").header("Upgrade", "websocket"));
        assert_eq!(head.headers.remove("upgrade"), None, "and nobody makes a whole of the half");
    }

    #[test]
    fn what_is_no_host_is_told_from_one() {
        let of = |uri: &str, host: &[u8]| {
            let host = HeaderValue::from_bytes(host).expect("a field");
            has_plain_host(&Request::get(uri).header("Host", host).body(()).expect("a request"))
        };
        for host in ["", "a.com", "A-b_c.com:80", "10.0.0.1", "[::1]:80", "a.com:", "xn--a", "%41"] {
            assert!(of("/", host.as_bytes()), "{host}");
        }
        for host in ["u@a.com", "a.com/x", "a.com b.com", "a.com#", "a.com?", "a\\b", "a\"b", "a.com\tb"] {
            assert!(!of("/", host.as_bytes()), "{host}");
        }
        assert!(!of("/", b"a.com\xe9"));
        assert!(
            of("http://a.com/", b"b.com") && !of("http://u@a.com/", b"a.com") && !of("http://a.com/", b"/")
        );
    }

    #[test]
    fn cookies_that_http2_cut_are_one_field_again() {
        let cut = |version: Version| {
            let request = Request::get("http://a.com/").version(version).header("Cookie", "a=1");
            let head = forwarded(request.header("Cookie", "b=2").header("Cookie", "c=\"3\""));
            shown(&head.headers).into_iter().filter(|line| line.starts_with("cookie")).collect::<Vec<_>>()
        };
        assert_eq!(cut(Version::HTTP_2), ["cookie: a=1; b=2; c=\"3\""]);
        let as_sent = ["cookie: a=1", "cookie: b=2", "cookie: c=\"3\""];
        assert_eq!(cut(Version::HTTP_11), as_sent, "who sends more than one of them in HTTP/1.1 may mean it");
    }

    #[test]
    fn what_only_a_proxy_may_say_is_taken_off_in_every_spelling() {
        let mut request = Request::get("/").header("Host", "a.com").header("X-Forwarding", "kept");
        for name in [
            "X-Forwarded-Port",
            "X-Forwarded-Prefix",
            "X-Forwarded-Client-Cert",
            "X_Forwarded_For",
            "X-Forwarded_Proto",
            "X_Real-IP",
            "Forwarded",
            "Proxy",
        ] {
            request = request.header(name, "a lie");
        }
        assert_eq!(
            shown(&forwarded(request).headers),
            [
                "host: a.com",
                "x-forwarded-for: 10.0.0.1",
                "x-forwarded-host: a.com",
                "x-forwarded-proto: https",
                "x-forwarding: kept",
                "x-real-ip: 10.0.0.1"
            ]
        );
    }

    #[test]
    fn whoever_names_no_host_cannot_make_one_up() {
        let head = forwarded(Request::get("/").version(Version::HTTP_10).header("X-Forwarded-Host", "a.com"));
        assert_eq!(
            shown(&head.headers),
            ["x-forwarded-for: 10.0.0.1", "x-forwarded-proto: https", "x-real-ip: 10.0.0.1"]
        );
    }

    #[test]
    fn targets_become_paths_and_websockets_stay_asked_for() {
        let head =
            forwarded(Request::get("http://a.com/x?y=1").version(Version::HTTP_2).header("Host", "b.com"));
        assert_eq!(head.headers.get("host").map(HeaderValue::as_bytes), Some(&b"a.com"[..]));
        assert_eq!((head.uri.to_string(), head.version), ("/x?y=1".to_owned(), Version::HTTP_11));
        let request = Request::get("/").header("Connection", "upgrade").header("Upgrade", "WebSocket");
        let head = forwarded(request);
        assert_eq!(head.headers.get("upgrade").map(HeaderValue::as_bytes), Some(&b"websocket"[..]));
        assert_eq!(head.headers.get("connection").map(HeaderValue::as_bytes), Some(&b"Upgrade"[..]));
    }
}
