//! One question to one resolver: by UDP, and by TCP where the answer does not fit. Each
//! goes by a port and under a number of its own, and only an answer to this very question
//! from this very resolver is taken.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

use super::{Question, Reply};
use crate::answer::MOST_UDP_BYTES;

/// How long one resolver may take, by UDP and by TCP each.
const TRY: Duration = Duration::from_millis(1500);
/// More than is asked for; a resolver that sends more is cut off, and not understood.
const RECEIVE_BYTES: usize = 4096;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the question cannot be written: {0}")]
    Question(#[from] ProtoError),
    #[error("it did not answer within {TRY:?}")]
    Timeout,
    #[error("its answer by TCP is none to the question")]
    Mismatch,
}

/// Asks.
///
/// # Errors
/// It cannot be reached, or does not answer in time.
pub(super) async fn ask(upstream: SocketAddr, question: &Question) -> Result<Reply, ExchangeError> {
    let message = message(question)?;
    let answer = timeout(TRY, by_udp(upstream, &message)).await.map_err(|_| ExchangeError::Timeout)??;
    let answer = if answer.metadata.truncation { whole(upstream, &message, answer).await } else { answer };
    Ok(Reply::new(answer, Instant::now())?)
}

/// The same by TCP. Some resolvers, and networks before them, know none: then a part of the
/// answer, which says that it is one, is better than nothing.
async fn whole(upstream: SocketAddr, message: &Message, part: Message) -> Message {
    match timeout(TRY, by_tcp(upstream, message)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            tracing::debug!(%upstream, %error, "no answer by TCP");
            part
        }
        Err(_) => part,
    }
}

fn message(question: &Question) -> Result<Message, ExchangeError> {
    let name = Name::read(&mut BinDecoder::new(&question.name)).map_err(ProtoError::from)?;
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.metadata.checking_disabled = question.checking_disabled;
    message.add_query(Query::query(name, RecordType::from(question.kind)));
    let mut edns = Edns::new();
    edns.set_max_payload(MOST_UDP_BYTES as u16).set_dnssec_ok(question.dnssec_ok);
    message.set_edns(edns);
    Ok(message)
}

async fn by_udp(upstream: SocketAddr, message: &Message) -> Result<Message, ExchangeError> {
    let own: SocketAddr = match upstream {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(own).await?;
    // From now on the kernel drops what others send.
    socket.connect(upstream).await?;
    socket.send(&message.to_vec()?).await?;
    let mut buffer = vec![0; RECEIVE_BYTES];
    loop {
        let bytes = socket.recv(&mut buffer).await?;
        // What is no answer to this may be somebody's guess at one: the true one may follow.
        if let Some(answer) = answer(&buffer[..bytes], message) {
            return Ok(answer);
        }
    }
}

async fn by_tcp(upstream: SocketAddr, message: &Message) -> Result<Message, ExchangeError> {
    let mut stream = TcpStream::connect(upstream).await?;
    let bytes = message.to_vec()?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), &*bytes].concat()).await?;
    let mut buffer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut buffer).await?;
    answer(&buffer, message).ok_or(ExchangeError::Mismatch)
}

/// The answer, if it is one to this question.
fn answer(bytes: &[u8], asked: &Message) -> Option<Message> {
    use hickory_proto::op::MessageType::Response;
    let answer = Message::from_vec(bytes).ok()?;
    let ours = answer.metadata.id == asked.metadata.id && answer.metadata.message_type == Response;
    (ours && answer.queries == asked.queries).then_some(answer)
}

#[cfg(test)]
mod tests;
