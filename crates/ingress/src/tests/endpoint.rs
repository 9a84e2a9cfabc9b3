//! An endpoint on loopback that does one thing.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What an endpoint does with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint {
    /// Answers with its name, the request's head and its body.
    Echo(&'static str),
    /// Takes the request and says nothing.
    Silent,
    /// Takes a head, and nothing more.
    Deaf,
    /// Takes the request and hangs up.
    HangUp,
    /// Answers with something else than HTTP.
    Garbage,
    /// Answers with these very bytes.
    Says(&'static str),
    /// Answers 101, and then sends back whatever comes.
    WebSocket,
}

/// A running endpoint; it ends when this is dropped.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Endpoint {
    pub(super) async fn run(self) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(self.serve(stream));
            }
        });
        Running { address, task }
    }

    async fn serve(self, mut stream: TcpStream) -> Option<()> {
        let mut bytes = Vec::new();
        if let Self::Deaf = self {
            until(&mut stream, &mut bytes, b"\r\n\r\n").await?;
            std::future::pending::<()>().await;
        }
        loop {
            let (head, body) = request(&mut stream, &mut bytes).await?;
            match self {
                Self::Echo(name) => {
                    let page = format!("{name}\n{head}\n{}", String::from_utf8_lossy(&body));
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len());
                    stream.write_all(answer.as_bytes()).await.ok()?;
                }
                Self::Silent | Self::Deaf => std::future::pending().await,
                Self::HangUp => return None,
                Self::Garbage => {
                    stream.write_all(b"+OK this is no HTTP\r\n\r\n").await.ok()?;
                    return None;
                }
                Self::Says(answer) => stream.write_all(answer.as_bytes()).await.ok()?,
                Self::WebSocket => {
                    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
                    stream.write_all(answer.as_bytes()).await.ok()?;
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok()?;
                    return None;
                }
            }
        }
    }
}

/// One request out of a stream: its head as text, and its body, chunks put together.
async fn request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let end = until(stream, bytes, b"\r\n\r\n").await?;
    let head = String::from_utf8_lossy(&bytes.drain(..end).collect::<Vec<_>>()).to_lowercase();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
    let mut body = Vec::new();
    if let Some(length) = field("content-length:") {
        let length = length.parse().expect("a number");
        while bytes.len() < length {
            more(stream, bytes).await?;
        }
        body.extend(bytes.drain(..length));
    } else if field("transfer-encoding:").is_some() {
        loop {
            let end = until(stream, bytes, b"\r\n").await?;
            let line = String::from_utf8(bytes.drain(..end).collect()).expect("text");
            let size = usize::from_str_radix(line.trim(), 16).expect("a size");
            while bytes.len() < size + 2 {
                more(stream, bytes).await?;
            }
            body.extend(bytes.drain(..size + 2).take(size));
            if size == 0 {
                break;
            }
        }
    }
    Some((head.trim().replace('\r', ""), body))
}

async fn until(stream: &mut TcpStream, bytes: &mut Vec<u8>, mark: &[u8]) -> Option<usize> {
    loop {
        if let Some(at) = bytes.windows(mark.len()).position(|window| window == mark) {
            return Some(at + mark.len());
        }
        more(stream, bytes).await?;
    }
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(bytes).await.ok()? > 0).then_some(())
}
