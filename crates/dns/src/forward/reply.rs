//! An answer of others: kept as the bytes that a client gets, with the places of its times,
//! so that it is given out by copying.

use std::time::Duration;

use hickory_proto::ProtoError;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};
use tokio::time::Instant;
use xebec_dataplane::dns;

use crate::answer::{Answer, TTL_SECONDS};
use crate::query::{HEADER_BYTES, Query, Rcode, Reader};

/// How long an answer is kept whatever it says.
const MOST_SECONDS: u32 = 300;
/// How long nothing stays nothing.
const MOST_NEGATIVE_SECONDS: u32 = 30;

/// See the module.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Without EDNS options.
    message: Box<[u8]>,
    question_bytes: usize,
    /// Where the times of its records stand.
    ttls: Box<[usize]>,
    rcode: ResponseCode,
    /// It is a part of the answer, good for those who wait for it only.
    truncated: bool,
    came: Instant,
    good_seconds: u32,
}

impl Reply {
    /// Of an answer that came just now.
    ///
    /// # Errors
    /// It cannot be written down again.
    pub(super) fn new(mut message: Message, now: Instant) -> Result<Self, ProtoError> {
        let truncated = message.metadata.truncation;
        let good_seconds = if truncated { 0 } else { good_seconds(&message) };
        message.edns = None;
        message.signature = None;
        message.metadata.authoritative = false;
        message.metadata.truncation = false;
        message.metadata.recursion_available = true;
        let rcode = message.metadata.response_code;
        let message = message.to_vec()?;
        let (question_bytes, ttls) = places(&message).unwrap_or_default();
        let ttls = ttls.into();
        Ok(Self { message: message.into(), question_bytes, ttls, rcode, truncated, came: now, good_seconds })
    }

    /// Asking somebody else would tell the same.
    pub(super) fn is_final(&self) -> bool {
        matches!(self.rcode, ResponseCode::NoError | ResponseCode::NXDomain) && !self.truncated
    }

    /// There is more of it.
    pub(super) fn is_part(&self) -> bool {
        self.truncated
    }

    pub(super) fn came(&self) -> Instant {
        self.came
    }

    pub(super) fn good_until(&self) -> Instant {
        self.came + Duration::from_secs(self.good_seconds.into())
    }

    pub(super) fn bytes(&self) -> usize {
        self.message.len()
    }

    /// Writes it as the answer to a query, with what is left of its times.
    pub(crate) fn write(&self, out: &mut Vec<u8>, query: &Query<'_>, limit: usize) {
        let mut answer = Answer::to(out, query, limit);
        let records = self.message.get(HEADER_BYTES + self.question_bytes..).unwrap_or_default();
        let same = self.question_bytes == query.question.len();
        if !same || !answer.copy(records, &self.message) {
            answer.truncated();
            return answer.end(Rcode::NoError);
        }
        if self.truncated {
            answer.truncated();
        }
        let age = u32::try_from(self.came.elapsed().as_secs()).unwrap_or(u32::MAX);
        answer.age(&self.ttls, age);
        answer.end(rcode(self.rcode));
    }

    /// Writes it as the answer to a query whose name is an alias.
    pub(crate) fn write_below(
        &self,
        out: &mut Vec<u8>,
        query: &Query<'_>,
        aliases: &[dns::Name],
        limit: usize,
    ) {
        let age = u32::try_from(self.came.elapsed().as_secs()).unwrap_or(u32::MAX);
        let mut answer = Answer::to(out, query, limit);
        let Some(message) = self.below(query, aliases, age) else { return answer.end(Rcode::ServFail) };
        let records = message.get(HEADER_BYTES + query.question.len()..).unwrap_or_default();
        if answer.copy(records, &message) {
            if self.truncated {
                answer.truncated();
            }
            return answer.end(rcode(self.rcode));
        }
        answer.truncated();
        answer.end(Rcode::NoError);
    }

    /// The message with the aliases before its own records.
    fn below(&self, query: &Query<'_>, aliases: &[dns::Name], age: u32) -> Option<Vec<u8>> {
        let mut message = Message::from_vec(&self.message).ok()?;
        let name = |wire: &[u8]| Name::read(&mut BinDecoder::new(wire)).ok();
        for record in message.answers.iter_mut().chain(&mut message.authorities) {
            record.ttl = record.ttl.saturating_sub(age);
        }
        let mut owner = name(query.name())?;
        for question in &mut message.queries {
            question.set_name(owner.clone());
        }
        let mut chain = Vec::new();
        for alias in aliases {
            let target = name(alias.wire())?;
            let data = RData::CNAME(CNAME(target.clone()));
            chain.push(Record::from_rdata(std::mem::replace(&mut owner, target), TTL_SECONDS, data));
        }
        chain.append(&mut message.answers);
        message.answers = chain;
        message.to_vec().ok()
    }

