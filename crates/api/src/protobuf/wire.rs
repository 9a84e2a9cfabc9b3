//! The wire: fields with a number and a payload, one after the other. Every length is
//! checked against what is there before anything is taken.

use prost::encoding::{WireType, decode_key, decode_varint};

use super::ProtobufError;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Payload<'b> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// A text, bytes, a message or a packed list.
    Bytes(&'b [u8]),
}

impl<'b> Payload<'b> {
    pub(super) fn text(self) -> Result<&'b str, ProtobufError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| ProtobufError::new("a text that is no UTF-8"))
    }

    pub(super) fn bytes(self) -> Result<&'b [u8], ProtobufError> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(wrong_type()) }
    }

    pub(super) fn varint(self) -> Result<u64, ProtobufError> {
        if let Self::Varint(number) = self { Ok(number) } else { Err(wrong_type()) }
    }
}

pub(super) fn wrong_type() -> ProtobufError {
    ProtobufError::new("sent as another type than this field has")
}

/// Reads fields to the end, or to the first that is broken.
pub(super) struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    fn read(&mut self) -> Result<(u32, Payload<'b>), ProtobufError> {
        let broken = |_| ProtobufError::new("broken protobuf");
        let (number, wire_type) = decode_key(&mut self.rest).map_err(broken)?;
        let payload = match wire_type {
            WireType::Varint => Payload::Varint(decode_varint(&mut self.rest).map_err(broken)?),
            WireType::LengthDelimited => {
                let length = decode_varint(&mut self.rest).map_err(broken)?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(cut_off)?;
                self.rest = rest;
                Payload::Bytes(bytes)
            }
            WireType::SixtyFourBit => Payload::Fixed64(u64::from_le_bytes(self.fixed()?)),
            WireType::ThirtyTwoBit => Payload::Fixed32(u32::from_le_bytes(self.fixed()?)),
            WireType::StartGroup | WireType::EndGroup => {
                return Err(ProtobufError::new("groups are not supported"));
            }
        };
        Ok((number, payload))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], ProtobufError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

fn cut_off() -> ProtobufError {
    ProtobufError::new("ends in the middle of a field")
}

impl<'b> Iterator for Reader<'b> {
    type Item = Result<(u32, Payload<'b>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}
