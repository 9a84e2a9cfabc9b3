//! The messages of `v4.channel.k8s.io` and `v5.channel.k8s.io`: the first byte says whose the rest is. The fifth adds a
//! message that ends a stream, without which a command never sees the end of its input.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use xebec_api::error::ApiError;
use xebec_rpc::v1::TerminalSize;

use super::super::reply::status;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// The fifth version's: the next byte names the stream that ends.
const CLOSE: u8 = 255;

/// The subprotocols that exec and attach speak, the best first.
pub(super) const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Bytes for stdin.
    Stdin(Bytes),
    /// No more of them.
    StdinClosed,
    /// The terminal's size.
    Resize(TerminalSize),
}

/// What a message says; nothing for what has no meaning here.
pub(super) fn decode(mut message: Bytes) -> Option<Input> {
    if message.is_empty() {
        return None;
    }
    let body = message.split_off(1);
    match message[0] {
        STDIN => Some(Input::Stdin(body)),
        CLOSE if body.first() == Some(&STDIN) => Some(Input::StdinClosed),
        RESIZE => {
            let size: Value = serde_json::from_slice(&body).ok()?;
            let number = |name: &str| size[name].as_u64().and_then(|number| u32::try_from(number).ok());
            Some(Input::Resize(TerminalSize { columns: number("Width")?, rows: number("Height")? }))
        }
        _ => None,
    }
}

/// What the process wrote.
pub(super) fn stdout(bytes: &[u8]) -> Bytes {
    message(STDOUT, bytes)
}

/// What it wrote to its stderr.
pub(super) fn stderr(bytes: &[u8]) -> Bytes {
    message(STDERR, bytes)
}

/// The first message: the streams are open.
pub(super) fn opened(stdout: bool, stderr: bool) -> Bytes {
    message(
        if stdout {
            STDOUT
        } else if stderr {
            STDERR
        } else {
            ERROR
        },
        &[],
    )
}

/// How it ended, as a `Status`.
pub(super) fn ended(code: Option<i32>) -> Bytes {
    let status = match code {
        None | Some(0) => json!({"metadata": {}, "status": "Success"}),
        Some(code) => json!({
            "metadata": {},
            "status": "Failure",
            "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }),
    };
    message(ERROR, status.to_string().as_bytes())
}

/// Why it cannot go on, as a `Status`.
pub(super) fn failed(error: &ApiError) -> Bytes {
    message(ERROR, status(error).to_string().as_bytes())
}

fn message(channel: u8, bytes: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(bytes.len() + 1);
    message.extend_from_slice(&[channel]);
    message.extend_from_slice(bytes);
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_client_is_understood() {
        let said = |bytes: &'static [u8]| decode(Bytes::from_static(bytes));
        assert_eq!(said(b"\0ls\n"), Some(Input::Stdin("ls\n".into())));
        assert_eq!(said(b"\0"), Some(Input::Stdin(Bytes::new())));
        assert_eq!(said(b"\xff\0"), Some(Input::StdinClosed));
        let size = TerminalSize { columns: 80, rows: 24 };
        assert_eq!(said(b"\x04{\"Width\":80,\"Height\":24}"), Some(Input::Resize(size)));
        for nothing in
            [&b""[..], b"\xff", b"\xff\x01", b"\x04{}", b"\x04{\"Width\":-1,\"Height\":2}", b"\x01x"]
        {
            assert_eq!(said(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn an_end_is_told_as_kubernetes_tells_it() {
        let text = |message: Bytes| String::from_utf8(message.to_vec()).expect("text");
        assert_eq!(text(ended(Some(0))), "\u{3}{\"metadata\":{},\"status\":\"Success\"}");
        assert_eq!(text(ended(None)), text(ended(Some(0))));
        let status: Value = serde_json::from_slice(&ended(Some(3))[1..]).expect("JSON");
        assert_eq!(status["details"]["causes"][0], json!({"reason": "ExitCode", "message": "3"}));
        assert_eq!((&status["status"], &status["reason"]), (&json!("Failure"), &json!("NonZeroExitCode")));
        assert_eq!([opened(true, true)[0], opened(false, true)[0], opened(false, false)[0]], [1, 2, 3]);
    }

    proptest! {
        #[test]
        fn anything_at_all_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let is_stdin = bytes.first() == Some(&STDIN);
            let rest = Bytes::copy_from_slice(bytes.get(1..).unwrap_or_default());
            let found = decode(Bytes::from(bytes));
            prop_assert_eq!(is_stdin, found == Some(Input::Stdin(rest)));
        }
    }
}
