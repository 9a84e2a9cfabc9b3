//! As much of redis as a guestbook needs: one connection, made again when it breaks.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a connect or an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes.
const LONGEST_REPLY: usize = 8 << 20;

pub(crate) struct Redis {
    address: String,
    password: Option<String>,
    connection: Mutex<Option<BufReader<TcpStream>>>,
}

/// A reply of the protocol (RESP2), as far as our commands draw it.
#[derive(Debug, PartialEq)]
enum Reply {
    Text(String),
    Number(i64),
    List(Vec<String>),
}

impl Redis {
    pub(crate) fn new(address: String, password: Option<String>) -> Self {
        Self { address, password, connection: Mutex::new(None) }
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        self.call(&["PING"]).await.map(drop)
    }

    /// Adds an entry in front, and forgets those behind the `most`th.
    pub(crate) async fn push(&self, key: &str, entry: &str, most: usize) -> Result<()> {
        self.call(&["LPUSH", key, entry]).await?;
        self.call(&["LTRIM", key, "0", &(most - 1).to_string()]).await.map(drop)
    }

    /// The newest entries, newest first.
    pub(crate) async fn range(&self, key: &str, most: usize) -> Result<Vec<String>> {
        match self.call(&["LRANGE", key, "0", &(most - 1).to_string()]).await? {
            Reply::List(entries) => Ok(entries),
            other => bail!("expected a list, got {other:?}"),
        }
    }

    async fn call(&self, command: &[&str]) -> Result<Reply> {
        let mut slot = self.connection.lock().await;
        // It is put back only with its answer read: where that fails, or the visitor who asked goes
        // away, what is under way on it belongs to nobody, and is no answer to the next one.
        let mut connection = slot.take();
        let outcome = timeout(PATIENCE, self.exchange(&mut connection, command)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(anyhow!("no answer from {}", self.address)));
        if outcome.is_ok() {
            *slot = connection;
        }
        outcome
    }

    async fn exchange(&self, slot: &mut Option<BufReader<TcpStream>>, command: &[&str]) -> Result<Reply> {
        let kept = slot.is_some();
        if slot.is_none() {
            *slot = Some(self.connect().await?);
        }
        let connection = slot.as_mut().expect("connected above");
        match ask(connection, command).await {
            // A kept connection may have died since; PUSH on a dead one reached nobody.
            Err(_) if kept => {
                let fresh = slot.insert(self.connect().await?);
                ask(fresh, command).await
            }
            outcome => outcome,
        }
    }

    async fn connect(&self) -> Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(&self.address).await;
        let stream = stream.with_context(|| format!("connect to {}", self.address))?;
        stream.set_nodelay(true)?;
        let mut connection = BufReader::new(stream);
        if let Some(password) = &self.password {
            ask(&mut connection, &["AUTH", password]).await.context("AUTH")?;
        }
        Ok(connection)
    }
}

async fn ask(connection: &mut BufReader<TcpStream>, command: &[&str]) -> Result<Reply> {
    let mut request = format!("*{}\r\n", command.len());
    for word in command {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    connection.write_all(request.as_bytes()).await?;
    let first = line(connection).await?;
    let (kind, rest) = first.split_at_checked(1).context("an empty reply")?;
    match kind {
        "+" => Ok(Reply::Text(rest.to_owned())),
        "-" => bail!("redis says: {rest}"),
        ":" => Ok(Reply::Number(rest.parse()?)),
        "$" => bulk(connection, rest).await.map(Reply::Text),
        "*" => {
            let mut list = Vec::new();
            for _ in 0..rest.parse::<u32>()? {
                let head = line(connection).await?;
                list.push(bulk(connection, head.strip_prefix('$').context("expected text")?).await?);
            }
            Ok(Reply::List(list))
        }
        _ => bail!("not redis: {first:?}"),
    }
}

async fn line(connection: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    connection.read_line(&mut line).await?;
    ensure!(line.ends_with("\r\n"), "redis hung up");
    line.truncate(line.len() - 2);
    Ok(line)
}

async fn bulk(connection: &mut BufReader<TcpStream>, length: &str) -> Result<String> {
    let length: usize = length.parse()?;
    ensure!(length <= LONGEST_REPLY, "a reply of {length} bytes");
    let mut text = vec![0; length + 2];
    connection.read_exact(&mut text).await?;
    text.truncate(length);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each command by the next of `replies`; every connection ends after `per_connection`.
    async fn serve(per_connection: usize, replies: &'static [&'static str]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        tokio::spawn(async move {
            for replies in replies.chunks(per_connection) {
                let (stream, _) = listener.accept().await.expect("a connection");
                let mut stream = BufReader::new(stream);
                for reply in replies {
                    let words: usize =
                        line(&mut stream).await.expect("a command")[1..].parse().expect("a number");
                    for _ in 0..words {
                        line(&mut stream).await.expect("a length");
                        line(&mut stream).await.expect("a word");
                    }
                    stream.write_all(reply.as_bytes()).await.expect("sent");
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn it_logs_in_and_makes_a_broken_connection_again() {
        let address = serve(2, &["+OK\r\n", "+PONG\r\n", "+OK\r\n", "*2\r\n$1\r\na\r\n$2\r\nbc\r\n"]).await;
        let redis = Redis::new(address, Some("secret".to_owned()));
        redis.ping().await.expect("answered");
        assert_eq!(redis.range("k", 10).await.expect("over a new connection"), ["a", "bc"]);
    }

    #[tokio::test]
    async fn what_redis_refuses_is_told() {
        let address = serve(1, &["-WRONGPASS no\r\n"]).await;
        let redis = Redis::new(address, Some("wrong".to_owned()));
        let error = redis.ping().await.expect_err("refused");
        assert_eq!(format!("{error:#}"), "AUTH: redis says: WRONGPASS no");
    }

    /// The answer to somebody who went away is nobody else's.
    #[tokio::test]
    async fn who_goes_away_leaves_no_answer_behind() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let redis = Redis::new(listener.local_addr().expect("bound").to_string(), None);
        let (gone, go_on) = tokio::sync::oneshot::channel();
        let server = tokio::spawn(async move {
            let accept = async || listener.accept().await.expect("a connection").0;
            let mut first = accept().await;
            let mut command = [0; 14];
            first.read_exact(&mut command).await.expect("PING");
            gone.send(()).expect("it is waited for");
            first.write_all(b"+PONG\r\n").await.expect("sent");
            let mut second = accept().await;
            second.write_all(b"*0\r\n").await.expect("sent");
            (first, second)
        });
        tokio::select! {
            biased;
            asked = go_on => asked.expect("it was asked"),
            _ = redis.ping() => panic!("it was not to wait for the answer"),
        }
        assert_eq!(redis.range("entries", 9).await.expect("its own answer"), Vec::<String>::new());
        server.await.expect("both were served");
    }
}
