//! Services and EndpointSlices as DNS records, to the published Kubernetes DNS
//! specification (kubernetes/dns, docs/specification.md, schema 1.1.0).
//!
//! A [`Zone`] takes changes in and gives out [`Table`]s: immutable, made in time that
//! depends on what changed, and looked up in time that does not depend on how many
//! records there are. Neither knows of messages on the wire, sockets or time.

mod name;
mod records;
mod reverse;
mod service;
mod slice;
mod table;
mod zone;

#[cfg(test)]
mod tests;

pub use name::{MOST_NAME_BYTES, Name};
pub use records::{Addresses, Protocol, ServiceRecords, Srv, Target};
pub use service::DnsService;
pub use slice::DnsSlice;
pub use table::{Family, Lookup, RecordType, Records, SCHEMA_VERSION, Table};
pub use zone::{Settings, Zone};
