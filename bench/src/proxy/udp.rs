//! Datagrams: an echo on the server, and a client with many sockets of which each has a
//! window of questions under way.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

use super::Path;
use super::row::{ECHO, Row};
use super::tcp::Seen;
use crate::Options;
use crate::hosts::enter;
use crate::report::Report;
use crate::stats::median;

const SIZES: [usize; 2] = [64, 1200];
/// Sockets of the client, each a flow.
const SOCKETS: usize = 16;
/// Questions of one socket that are under way.
const WINDOW: usize = 16;
/// Datagrams of one call.
const BATCH: usize = 32;
/// At least so many answers for each one of nginx's.
const GOAL: f64 = 1.4;

/// Measures both sizes on every path, in turns, and adds the table.
///
/// # Errors
/// When nothing comes back.
pub(crate) fn measure(options: &Options, report: &mut Report, row: &Row, paths: &[Path<'_>]) -> Result<()> {
    let headers =
        ["bytes", "path", "1000 echoes/s", "xebec ÷ it", "CPU µs of the process", "of the machine", "goal"];
    report.begin("UDP through a node: echoes, CPU of each", &headers);
    for size in SIZES {
        let mut seen: Vec<Seen> = paths.iter().map(|_| Seen::default()).collect();
        for _ in 0..options.rounds {
            for (path, seen) in paths.iter().zip(&mut seen) {
                let address = (path.address)(ECHO);
                let load = || row.within("client", || echoes(&address, size, options.seconds));
                seen.add(path, || load()?.with_context(|| format!("{} at {address}", path.name)))?;
            }
        }
        let own = median(&mut seen[0].values);
        for (path, seen) in paths.iter().zip(&mut seen) {
            let total: f64 = seen.values.iter().sum::<f64>() * options.seconds as f64;
            let value = median(&mut seen.values);
            let each = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e6 / total);
            let goal = (path.name == "nginx stream")
                .then(|| format!("≥ {GOAL}: {}", if own / value >= GOAL { "met" } else { "missed" }));
            report.row([
                size.to_string(),
                path.name.to_owned(),
                format!("{:.1}", value / 1e3),
                format!("{:.2}", own / value),
                path.process.map_or_else(|| "–".to_owned(), |_| each(seen.cpu)),
                each(seen.machine),
                goal.unwrap_or_default(),
            ]);
        }
    }
    Ok(())
}

/// Answers per second.
fn echoes(address: &str, size: usize, seconds: u64) -> Result<f64> {
    let sockets: Vec<UdpSocket> = (0..SOCKETS).map(|_| open(address)).collect::<Result<_>>()?;
    let mut mail = Mail::new();
    for socket in &sockets {
        mail.send_new(socket, size, WINDOW)?;
    }
    let (start, length) = (Instant::now(), Duration::from_secs(seconds));
    let (mut answers, mut last) = (0_u64, Instant::now());
    while start.elapsed() < length {
        let mut waiting: Vec<PollFd<'_>> =
            sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        poll(&mut waiting, PollTimeout::from(100_u16))?;
        let ready: Vec<bool> = waiting.iter().map(|fd| fd.any().unwrap_or_default()).collect();
        for (socket, _) in sockets.iter().zip(ready).filter(|(_, ready)| *ready) {
            answers += mail.bounce(socket, false)? as u64;
            last = Instant::now();
        }
        if last.elapsed() > Duration::from_millis(200) {
            // Everything under way was lost.
            sockets.iter().try_for_each(|socket| mail.send_new(socket, size, WINDOW))?;
            last = Instant::now();
        }
    }
    ensure!(answers > 0, "nothing came back");
    Ok(answers as f64 / start.elapsed().as_secs_f64())
}

fn open(address: &str) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Buffers for a batch.
struct Mail {
    buffers: Box<[[u8; 2048]; BATCH]>,
}

impl Mail {
    fn new() -> Self {
        Self { buffers: Box::new([[b'x'; 2048]; BATCH]) }
    }

    fn send_new(&mut self, socket: &UdpSocket, size: usize, count: usize) -> Result<()> {
        for _ in 0..count {
            match socket.send(&self.buffers[0][..size]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }

    /// Receives a batch and sends it back, to where each came from if the socket is not
    /// connected. Gives how many there were.
    fn bounce(&mut self, socket: &UdpSocket, named: bool) -> Result<usize> {
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
        let mut slots = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let received: Vec<(usize, Option<SockaddrIn>)> =
            match recvmmsg(socket.as_raw_fd(), &mut headers, slots.iter_mut(), flags, None) {
                Err(nix::Error::EAGAIN | nix::Error::ECONNREFUSED) => return Ok(0),
                outcome => outcome?.map(|message| (message.bytes, message.address)).collect(),
            };
        let slices: Vec<[IoSlice<'_>; 1]> = received
            .iter()
            .zip(self.buffers.iter())
            .map(|((length, _), buffer)| [IoSlice::new(&buffer[..*length])])
            .collect();
        let names: Vec<Option<SockaddrIn>> =
            received.iter().map(|(_, name)| name.filter(|_| named)).collect();
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(received.len(), None);
        match sendmmsg(socket.as_raw_fd(), &mut headers, &slices, names, [], flags) {
            Ok(_) | Err(nix::Error::EAGAIN | nix::Error::ECONNREFUSED) => Ok(received.len()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The server's echo, until it is dropped.
pub(crate) struct Echo {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Echo {
    /// Starts it on a thread.
    ///
    /// # Errors
    /// When there is no thread.
    pub(crate) fn start(port: u16) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::Builder::new().spawn(move || {
            enter("server")?;
            let (socket, mut mail) = (UdpSocket::bind(("0.0.0.0", port))?, Mail::new());
            while !stopping.load(Ordering::Relaxed) {
                poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], PollTimeout::from(100_u16))?;
                mail.bounce(&socket, true)?;
            }
            Ok(())
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}
