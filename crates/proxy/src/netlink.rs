//! Netlink messages, written by hand: a header, a fixed part, attributes within
//! attributes. What the proxy says to the kernel is a handful of constant messages, and
//! the kernel answers each with an acknowledgement before `send` returns.

use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};

const NLM_F_REQUEST: u16 = 0x01;
const NLM_F_ACK: u16 = 0x04;
/// Replace what is there.
pub(crate) const NLM_F_REPLACE: u16 = 0x100;
/// Fail when it is there.
pub(crate) const NLM_F_EXCL: u16 = 0x200;
/// Create when it is not there.
pub(crate) const NLM_F_CREATE: u16 = 0x400;
/// Add at the end of a list.
pub(crate) const NLM_F_APPEND: u16 = 0x800;

const NLMSG_ERROR: u16 = 2;
const NLA_F_NESTED: u16 = 0x8000;
const HEADER_BYTES: usize = 16;
const LEAST_SEND_BYTES: usize = 256 * 1024;

/// The kernel refused a message.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// A socket call failed.
    #[error("netlink socket: {0}")]
    Socket(#[from] std::io::Error),
    /// A message was refused.
    #[error("the kernel refused to {what}: {source}")]
    Refused {
        /// What the message was for.
        what: &'static str,
        /// Its errno.
        #[source]
        source: std::io::Error,
    },
    /// Fewer answers than messages.
    #[error("the kernel answered {got} of {expected} netlink messages")]
    NoAnswer {
        /// Answers.
        got: usize,
        /// Messages that asked for one.
        expected: usize,
    },
}

impl NetlinkError {
    /// The errno of a refusal.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}

/// Several messages that are sent at once.
#[derive(Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    /// What each message is for, by its sequence number.
    purposes: Vec<(&'static str, bool)>,
}

impl Messages {
    /// Adds a message. `kind` is its type, `fixed` what stands before the attributes.
    pub(crate) fn add(
        &mut self,
        what: &'static str,
        kind: u16,
        flags: u16,
        fixed: &[u8],
        attributes: &Attributes,
    ) {
        self.push(what, kind, flags | NLM_F_ACK, fixed, attributes);
    }

    /// Adds a message that the kernel answers only when it fails.
    pub(crate) fn add_silent(&mut self, what: &'static str, kind: u16, fixed: &[u8]) {
        self.push(what, kind, 0, fixed, &Attributes::default());
    }

    fn push(&mut self, what: &'static str, kind: u16, flags: u16, fixed: &[u8], attributes: &Attributes) {
        let length = HEADER_BYTES + padded(fixed.len()) + attributes.0.len();
        let sequence = u32::try_from(self.purposes.len()).expect("a batch is short");
        self.bytes.extend(u32::try_from(length).expect("a message is short").to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        self.bytes.extend(sequence.to_ne_bytes());
        self.bytes.extend(0_u32.to_ne_bytes());
        self.bytes.extend(fixed);
        self.bytes.resize(self.bytes.len() + padded(fixed.len()) - fixed.len(), 0);
        self.bytes.extend(&attributes.0);
        self.purposes.push((what, flags & NLM_F_ACK != 0));
    }

    /// Sends everything and reads the answers.
    ///
    /// # Errors
    /// The first refusal.
    pub(crate) fn send(self, protocol: isize) -> Result<(), NetlinkError> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_cap_ack(true)?;
        // Room for one answer to each message of the longest batch.
        socket.set_rx_buf_sz(1_i32 << 20)?;
        // A batch is one datagram, however long. Without the right to raise the limit, the
        // usual one is enough for some thousands of set elements.
        let room = self.bytes.len().saturating_mul(2).max(LEAST_SEND_BYTES);
        let _ = setsockopt(&socket, sockopt::SndBufForce, &room);
        socket.send(&self.bytes, 0)?;
        socket.set_non_blocking(true)?;
        let expected = self.purposes.iter().filter(|(_, acknowledged)| *acknowledged).count();
        let mut got = 0;
        while got < expected {
            let datagram = match socket.recv_from_full() {
                Ok((datagram, _)) => datagram,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    return Err(NetlinkError::NoAnswer { got, expected });
                }
                Err(error) => return Err(error.into()),
            };
            got += self.read(&datagram)?;
        }
        Ok(())
    }

