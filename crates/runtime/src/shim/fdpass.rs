//! One message with at most one descriptor, over a pair of sockets that keeps messages apart.
#![allow(unsafe_code, reason = "descriptors travel in control messages, which only the C interface has here")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

/// The largest message.
const MESSAGE_BYTES: usize = 64 << 10;

/// Room for one descriptor's control message, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Two connected ends, both closed on exec.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Sends a message and, where there is one, a descriptor.
pub(super) fn send(socket: RawFd, message: &[u8], fd: Option<RawFd>) -> io::Result<()> {
    let message = &message[..message.len().min(MESSAGE_BYTES)];
    let mut control = Control([0; 64]);
    let mut part = libc::iovec { iov_base: message.as_ptr() as *mut _, iov_len: message.len() };
    // SAFETY: msghdr is plain data for which all zeroes is valid.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &mut part;
    header.msg_iovlen = 1;
    if let Some(fd) = fd {
        header.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: the buffer holds more than one descriptor's control message, to which the macros point.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as usize;
            let first = libc::CMSG_FIRSTHDR(&header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as usize;
            std::ptr::write_unaligned(libc::CMSG_DATA(first).cast(), fd);
        }
    }
    // SAFETY: everything that the header points to lives through the call.
    let sent = unsafe { libc::sendmsg(socket, &header, libc::MSG_NOSIGNAL) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Receives a message and the descriptor with it. An empty message is the other end's end.
pub(super) fn receive(socket: &impl AsRawFd) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut message = vec![0; MESSAGE_BYTES];
    let mut control = Control([0; 64]);
    let mut part = libc::iovec { iov_base: message.as_mut_ptr().cast(), iov_len: message.len() };
    // SAFETY: msghdr is plain data for which all zeroes is valid.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len();
    // SAFETY: everything that the header points to lives through the call.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut header, libc::MSG_CMSG_CLOEXEC) };
    if received < 0 {
        return Err(io::Error::last_os_error());
    }
    message.truncate(received as usize);
    // SAFETY: the kernel has filled in the control messages, and a descriptor in one is ours from now on.
    let fd = unsafe {
        let first = libc::CMSG_FIRSTHDR(&header);
        if first.is_null() || (*first).cmsg_type != libc::SCM_RIGHTS {
            None
        } else {
            Some(OwnedFd::from_raw_fd(std::ptr::read_unaligned(libc::CMSG_DATA(first).cast::<RawFd>())))
        }
    };
    Ok((message, fd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, Write};

    #[test]
    fn a_descriptor_travels_with_its_message() {
        let (near, far) = pair().expect("pair");
        let mut file = tempfile::tempfile().expect("tempfile");
        file.write_all(b"through").expect("writes");
        send(near.as_raw_fd(), b"here", Some(file.as_raw_fd())).expect("sends");
        send(near.as_raw_fd(), b"none", None).expect("sends");
        let (message, fd) = receive(&far).expect("receives");
        let mut copy = File::from(fd.expect("a descriptor"));
        let mut text = String::new();
        copy.rewind().expect("rewinds");
        copy.read_to_string(&mut text).expect("reads");
        assert_eq!((message.as_slice(), text.as_str()), (b"here".as_slice(), "through"));
        let (message, fd) = receive(&far).expect("receives");
        assert_eq!((message.as_slice(), fd.is_none()), (b"none".as_slice(), true));
        drop(near);
        assert!(receive(&far).expect("receives").0.is_empty());
    }
}
