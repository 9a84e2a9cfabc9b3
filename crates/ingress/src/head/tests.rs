//! What passes, what is refused, and that it does not matter how the bytes arrive.

use proptest::prelude::*;

use super::*;

fn scan(text: &str) -> Scan {
    Scanner::default().scan(text.as_bytes())
}

fn refused(text: &str) -> (u16, &'static str) {
    match scan(text) {
        Scan::Refused(Refusal { status, why }) => (status, why),
        other => panic!("{text:?} is not refused: {other:?}"),
    }
}

fn body(fields: &str) -> Body {
    match scan(&format!("POST /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n")) {
        Scan::Request(head) => head.body,
        other => panic!("{fields:?}: {other:?}"),
    }
}

#[test]
fn heads_say_what_follows_them() {
    let get = "GET /?a=1 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
    assert_eq!(scan(get), Scan::Request(Head { len: get.len(), body: Body::Length(0), upgrade: false }));
    assert_eq!(
        scan(&format!("{get}GET / HT")),
        Scan::Request(Head { len: get.len(), body: Body::Length(0), upgrade: false })
    );
    assert_eq!(body("content-length:  12 \r\n"), Body::Length(12));
    assert_eq!(body("Transfer-encoding:\tChunked\r\n"), Body::Chunked);
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(
        scan(upgrade),
        Scan::Request(Head { len: upgrade.len(), body: Body::Length(0), upgrade: true })
    );
    assert_eq!(
        scan("GET / HTTP/1.0\r\n\r\n"),
        Scan::Request(Head { len: 18, body: Body::Length(0), upgrade: false })
    );
    assert_eq!(scan("PRI * HTTP/2.0\r\n"), Scan::Http2);
    assert_eq!(scan("GET / HTTP/1.1\r\nHost: a\r\n\r"), Scan::Partial);
    assert_eq!(scan(""), Scan::Partial);
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let with = |fields: &str| refused(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "X: y\r\n folded",
        "X: y\r\n\tfolded",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: ",
        "Content-Length: 99999999999999999999",
        "Host: b",
        "X-A: b\0",
        "X-A: b\rContent-Length: 1",
        "X-A: b\nContent-Length: 1",
        "no colon",
        ": no name",
        "a(b): c",
    ] {
        assert_eq!(with(fields).0, 400, "{fields:?}");
    }
    for line in [
        "GET / HTTP/1.1\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET /\u{e9} HTTP/1.1\r\n",
        "GET / HTTP/1.2\r\n",
        "GET / HTTP/2.0\r\n",
        "GET /\r\n",
        "\r\nGET / HTTP/1.1\r\n",
        "G(T / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        assert_eq!(refused(line).0, 400, "{line:?}");
    }
}

#[test]
fn heads_have_bounds() {
    let long = "a".repeat(LONGEST_LINE);
    assert_eq!(refused(&format!("GET /{long} HTTP/1.1\r\n")).0, 414);
    assert_eq!(refused(&format!("GET /{long}")).0, 414, "also while it has no end");
    let fields = "X: y\r\n".repeat(MOST_FIELDS + 1);
    assert_eq!(refused(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).0, 431);
    let long = "a".repeat(MOST_BYTES);
    assert_eq!(refused(&format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n")).0, 431);
    assert_eq!(refused(&format!("GET / HTTP/1.1\r\nX: {long}")).0, 431, "also while it has no end");
}

/// Bytes out of which heads, and what is almost one, are made.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.0\r\n",
        "PRI * HTTP/2.0\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "X: y\r\n",
        "\r\n",
        "\n",
        " ",
        ":",
        "a",
        "\r",
        "\0",
    ]);
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn it_does_not_matter_how_a_head_arrives(bytes in pieces(), cuts in prop::collection::vec(0_usize..80, 0..6)) {
        let whole = Scanner::default().scan(&bytes);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut scanner = Scanner::default();
        let first = cuts.iter().map(|cut| scanner.scan(&bytes[..*cut])).find(|scan| *scan != Scan::Partial);
        prop_assert_eq!(first.unwrap_or(Scan::Partial), whole);
    }

    #[test]
    fn what_passes_is_a_head_to_httparse_too(bytes in pieces()) {
        if let Scan::Request(head) = Scanner::default().scan(&bytes) {
            let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
            let parsed = httparse::Request::new(&mut fields).parse(&bytes).expect("no error");
            prop_assert_eq!(parsed, httparse::Status::Complete(head.len), "the same end");
        }
    }
}
