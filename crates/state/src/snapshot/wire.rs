//! The records of a snapshot and of the disk. Field numbers are for ever.

use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Frame {
    #[prost(oneof = "Record", tags = "1, 2, 3, 4, 5")]
    pub(crate) record: Option<Record>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Record {
    #[prost(message, tag = "1")]
    Head(Head),
    #[prost(message, tag = "2")]
    Ring(Ring),
    #[prost(message, tag = "3")]
    Event(Event),
    #[prost(message, tag = "4")]
    Object(Object),
    #[prost(message, tag = "5")]
    End(End),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Head {
    #[prost(fixed32, tag = "1")]
    pub(crate) magic: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) format: u32,
    #[prost(uint64, tag = "3")]
    pub(crate) revision: u64,
    #[prost(fixed64, tag = "4")]
    pub(crate) hash: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) floor: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ring {
    #[prost(string, tag = "1")]
    pub(crate) resource: String,
    #[prost(uint64, tag = "2")]
    pub(crate) floor: u64,
}

/// Of the ring before it. Without a `previous` it is the key's last value, if any.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Event {
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(string, tag = "2")]
    pub(crate) namespace: String,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(uint64, tag = "4")]
    pub(crate) revision: u64,
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub(crate) value: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub(crate) previous: Option<Bytes>,
    #[prost(uint64, tag = "7")]
    pub(crate) previous_revision: u64,
}

/// Without a value it is that of the key's last event.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Object {
    #[prost(string, tag = "1")]
    pub(crate) resource: String,
    #[prost(string, tag = "2")]
    pub(crate) namespace: String,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(crate) value: Option<Bytes>,
    #[prost(uint64, tag = "5")]
    pub(crate) revision: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct End {
    #[prost(uint64, tag = "1")]
    pub(crate) objects: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) events: u64,
}
