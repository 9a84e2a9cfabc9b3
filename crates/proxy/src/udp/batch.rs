//! Datagrams, many at a time: `recvmmsg(2)`, and `sendmmsg(2)` from the same buffers. A
//! run of equal lengths to one receiver is one message that the kernel cuts up again
//! (`UDP_SEGMENT`), which saves most of the way through its stack.
#![allow(unsafe_code, reason = "nix's wrappers allocate for each call and cannot send what was received")]

use std::io;
use std::mem::zeroed;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::libc;

/// Datagrams of one call.
pub(super) const DATAGRAMS: usize = 32;
/// The longest datagram there is.
const DATAGRAM_BYTES: usize = 1 << 16;
/// What one segmented message may hold together.
const SEGMENTED_BYTES: usize = 60_000;
/// Longer segments would have to be fragmented, which the kernel does not do for us.
const SEGMENT_BYTES: usize = 1_400;
/// Room for one control message, aligned as the kernel wants it.
const CONTROL_WORDS: usize = 8;

/// Buffers for one call, filled again and again. Only pages that datagrams ever touched
/// take memory.
pub(super) struct Batch {
    buffers: Vec<u8>,
    names: [libc::sockaddr_in; DATAGRAMS],
    controls: [[u64; CONTROL_WORDS]; DATAGRAMS],
    vectors: [libc::iovec; DATAGRAMS],
    headers: [libc::mmsghdr; DATAGRAMS],
    received: usize,
}

// SAFETY: the pointers lead into the batch itself, and are set anew before each use.
unsafe impl Send for Batch {}

/// Where a datagram came from, and where its sender meant it to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) from: SocketAddrV4,
    /// Only what the shared socket receives says so.
    pub(super) meant: Option<SocketAddrV4>,
}

impl Batch {
    pub(super) fn new() -> Box<Self> {
        // SAFETY: these are plain C structures, for which all zeros is a value.
        let (names, vectors, headers) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let controls = [[0; CONTROL_WORDS]; DATAGRAMS];
        let buffers = vec![0; DATAGRAMS * DATAGRAM_BYTES];
        Box::new(Self { buffers, names, controls, vectors, headers, received: 0 })
    }

