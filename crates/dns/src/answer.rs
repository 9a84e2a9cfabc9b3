//! Answers as they go to the network: the question as it came, then the records, written
//! from the table without anything in between. Names in the cluster's domain point into
//! the question; names in SRV and PTR are written out, as resolvers expect it.
//!
//! What does not fit is left out, and the answer says so (TC), so that it is asked for
//! again by TCP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use xebec_dataplane::dns::{Addresses, Family, Name, Records, SCHEMA_VERSION, ServiceRecords, Srv, Table};

use crate::query::{CLASS_IN, HEADER_BYTES, Query, Rcode, Refusal, bits};

/// Seconds that an answer may be kept: long enough to spare us, short enough to follow.
pub(crate) const TTL_SECONDS: u32 = 5;
/// What does not change while the cluster lives.
const VERSION_TTL_SECONDS: u32 = 28_800;
/// The largest answer by UDP that no path breaks into pieces (DNS flag day 2020).
pub(crate) const MOST_UDP_BYTES: usize = 1232;
const OPT_BYTES: usize = 11;

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const PTR: u16 = 12;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const SRV: u16 = 33;

/// A pointer to the question's name (RFC 1035, 4.1.4).
const TO_QUESTION: u16 = 0xC000 | HEADER_BYTES as u16;

/// Which section a record is in.
#[derive(Clone, Copy)]
enum Section {
    Answer = 6,
    Authority = 8,
    Additional = 10,
}

/// An answer while it is written.
pub(crate) struct Answer<'b> {
    out: &'b mut Vec<u8>,
    /// Without the EDNS options.
    limit: usize,
    edns: bool,
}

impl<'b> Answer<'b> {
    /// Begins the answer to a query, of at most `limit` bytes.
    pub(crate) fn to(out: &'b mut Vec<u8>, query: &Query<'_>, limit: usize) -> Self {
        Self::begin(out, query.id, query.flags, query.question, query.edns.is_some(), limit)
    }

    /// The whole answer to what is no query.
    pub(crate) fn refuse(out: &'b mut Vec<u8>, refusal: Refusal<'_>) {
        let Refusal::Answer { id, flags, question, rcode, edns } = refusal else { return };
        Self::begin(out, id, flags, question, edns, MOST_UDP_BYTES).end(rcode);
    }

    fn begin(out: &'b mut Vec<u8>, id: u16, flags: u16, question: &[u8], edns: bool, limit: usize) -> Self {
        let kept = bits::OPCODE | bits::RECURSION_DESIRED | bits::CHECKING_DISABLED;
        let flags = bits::RESPONSE | bits::RECURSION_AVAILABLE | (flags & kept);
        out.clear();
        for number in [id, flags, u16::from(!question.is_empty()), 0, 0, 0] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(question);
        let limit = limit.saturating_sub(if edns { OPT_BYTES } else { 0 });
        Self { out, limit, edns }
    }

    /// Ends it.
    pub(crate) fn end(mut self, rcode: Rcode) {
        let code = rcode as u16;
        self.out[3] = (self.out[3] & 0xF0) | (code & 0xF) as u8;
        if self.edns {
            let extended = u32::from(code >> 4) << 24;
            self.out.push(0);
            self.numbers(&[41, MOST_UDP_BYTES as u16]);
            self.out.extend_from_slice(&extended.to_be_bytes());
            self.numbers(&[0]);
            self.count(Section::Additional);
        }
    }

    /// Says that it comes from who knows.
    pub(crate) fn authoritative(&mut self) {
        self.set(bits::AUTHORITATIVE);
    }

    /// Says that it is not all, so that it is asked for again by TCP.
    pub(crate) fn truncated(&mut self) {
        self.set(bits::TRUNCATED);
    }

    /// Takes over all records of another message, whose header says how many there are.
    /// `false`, with nothing taken, when they do not fit.
    pub(crate) fn copy(&mut self, records: &[u8], from: &[u8]) -> bool {
        let Some(counts) = from.get(6..HEADER_BYTES) else { return false };
        if self.out.len() + records.len() > self.limit {
            return false;
        }
        self.out.extend_from_slice(records);
        self.out[6..HEADER_BYTES].copy_from_slice(counts);
        true
    }

    /// Takes the seconds that have passed off the times that stand at these places.
    pub(crate) fn age(&mut self, ttls: &[usize], seconds: u32) {
        for at in ttls {
            if let Some(ttl) = self.out.get_mut(*at..*at + 4) {
                let left = u32::from_be_bytes([ttl[0], ttl[1], ttl[2], ttl[3]]).saturating_sub(seconds);
                ttl.copy_from_slice(&left.to_be_bytes());
            }
        }
    }