    /// Counts the acknowledgements in a datagram.
    fn read(&self, mut datagram: &[u8]) -> Result<usize, NetlinkError> {
        let mut acknowledged = 0;
        while let Some((length, kind, sequence)) = header(datagram) {
            if kind == NLMSG_ERROR {
                let code = datagram.get(HEADER_BYTES..HEADER_BYTES + 4);
                let code = code.map_or(0, |code| i32::from_ne_bytes([code[0], code[1], code[2], code[3]]));
                if code != 0 {
                    let what = self.purposes.get(sequence).map_or("send a batch", |(what, _)| what);
                    let source = std::io::Error::from_raw_os_error(code.saturating_neg());
                    return Err(NetlinkError::Refused { what, source });
                }
                acknowledged += 1;
            }
            datagram = datagram.get(padded(length)..).unwrap_or_default();
        }
        Ok(acknowledged)
    }
}

/// Length, type and sequence number of the first message.
fn header(datagram: &[u8]) -> Option<(usize, u16, usize)> {
    let word = |at: usize| Some(u32::from_ne_bytes(datagram.get(at..at + 4)?.try_into().ok()?));
    let length = usize::try_from(word(0)?).ok().filter(|length| *length >= HEADER_BYTES)?;
    let kind = u16::from_ne_bytes(datagram.get(4..6)?.try_into().ok()?);
    Some((length, kind, usize::try_from(word(8)?).ok()?))
}

/// Rounded up to the four bytes that everything in netlink is aligned to.
fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// A list of attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    /// Adds raw bytes.
    pub(crate) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(4 + value.len()).expect("an attribute is shorter than 64 KiB");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(padded(self.0.len()), 0);
        self
    }

    /// Adds a text with its closing zero.
    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// Adds a number in network order, as nf_tables wants it.
    pub(crate) fn be32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Adds a number in the host's order, as routing wants it.
    pub(crate) fn ne32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds attributes within an attribute.
    pub(crate) fn nested(self, kind: u16, value: &Self) -> Self {
        self.bytes(kind | NLA_F_NESTED, &value.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_aligned_and_nested() {
        let inner = Attributes::default().text(1, "ab").be32(2, 7);
        let outer = Attributes::default().nested(4, &inner);
        let expected: Vec<u8> = [
            &20_u16.to_ne_bytes()[..],
            &0x8004_u16.to_ne_bytes(),
            &7_u16.to_ne_bytes(),
            &1_u16.to_ne_bytes(),
            b"ab\0\0",
            &8_u16.to_ne_bytes(),
            &2_u16.to_ne_bytes(),
            &[0, 0, 0, 7],
        ]
        .concat();
        assert_eq!(outer.0, expected);
    }

    #[test]
    fn an_error_names_its_message() {
        let mut messages = Messages::default();
        messages.add_silent("begin", 16, &[0; 4]);
        messages.add("make a table", 1, 0, &[0; 4], &Attributes::default());
        let mut answer = Vec::new();
        answer.extend(36_u32.to_ne_bytes());
        answer.extend(NLMSG_ERROR.to_ne_bytes());
        answer.extend(0_u16.to_ne_bytes());
        answer.extend(1_u32.to_ne_bytes());
        answer.extend(0_u32.to_ne_bytes());
        answer.extend((-1_i32).to_ne_bytes());
        answer.extend([0; 16]);
        let error = messages.read(&answer).expect_err("refused");
        assert_eq!(error.errno(), Some(1));
        assert!(error.to_string().starts_with("the kernel refused to make a table"));
        assert_eq!(messages.read(&[1, 2, 3]).expect("nothing in it"), 0);
    }
}
