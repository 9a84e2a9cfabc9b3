//! The three kinds of UDP sockets.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};

/// What may wait at the socket that all clients share.
const LISTENER_BYTES: usize = 4 << 20;

fn open() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Inet, SockType::Datagram, flags, None)
}

/// The one that datagrams are redirected to; it is told which address each one meant.
pub(super) fn listener(address: SocketAddrV4) -> io::Result<OwnedFd> {
    let socket = open()?;
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    setsockopt(&socket, sockopt::Ipv4OrigDstAddr, &true)?;
    if let Err(error) = setsockopt(&socket, sockopt::RcvBufForce, &LISTENER_BYTES) {
        tracing::debug!(%error, "SO_RCVBUFFORCE");
    }
    bind(socket.as_raw_fd(), &SockaddrIn::from(address))?;
    Ok(socket)
}

/// One that answers from a Service's address. A daemon of the host may have the same port
/// on all addresses, if it shares it too.
pub(super) fn answering(address: SocketAddrV4) -> io::Result<OwnedFd> {
    let socket = open()?;
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(address))?;
    Ok(socket)
}

/// One that speaks with an endpoint, from the client's address if that is given. Always
/// transparent, so that the kernel does not track it.
pub(super) fn upstream(endpoint: SocketAddrV4, source: Option<Ipv4Addr>) -> io::Result<OwnedFd> {
    let socket = open()?;
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    if let Some(source) = source {
        bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(source, 0)))?;
    }
    connect(socket.as_raw_fd(), &SockaddrIn::from(endpoint))?;
    Ok(socket)
}