    fn set(&mut self, bits: u16) {
        let [high, low] = bits.to_be_bytes();
        self.out[2] |= high;
        self.out[3] |= low;
    }

    /// Adds what a lookup found.
    pub(crate) fn records(&mut self, records: &Records<'_>, query: &Query<'_>, table: &Table) {
        match records {
            Records::Addresses(addresses, family) => self.addresses(addresses, *family, query.id),
            Records::Address(address) => drop(self.address(Section::Answer, Owner::Question, *address)),
            Records::Srv { service, port, service_at } => self.srv(service, port, *service_at, query),
            Records::Names(names) => {
                for name in *names {
                    self.named(Owner::Question, PTR, name);
                }
            }
            Records::Version => {
                let mut data = vec![SCHEMA_VERSION.len() as u8];
                data.extend_from_slice(SCHEMA_VERSION.as_bytes());
                self.record(Section::Answer, Owner::Question, TXT, VERSION_TTL_SECONDS, &[&data]);
            }
            Records::Soa(zone) => self.soa(Section::Answer, zone, query, table),
            Records::Ns => self.named(Owner::Question, NS, table.server()),
        }
    }

    /// Adds that the question's name is an alias.
    pub(crate) fn alias(&mut self, target: &Name) {
        self.named(Owner::Question, CNAME, target);
    }

    /// Adds the addresses of an alias in the cluster.
    pub(crate) fn addresses_of(&mut self, owner: &Name, records: &Records<'_>) {
        match records {
            Records::Addresses(addresses, family) => {
                for address in of_family(addresses, *family) {
                    self.address(Section::Answer, Owner::Name(owner.wire()), address);
                }
            }
            Records::Address(address) => {
                self.address(Section::Answer, Owner::Name(owner.wire()), *address);
            }
            _ => {}
        }
    }

    /// Adds a whole chain of aliases.
    pub(crate) fn aliases(&mut self, names: &[Name]) {
        let mut owner = Owner::Question;
        for name in names {
            self.named(owner, CNAME, name);
            owner = Owner::Name(name.wire());
        }
    }

    /// Says by the zone's head how long nothing is nothing (RFC 2308).
    pub(crate) fn negative(&mut self, zone: &Name, query: &Query<'_>, table: &Table) {
        self.soa(Section::Authority, zone, query, table);
    }

    /// Each client meets another one first.
    fn addresses(&mut self, addresses: &Addresses, family: Family, turn: u16) {
        let (v4, v6) = (&addresses.v4, &addresses.v6);
        if family != Family::V6 {
            for index in 0..v4.len() {
                let address = v4[(index + usize::from(turn)) % v4.len()];
                if !self.v4(Section::Answer, Owner::Question, address) {
                    return;
                }
            }
        }
        if family != Family::V4 {
            for index in 0..v6.len() {
                let address = v6[(index + usize::from(turn)) % v6.len()];
                if !self.v6(Section::Answer, Owner::Question, address) {
                    return;
                }
            }
        }
    }

    fn srv(&mut self, service: &ServiceRecords, port: &Srv, service_at: usize, query: &Query<'_>) {
        let parent = query.name().get(service_at..).unwrap_or_default();
        for target in port.targets() {
            let Some((label, _)) = service.target(*target) else { continue };
            let mut data = [0, 0, 0, 10, 0, 0];
            data[4..].copy_from_slice(&target.port.to_be_bytes());
            let (length, label) = label_parts(label);
            let data: [&[u8]; 4] = [&data, length.as_slice(), label, parent];
            if !self.record(Section::Answer, Owner::Question, SRV, TTL_SECONDS, &data) {
                return;
            }
        }
        for target in port.targets() {
            let Some((label, addresses)) = service.target(*target) else { continue };
            let owner = Owner::Below { label, at: HEADER_BYTES + service_at };
            for address in addresses.v4.iter() {
                // What is additional is left out without a word.
                if !self.fits(&owner, 4) {
                    return;
                }
                self.v4(Section::Additional, owner, *address);
            }
        }
    }