    #[cfg(test)]
    pub(super) fn for_test(came: Instant, good_seconds: u32, bytes: usize) -> Self {
        let rcode = ResponseCode::NoError;
        Self {
            message: vec![0; bytes].into(),
            question_bytes: 0,
            ttls: Box::default(),
            rcode,
            truncated: false,
            came,
            good_seconds,
        }
    }
}

/// The shortest time of what is told, or the zone's own for nothing (RFC 2308, 5). Aliases that
/// lead to nothing of what was asked for are told and are nothing: the shorter time is theirs.
fn good_seconds(message: &Message) -> u32 {
    let told = message.answers.iter().map(|record| record.ttl).min();
    let told = told.filter(|_| message.metadata.response_code == ResponseCode::NoError);
    let nothing = message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    match told {
        Some(seconds) if is_answered(message) => seconds.min(MOST_SECONDS),
        Some(seconds) => seconds.min(nothing.unwrap_or(MOST_NEGATIVE_SECONDS)).min(MOST_NEGATIVE_SECONDS),
        None => nothing.unwrap_or(0).min(MOST_NEGATIVE_SECONDS),
    }
}

/// Whether there is a record of the type that was asked for.
fn is_answered(message: &Message) -> bool {
    message.queries.iter().any(|query| {
        let asked = query.query_type();
        asked == RecordType::ANY || message.answers.iter().any(|record| record.record_type() == asked)
    })
}

/// How long the question is, and where the records' times stand.
fn places(message: &[u8]) -> Option<(usize, Vec<usize>)> {
    let mut reader = Reader { message, at: 4 };
    let questions = reader.number()?;
    let mut records = 0;
    for _ in 0..3 {
        records += usize::from(reader.number()?);
    }
    for _ in 0..questions {
        reader.pass_name()?;
        reader.take(4)?;
    }
    let question_bytes = reader.at - HEADER_BYTES;
    let mut ttls = Vec::new();
    for _ in 0..records {
        reader.pass_name()?;
        reader.take(4)?;
        ttls.push(reader.at);
        reader.take(4)?;
        let length = reader.number()?;
        reader.take(usize::from(length))?;
    }
    Some((question_bytes, ttls))
}

/// What a client is told; of what needs EDNS to say, only that it failed.
fn rcode(code: ResponseCode) -> Rcode {
    match code {
        ResponseCode::NoError => Rcode::NoError,
        ResponseCode::NXDomain => Rcode::NxDomain,
        ResponseCode::FormErr => Rcode::FormErr,
        ResponseCode::NotImp => Rcode::NotImp,
        ResponseCode::Refused => Rcode::Refused,
        _ => Rcode::ServFail,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hickory_proto::op::Query;
    use hickory_proto::rr::rdata::{A, SOA};

    use super::*;

    /// An answer to a question for addresses, of these parts.
    fn good_for(alias: Option<u32>, address: Option<u32>, head: Option<(u32, u32)>) -> u32 {
        let name = |text| Name::from_ascii(text).expect("a name");
        let (own, other) = (name("www.test."), name("other.test."));
        let mut message = Message::query();
        message.add_query(Query::query(own.clone(), RecordType::A));
        if let Some(ttl) = alias {
            message.add_answer(Record::from_rdata(own, ttl, RData::CNAME(CNAME(other.clone()))));
        }
        if let Some(ttl) = address {
            message.add_answer(Record::from_rdata(other.clone(), ttl, RData::A(A(Ipv4Addr::LOCALHOST))));
        }
        if let Some((ttl, minimum)) = head {
            let soa = SOA::new(other.clone(), other, 1, 2, 3, 4, minimum);
            message.add_authority(Record::from_rdata(name("test."), ttl, RData::SOA(soa)));
        }
        good_seconds(&message)
    }

    #[test]
    fn an_alias_that_leads_to_nothing_is_kept_like_nothing() {
        assert_eq!(good_for(Some(600), Some(60), None), 60);
        assert_eq!(good_for(Some(600), Some(900), None), MOST_SECONDS);
        assert_eq!(good_for(None, None, Some((600, 20))), 20);
        assert_eq!(good_for(None, None, None), 0);
        assert_eq!(good_for(Some(600), None, Some((600, 20))), 20);
        assert_eq!(good_for(Some(5), None, Some((600, 20))), 5);
        assert_eq!(good_for(Some(600), None, None), MOST_NEGATIVE_SECONDS);
    }
}
