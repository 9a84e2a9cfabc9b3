//! Many datagrams by one system call: `recvmmsg(2)` and `sendmmsg(2)` over buffers that
//! are made once. Half of what a query costs is the way into the kernel and back.

#![allow(unsafe_code, reason = "nix's wrappers tie all buffers to a single call")]

use std::array;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use nix::libc;

/// Datagrams a call: enough that the call itself costs little, few enough that the first
/// one does not wait for the last.
pub(crate) const BATCH: usize = 32;
/// The largest query that is read whole. Real ones have less than 300 bytes.
const QUERY_BYTES: usize = 1024;

/// What was received, and what is answered, place by place.
pub(crate) struct Batch {
    queries: Box<[[u8; QUERY_BYTES]; BATCH]>,
    query_bytes: [usize; BATCH],
    peers: [libc::sockaddr_in; BATCH],
    /// An empty one is not sent.
    pub(crate) answers: [Vec<u8>; BATCH],
}

impl Batch {
    pub(crate) fn new() -> Self {
        // SAFETY: a socket address is plain numbers, for which zero is a value.
        let peers = unsafe { mem::zeroed() };
        let queries = Box::new([[0; QUERY_BYTES]; BATCH]);
        Self { queries, query_bytes: [0; BATCH], peers, answers: array::from_fn(|_| Vec::new()) }
    }

    /// Waits for a datagram and takes what else is there; says how many.
    ///
    /// # Errors
    /// What the socket says; `WouldBlock` when nothing came in its time.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let mut parts: [libc::iovec; BATCH] = array::from_fn(|index| libc::iovec {
            iov_base: self.queries[index].as_mut_ptr().cast(),
            iov_len: QUERY_BYTES,
        });
        let mut headers: [libc::mmsghdr; BATCH] =
            array::from_fn(|index| header(&mut self.peers[index], &mut parts[index]));
        // SAFETY: every header points to a buffer, a part and an address of `self` or of this
        // frame, with their true lengths; none of them moves before the call returns.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_WAITFORONE,
                std::ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (bytes, header) in self.query_bytes.iter_mut().zip(&headers[..received]) {
            // What was cut off is no query: it is left to be found too short.
            let whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            *bytes = if whole { usize::try_from(header.msg_len).unwrap_or(0) } else { 0 };
        }
        Ok(received)
    }

    /// What came in one place, and from whom.
    pub(crate) fn query(&self, index: usize) -> (&[u8], SocketAddrV4) {
        let peer = &self.peers[index];
        let address = Ipv4Addr::from(u32::from_be(peer.sin_addr.s_addr));
        let query = &self.queries[index][..self.query_bytes[index].min(QUERY_BYTES)];
        (query, SocketAddrV4::new(address, u16::from_be(peer.sin_port)))
    }

    /// One place's query and the room for its answer.
    pub(crate) fn place(&mut self, index: usize) -> (&[u8], &mut Vec<u8>) {
        let query = &self.queries[index][..self.query_bytes[index].min(QUERY_BYTES)];
        (query, &mut self.answers[index])
    }

    /// Sends the answers in the first `count` places. Whoever cannot be answered (a forged
    /// sender, a route that is gone) is passed over, as is everybody once the kernel has no
    /// room: resolvers ask again.
    pub(crate) fn send(&mut self, socket: &UdpSocket, count: usize) {
        let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
        let mut places = [0; BATCH];
        let mut wanted = 0;
        for (index, answer) in self.answers.iter_mut().enumerate().take(count) {
            if !answer.is_empty() {
                parts[wanted] = libc::iovec { iov_base: answer.as_mut_ptr().cast(), iov_len: answer.len() };
                places[wanted] = index;
                wanted += 1;
            }
        }
        // SAFETY: headers are plain numbers and pointers; those that are used are set below.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for index in 0..wanted {
            headers[index] = header(&mut self.peers[places[index]], &mut parts[index]);
        }
        let mut done = 0;
        while done < wanted {
            let left = &mut headers[done..wanted];
            // SAFETY: as above; `left` has the length that is said, at most BATCH.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    left.as_mut_ptr(),
                    left.len() as libc::c_uint,
                    libc::MSG_DONTWAIT,
                )
            };
            // The error is the first one's: pass over it.
            done += usize::try_from(sent).unwrap_or(1).max(1);
        }
    }
}

fn header(peer: &mut libc::sockaddr_in, part: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: a header is plain numbers and pointers, for which zero is a value.
    let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
    header.msg_hdr.msg_name = std::ptr::from_mut(peer).cast();
    header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
    header.msg_hdr.msg_iov = part;
    header.msg_hdr.msg_iovlen = 1;
    header
}
