//! Batches over loopback.

use std::net::UdpSocket;
use std::time::Duration;

use super::*;

fn bound() -> (UdpSocket, SocketAddrV4) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let std::net::SocketAddr::V4(address) = socket.local_addr().expect("bound") else {
        unreachable!("it was bound to IPv4")
    };
    (socket, address)
}

fn received(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).expect("a datagram in time");
    buffer[..length].to_vec()
}

/// What two senders sent is told apart and sent on whole, whether its lengths are even or not.
#[test]
fn runs_are_passed_on_whole() {
    let (proxy, address) = bound();
    let (one, two, receiver) = (bound(), bound(), bound());
    let proxy = OwnedFd::from(proxy);
    for lengths in [vec![64, 64, 64, 20], vec![1, 900, 3], vec![1400, 1400], vec![0, 5], vec![7]] {
        let sent: Vec<Vec<u8>> = lengths
            .iter()
            .enumerate()
            .map(|(i, length)| vec![u8::try_from(i).expect("few"); *length])
            .collect();
        for datagram in &sent {
            one.0.send_to(datagram, address).expect("sent");
        }
        two.0.send_to(b"other", address).expect("sent");
        let mut batch = Batch::new();
        assert_eq!(batch.receive(&proxy).expect("received"), sent.len() + 1);
        assert_eq!(batch.datagram(0), Datagram { from: one.1, meant: None });
        let (run, rest) = (batch.run(0), batch.run(sent.len()));
        assert_eq!((run.clone(), rest.clone()), (0..sent.len(), sent.len()..sent.len() + 1));
        batch.send(&proxy, run, Some(receiver.1)).expect("sent on");
        batch.send(&proxy, rest, Some(receiver.1)).expect("sent on");
        let got: Vec<Vec<u8>> = sent.iter().map(|_| received(&receiver.0)).collect();
        assert_eq!(got, sent);
        assert_eq!(received(&receiver.0), b"other");
    }
}

/// Nothing there is an error that can be told, and so is a receiver that is not.
#[test]
fn errors_are_told() {
    let (proxy, address) = bound();
    let proxy = OwnedFd::from(proxy);
    let mut batch = Batch::new();
    assert_eq!(batch.receive(&proxy).expect_err("nothing there").kind(), io::ErrorKind::WouldBlock);
    let (sender, _) = bound();
    sender.send_to(b"x", address).expect("sent");
    assert_eq!(batch.receive(&proxy).expect("received"), 1);
    let (gone, nobody) = bound();
    drop(gone);
    let upstream = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    upstream.connect(nobody).expect("connected");
    let upstream = OwnedFd::from(upstream);
    batch.send(&upstream, 0..1, None).expect("the first one leaves");
    assert_eq!(
        batch.send(&upstream, 0..1, None).expect_err("refused").kind(),
        io::ErrorKind::ConnectionRefused
    );
}
