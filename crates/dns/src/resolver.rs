//! From a query to its answer: the cluster's names out of the table, all others out of
//! the cache or from the resolvers behind it. One for all servers.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use xebec_dataplane::dns::{Lookup, Name, RecordType, Table};

use crate::answer::{Answer, MOST_UDP_BYTES};
use crate::forward::{Forwarder, Question};
use crate::query::{Query, Rcode, Refusal};

/// Aliases that are followed for one question.
const MOST_ALIASES: usize = 8;
/// What the length before an answer by TCP can say.
const MOST_TCP_BYTES: usize = 65_535;

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    fn limit(self, query: &Query<'_>) -> usize {
        match self {
            Self::Udp => query.udp_limit(MOST_UDP_BYTES),
            Self::Tcp => MOST_TCP_BYTES,
        }
    }
}

/// What became of a query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The answer is written.
    Answered,
    /// Nobody is to be answered.
    Silent,
    /// Others know: the question's name, or the last of these aliases of it.
    Ask(Vec<Name>),
}

/// See the module.
pub(crate) struct Resolver {
    table: ArcSwap<Table>,
    forwarder: Forwarder,
}

impl Resolver {
    pub(crate) fn new(table: Table, forwarder: Forwarder) -> Arc<Self> {
        Arc::new(Self { table: ArcSwap::from_pointee(table), forwarder })
    }

    /// Answers from this table from now on.
    pub(crate) fn set_table(&self, table: Table) {
        self.table.store(Arc::new(table));
    }

    /// The table as it is now.
    pub(crate) fn table(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    /// Answers without waiting for anybody, if that can be.
    pub(crate) fn answer_at_once(
        &self,
        table: &Table,
        message: &[u8],
        transport: Transport,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let query = match Query::read(message) {
            Ok(query) => query,
            Err(Refusal::Silence) => return Verdict::Silent,
            Err(refusal) => {
                Answer::refuse(out, refusal);
                return Verdict::Answered;
            }
        };
        let limit = transport.limit(&query);
        let verdict = from_table(table, &query, limit, out);
        match &verdict {
            Verdict::Ask(aliases) if aliases.is_empty() => {
                let question = Question::of(&query, query.name());
                match self.forwarder.remembered(&question) {
                    Some(reply) => {
                        reply.write(out, &query, limit);
                        Verdict::Answered
                    }
                    None => verdict,
                }
            }
            _ => verdict,
        }
    }

    /// Answers, by asking others where that is needed. `None` where nobody is to be.
    pub(crate) async fn answer(&self, message: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let verdict = self.answer_at_once(&self.table(), message, transport, &mut out);
        match verdict {
            Verdict::Answered => return Some(out),
            Verdict::Silent => return None,
            Verdict::Ask(aliases) => self.ask(message, &aliases, transport, &mut out).await,
        }
        Some(out)
    }

    async fn ask(&self, message: &[u8], aliases: &[Name], transport: Transport, out: &mut Vec<u8>) {
        // It was read before; now it is read for its parts.
        let Ok(query) = Query::read(message) else { return };
        let limit = transport.limit(&query);
        let name = aliases.last().map_or(query.name(), Name::wire);
        let reply = self.forwarder.ask(Question::of(&query, name)).await;
        match reply {
            None => Answer::to(out, &query, limit).end(Rcode::ServFail),
            Some(reply) if aliases.is_empty() => reply.write(out, &query, limit),
            Some(reply) => reply.write_below(out, &query, aliases, limit),
        }
    }
}

fn from_table(table: &Table, query: &Query<'_>, limit: usize, out: &mut Vec<u8>) -> Verdict {
    let kind = RecordType::of(query.kind);
    match table.lookup(query.name(), kind) {
        Lookup::Elsewhere => return Verdict::Ask(Vec::new()),
        Lookup::Alias(name) if matches!(kind, RecordType::Cname | RecordType::Any) => {
            let mut answer = authoritative(out, query, limit);
            answer.alias(name);
            answer.end(Rcode::NoError);
        }
        Lookup::Alias(name) => return follow(table, query, name, limit, out),
        lookup => {
            let mut answer = authoritative(out, query, limit);
            let rcode = match lookup {
                Lookup::Found(records) => {
                    answer.records(&records, query, table);
                    Rcode::NoError
                }
                other => negative(&mut answer, other, query, table),
            };
            answer.end(rcode);
        }
    }
    Verdict::Answered
}

fn authoritative<'b>(out: &'b mut Vec<u8>, query: &Query<'_>, limit: usize) -> Answer<'b> {
    let mut answer = Answer::to(out, query, limit);
    answer.authoritative();
    answer
}

fn negative(answer: &mut Answer<'_>, lookup: Lookup<'_>, query: &Query<'_>, table: &Table) -> Rcode {
    match lookup {
        Lookup::NoName(zone) => {
            answer.negative(zone, query, table);
            Rcode::NxDomain
        }
        Lookup::NoData(zone) => {
            answer.negative(zone, query, table);
            Rcode::NoError
        }
        _ => Rcode::NoError,
    }
}

/// Goes from alias to alias as long as they are the cluster's own.
fn follow(table: &Table, query: &Query<'_>, first: &Name, limit: usize, out: &mut Vec<u8>) -> Verdict {
    let kind = RecordType::of(query.kind);
    let mut aliases = vec![first.clone()];
    loop {
        let last = &aliases[aliases.len() - 1];
        match table.lookup(last.wire(), kind) {
            Lookup::Elsewhere => return Verdict::Ask(aliases),
            Lookup::Alias(next) if aliases.len() < MOST_ALIASES && !aliases.contains(next) => {
                aliases.push(next.clone());
            }
            // They lead in a circle.
            Lookup::Alias(_) => {
                Answer::to(out, query, limit).end(Rcode::ServFail);
                return Verdict::Answered;
            }
            lookup => {
                let mut answer = authoritative(out, query, limit);
                answer.aliases(&aliases);
                let rcode = match lookup {
                    Lookup::Found(records) => {
                        answer.addresses_of(last, &records);
                        Rcode::NoError
                    }
                    other => negative(&mut answer, other, query, table),
                };
                answer.end(rcode);
                return Verdict::Answered;
            }
        }
    }
}
