//! A query as it comes from the network: its header, its one question and its EDNS
//! options, read in place. Nothing of it is believed: what is cut off, points about or asks
//! twice is refused.

use xebec_dataplane::dns::MOST_NAME_BYTES;

/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 12;
/// Answers to who says nothing of what it takes (RFC 1035, 4.2.1).
pub(crate) const PLAIN_UDP_BYTES: usize = 512;
/// Records beyond the question that are looked through for EDNS options.
const MOST_RECORDS: u16 = 8;

pub(crate) const CLASS_IN: u16 = 1;
const CLASS_ANY: u16 = 255;
const TYPE_OPT: u16 = 41;
const TYPE_IXFR: u16 = 251;
const TYPE_AXFR: u16 = 252;

/// Header bits, in the second and third pair of bytes.
pub(crate) mod bits {
    pub(crate) const RESPONSE: u16 = 0x8000;
    pub(crate) const OPCODE: u16 = 0x7800;
    pub(crate) const AUTHORITATIVE: u16 = 0x0400;
    pub(crate) const TRUNCATED: u16 = 0x0200;
    pub(crate) const RECURSION_DESIRED: u16 = 0x0100;
    pub(crate) const RECURSION_AVAILABLE: u16 = 0x0080;
    pub(crate) const CHECKING_DISABLED: u16 = 0x0010;
    /// In the flags of EDNS.
    pub(crate) const DNSSEC_OK: u16 = 0x8000;
}

/// How an answer ends (IANA, DNS RCODEs); from 16 on it takes EDNS to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    BadVers = 16,
}

/// What its sender takes beyond plain DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edns {
    pub(crate) udp_bytes: usize,
    pub(crate) dnssec_ok: bool,
}

/// A question that can be looked up.
#[derive(Clone, Debug)]
pub(crate) struct Query<'a> {
    pub(crate) id: u16,
    pub(crate) flags: u16,
    /// As it stands in the message, with its own upper and lower case.
    pub(crate) question: &'a [u8],
    name: [u8; MOST_NAME_BYTES],
    name_bytes: usize,
    pub(crate) kind: u16,
    pub(crate) edns: Option<Edns>,
}

/// A message that gets no answer of substance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal<'a> {
    /// No answer at all: too short for a header, or an answer itself.
    Silence,
    /// This one, with the question where it could be read.
    Answer { id: u16, flags: u16, question: &'a [u8], rcode: Rcode, edns: bool },
}

impl<'a> Query<'a> {
    /// # Errors
    /// What to answer instead.
    pub(crate) fn read(message: &'a [u8]) -> Result<Self, Refusal<'a>> {
        let mut reader = Reader { message, at: 0 };
        let header = reader.header().ok_or(Refusal::Silence)?;
        let [id, flags, questions, answers, authorities, additionals] = header;
        if flags & bits::RESPONSE != 0 {
            return Err(Refusal::Silence);
        }
        let refuse = |question, rcode, edns| Err(Refusal::Answer { id, flags, question, rcode, edns });
        if flags & bits::OPCODE != 0 {
            return refuse(&[], Rcode::NotImp, false);
        }
        let mut name = [0; MOST_NAME_BYTES];
        let parsed = (questions == 1).then(|| reader.question(&mut name)).flatten();
        let Some((question, name_bytes, kind, class)) = parsed else {
            return refuse(&[], Rcode::FormErr, false);
        };
        let records = answers.saturating_add(authorities).saturating_add(additionals);
        let Some(found) = reader.edns(records) else {
            return refuse(question, Rcode::FormErr, false);
        };
        let edns = found.map(|(edns, _)| edns);
        if found.is_some_and(|(_, version)| version > 0) {
            return refuse(question, Rcode::BadVers, true);
        }
        if !matches!(class, CLASS_IN | CLASS_ANY) || matches!(kind, TYPE_AXFR | TYPE_IXFR) {
            return refuse(question, Rcode::Refused, edns.is_some());
        }
        Ok(Self { id, flags, question, name, name_bytes, kind, edns })
    }

    /// The name asked for, whole, in wire form and in lower case.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name[..self.name_bytes]
    }

    /// The largest answer that its sender takes by UDP.
    pub(crate) fn udp_limit(&self, most: usize) -> usize {
        self.edns.map_or(PLAIN_UDP_BYTES, |edns| edns.udp_bytes.clamp(PLAIN_UDP_BYTES, most))
    }
}

/// A place in a message.
pub(crate) struct Reader<'a> {
    pub(crate) message: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.message.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(crate) fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn header(&mut self) -> Option<[u16; 6]> {
        let mut header = [0; 6];
        for number in &mut header {
            *number = self.number()?;
        }
        Some(header)
    }

    /// The question, the length of its name, its type and its class. A name that points
    /// elsewhere is none: there is nothing before it to point to.
    fn question(&mut self, name: &mut [u8; MOST_NAME_BYTES]) -> Option<(&'a [u8], usize, u16, u16)> {
        let start = self.at;
        loop {
            let length = usize::from(*self.take(1)?.first()?);
            if length > 63 {
                return None;
            }
            self.take(length)?;
            if self.at - start > MOST_NAME_BYTES {
                return None;
            }
            if length == 0 {
                break;
            }
        }
        let wire = self.message.get(start..self.at)?;
        name[..wire.len()].copy_from_slice(wire);
        // The lengths are below 64, so no letters: they stay as they are.
        name[..wire.len()].make_ascii_lowercase();
        let (kind, class) = (self.number()?, self.number()?);
        Some((self.message.get(start..self.at)?, wire.len(), kind, class))
    }

    /// Passes over a name, compressed or not.
    pub(crate) fn pass_name(&mut self) -> Option<()> {
        loop {
            match usize::from(*self.take(1)?.first()?) {
                0 => return Some(()),
                length @ 1..=63 => drop(self.take(length)?),
                192.. => return self.take(1).map(drop),
                _ => return None,
            }
        }
    }

    /// The EDNS options among the last records, with their version. `None` where a record
    /// is cut off, there are too many, or options come twice.
    fn edns(&mut self, records: u16) -> Option<Option<(Edns, u8)>> {
        if records > MOST_RECORDS {
            return None;
        }
        let mut found = None;
        for _ in 0..records {
            let start = self.at;
            self.pass_name()?;
            let is_root = self.at == start + 1;
            let (kind, class) = (self.number()?, self.number()?);
            let (extended, flags, length) = (self.number()?, self.number()?, self.number()?);
            self.take(usize::from(length))?;
            if kind == TYPE_OPT {
                if found.is_some() || !is_root {
                    return None;
                }
                let dnssec_ok = flags & bits::DNSSEC_OK != 0;
                let [_, version] = extended.to_be_bytes();
                found = Some((Edns { udp_bytes: usize::from(class), dnssec_ok }, version));
            }
        }
        Some(found)
    }
}