    /// Receives what is there, without waiting. Gives how many datagrams that are.
    pub(super) fn receive(&mut self, socket: &OwnedFd) -> io::Result<usize> {
        self.received = 0;
        for index in 0..DATAGRAMS {
            self.prepare(index);
        }
        let count = u32::try_from(DATAGRAMS).expect("a batch is short");
        let (headers, flags) = (self.headers.as_mut_ptr(), libc::MSG_DONTWAIT);
        // SAFETY: the headers point into `self`, which is not touched meanwhile.
        let received =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, count, flags, std::ptr::null_mut()) };
        self.received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        Ok(self.received)
    }

    /// Points a header to its buffers. It is done for each call, since sending changes them
    /// and a batch may have moved.
    fn prepare(&mut self, index: usize) {
        let buffer = self.buffers[index * DATAGRAM_BYTES..].as_mut_ptr();
        self.vectors[index] = libc::iovec { iov_base: buffer.cast(), iov_len: DATAGRAM_BYTES };
        let header = &mut self.headers[index].msg_hdr;
        header.msg_name = (&raw mut self.names[index]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        header.msg_iov = &raw mut self.vectors[index];
        header.msg_iovlen = 1;
        header.msg_control = (&raw mut self.controls[index]).cast();
        header.msg_controllen = size_of_val(&self.controls[index]);
        header.msg_flags = 0;
    }

    /// What is known of a datagram that was received.
    pub(super) fn datagram(&self, index: usize) -> Datagram {
        assert!(index < self.received, "only what was received is looked at");
        Datagram { from: address(&self.names[index]), meant: self.original_destination(index) }
    }

    fn original_destination(&self, index: usize) -> Option<SocketAddrV4> {
        let header = &raw const self.headers[index].msg_hdr;
        // SAFETY: the kernel filled the control buffer and set its length; the macros walk
        // within that.
        unsafe {
            let mut message = libc::CMSG_FIRSTHDR(header);
            while !message.is_null() {
                if (*message).cmsg_level == libc::IPPROTO_IP && (*message).cmsg_type == libc::IP_ORIGDSTADDR {
                    let name = libc::CMSG_DATA(message).cast::<libc::sockaddr_in>().read_unaligned();
                    return Some(address(&name));
                }
                message = libc::CMSG_NXTHDR(header, message);
            }
        }
        None
    }

    /// Where the run of datagrams ends that begins at `start`: the same sender, and the
    /// same address meant.
    pub(super) fn run(&self, start: usize) -> Range<usize> {
        let first = self.datagram(start);
        let end = (start + 1..self.received).find(|index| self.datagram(*index) != first);
        start..end.unwrap_or(self.received)
    }

    /// Sends received datagrams on, to `to` or to whom the socket is connected with.
    ///
    /// # Errors
    /// When the first could not be sent. What the socket does not take after that is lost.
    pub(super) fn send(
        &mut self,
        socket: &OwnedFd,
        datagrams: Range<usize>,
        to: Option<SocketAddrV4>,
    ) -> io::Result<()> {
        assert!(datagrams.end <= self.received, "only what was received is sent on");
        for index in datagrams.clone() {
            self.vectors[index].iov_len = self.length(index);
            self.names[index] = name(to.unwrap_or(UNSPECIFIED));
            let header = &mut self.headers[index].msg_hdr;
            header.msg_namelen = to.map_or(0, |_| size_of::<libc::sockaddr_in>() as libc::socklen_t);
            header.msg_controllen = 0;
        }
        if let Some(bytes) = self.segment(&datagrams) {
            match self.send_segmented(socket, &datagrams, bytes) {
                Err(error) if cannot_segment(&error) => {}
                outcome => return outcome,
            }
        }
        self.send_each(socket, datagrams)
    }

    fn length(&self, index: usize) -> usize {
        self.headers[index].msg_len as usize
    }

    /// The length of the segments that a run can be sent as: all as long as the first, but
    /// for the last, which may be shorter.
    fn segment(&self, datagrams: &Range<usize>) -> Option<u16> {
        let first = self.length(datagrams.start);
        let (last, between) = (datagrams.end - 1, datagrams.start + 1..datagrams.end - 1);
        let even =
            between.len() < datagrams.len() && between.clone().all(|index| self.length(index) == first);
        let fits = (1..=SEGMENT_BYTES).contains(&first) && first * datagrams.len() <= SEGMENTED_BYTES;
        let several = datagrams.len() > 1 && (1..=first).contains(&self.length(last));
        (several && even && fits).then(|| u16::try_from(first).expect("a segment is short"))
    }

    fn send_segmented(&mut self, socket: &OwnedFd, run: &Range<usize>, bytes: u16) -> io::Result<()> {
        let header = &mut self.headers[run.start].msg_hdr;
        header.msg_iovlen = run.len();
        header.msg_control = (&raw mut self.controls[run.start]).cast();
        // SAFETY: the control buffer holds one message of two bytes, and the vectors of a
        // run lie in a row.
        let sent = unsafe {
            header.msg_controllen = libc::CMSG_SPACE(2) as usize;
            let message = libc::CMSG_FIRSTHDR(header);
            (*message).cmsg_level = libc::SOL_UDP;
            (*message).cmsg_type = libc::UDP_SEGMENT;
            (*message).cmsg_len = libc::CMSG_LEN(2) as usize;
            libc::CMSG_DATA(message).cast::<u16>().write_unaligned(bytes);
            libc::sendmsg(socket.as_raw_fd(), header, libc::MSG_DONTWAIT)
        };
        let header = &mut self.headers[run.start].msg_hdr;
        header.msg_iovlen = 1;
        header.msg_controllen = 0;
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn send_each(&mut self, socket: &OwnedFd, datagrams: Range<usize>) -> io::Result<()> {
        let mut first = datagrams.start;
        while first < datagrams.end {
            let count = u32::try_from(datagrams.end - first).expect("a batch is short");
            let headers = self.headers[first..].as_mut_ptr();
            // The kernel writes here how much it sent: the lengths are in the vectors by now.
            // SAFETY: the headers point into `self`, and there are at least `count`.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count, libc::MSG_DONTWAIT) };
            match usize::try_from(sent) {
                Ok(sent) => first += sent.max(1),
                Err(_) if first == datagrams.start => return Err(io::Error::last_os_error()),
                Err(_) => break,
            }
        }
        Ok(())
    }
}

const UNSPECIFIED: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

/// The device, the route or the kernel has no segmentation; it is no fault of the receiver.
fn cannot_segment(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EMSGSIZE | libc::EIO | libc::EOPNOTSUPP))
}

fn address(name: &libc::sockaddr_in) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr)), u16::from_be(name.sin_port))
}

fn name(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    }
}

#[cfg(test)]
mod tests;