    fn soa(&mut self, section: Section, zone: &Name, query: &Query<'_>, table: &Table) {
        // An alias may have led into another zone than the question's.
        let owner = match query.name().strip_suffix(zone.wire()) {
            Some(before) => Owner::Below { label: None, at: HEADER_BYTES + before.len() },
            None => Owner::Name(zone.wire()),
        };
        let mut numbers = [0; 20];
        let values = [table.serial(), REFRESH_SECONDS, RETRY_SECONDS, EXPIRE_SECONDS, TTL_SECONDS];
        for (place, value) in numbers.chunks_exact_mut(4).zip(values) {
            place.copy_from_slice(&value.to_be_bytes());
        }
        let data: [&[u8]; 4] = [table.server().wire(), HOSTMASTER, table.server().wire(), &numbers];
        self.record(section, owner, SOA, TTL_SECONDS, &data);
    }

    fn named(&mut self, owner: Owner<'_>, kind: u16, name: &Name) {
        self.record(Section::Answer, owner, kind, TTL_SECONDS, &[name.wire()]);
    }

    fn address(&mut self, section: Section, owner: Owner<'_>, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4(section, owner, address),
            IpAddr::V6(address) => self.v6(section, owner, address),
        }
    }

    fn v4(&mut self, section: Section, owner: Owner<'_>, address: Ipv4Addr) -> bool {
        self.record(section, owner, A, TTL_SECONDS, &[&address.octets()])
    }

    fn v6(&mut self, section: Section, owner: Owner<'_>, address: Ipv6Addr) -> bool {
        self.record(section, owner, AAAA, TTL_SECONDS, &[&address.octets()])
    }

    fn fits(&self, owner: &Owner<'_>, data_bytes: usize) -> bool {
        self.out.len() + owner.bytes() + 10 + data_bytes <= self.limit
    }

    /// Whether it was written.
    fn record(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        kind: u16,
        ttl_seconds: u32,
        data: &[&[u8]],
    ) -> bool {
        let bytes = data.iter().map(|part| part.len()).sum::<usize>();
        if !self.fits(&owner, bytes) {
            self.set(bits::TRUNCATED);
            return false;
        }
        owner.write(self.out);
        self.numbers(&[kind, CLASS_IN]);
        self.out.extend_from_slice(&ttl_seconds.to_be_bytes());
        // Names and addresses are far below 64 KiB.
        self.numbers(&[bytes as u16]);
        data.iter().for_each(|part| self.out.extend_from_slice(part));
        self.count(section);
        true
    }

    fn numbers(&mut self, numbers: &[u16]) {
        for number in numbers {
            self.out.extend_from_slice(&number.to_be_bytes());
        }
    }

    fn count(&mut self, section: Section) {
        let at = section as usize;
        let count = u16::from_be_bytes([self.out[at], self.out[at + 1]]).wrapping_add(1);
        self.out[at..at + 2].copy_from_slice(&count.to_be_bytes());
    }
}

/// The head of a zone tells secondaries when to look again; there are none.
const REFRESH_SECONDS: u32 = 7200;
const RETRY_SECONDS: u32 = 1800;
const EXPIRE_SECONDS: u32 = 86_400;
/// The label in front of the server's name, where its keeper's mail would go.
const HOSTMASTER: &[u8] = b"\x0ahostmaster";

/// Whose record it is.
#[derive(Clone, Copy)]
enum Owner<'a> {
    /// The question's name.
    Question,
    /// A part of it, from a place in the message on, maybe with a label before it.
    Below { label: Option<&'a [u8]>, at: usize },
    /// Another one.
    Name(&'a [u8]),
}

impl Owner<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Question => 2,
            Self::Below { label, .. } => 2 + label.map_or(0, |label| 1 + label.len()),
            Self::Name(name) => name.len(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Question => out.extend_from_slice(&TO_QUESTION.to_be_bytes()),
            Self::Below { label, at } => {
                let (length, label) = label_parts(*label);
                out.extend_from_slice(length.as_slice());
                out.extend_from_slice(label);
                // A question ends before byte 300.
                out.extend_from_slice(&(0xC000 | *at as u16).to_be_bytes());
            }
            Self::Name(name) => out.extend_from_slice(name),
        }
    }
}

/// A label's length and text; nothing where there is none.
fn label_parts(label: Option<&[u8]>) -> (Option<u8>, &[u8]) {
    match label {
        Some(label) => (Some(label.len() as u8), label),
        None => (None, &[]),
    }
}

fn of_family(addresses: &Addresses, family: Family) -> impl Iterator<Item = IpAddr> + '_ {
    let v4 = addresses.v4.iter().map(|address| IpAddr::V4(*address)).filter(move |_| family != Family::V6);
    let v6 = addresses.v6.iter().map(|address| IpAddr::V6(*address)).filter(move |_| family != Family::V4);
    v4.chain(v6)
}
