//! The few nf_tables expressions that the rules are made of. Numbers are those of
//! `linux/netfilter/nf_tables.h`; a register is four bytes, counted from 8.

use crate::netlink::Attributes;

/// A register.
#[derive(Clone, Copy)]
pub(super) struct Register(u32);

/// Registers in a row, as a concatenated key lies in them.
pub(super) const R0: Register = Register(8);
pub(super) const R1: Register = Register(9);
pub(super) const R2: Register = Register(10);

/// What `meta` reads.
#[derive(Clone, Copy)]
pub(super) enum Meta {
    Mark = 3,
    Family = 15,
    Protocol = 16,
}

/// Where `payload` reads.
#[derive(Clone, Copy)]
pub(super) enum Header {
    Network = 1,
    Transport = 2,
}

/// A rule's expressions.
#[derive(Clone, Default)]
pub(super) struct Expressions(Attributes);

impl Expressions {
    pub(super) fn into_attributes(self) -> Attributes {
        self.0
    }

    fn push(self, name: &str, data: Attributes) -> Self {
        let expression = Attributes::default().text(1, name).nested(2, &data);
        Self(self.0.nested(1, &expression))
    }

    pub(super) fn meta(self, key: Meta, to: Register) -> Self {
        self.push("meta", Attributes::default().be32(1, to.0).be32(2, key as u32))
    }

    pub(super) fn set_mark(self, from: Register) -> Self {
        self.push("meta", Attributes::default().be32(2, Meta::Mark as u32).be32(3, from.0))
    }

    pub(super) fn payload(self, header: Header, offset: u32, length: u32, to: Register) -> Self {
        let data = Attributes::default().be32(1, to.0).be32(2, header as u32).be32(3, offset).be32(4, length);
        self.push("payload", data)
    }

    pub(super) fn equals(self, register: Register, value: &[u8]) -> Self {
        self.compare(register, 0, value)
    }

    pub(super) fn differs(self, register: Register, value: &[u8]) -> Self {
        self.compare(register, 1, value)
    }

    fn compare(self, register: Register, operator: u32, value: &[u8]) -> Self {
        let value = Attributes::default().bytes(1, value);
        self.push("cmp", Attributes::default().be32(1, register.0).be32(2, operator).nested(3, &value))
    }

    /// `register = (register & mask) ^ xor`, over four bytes.
    pub(super) fn bitwise(self, register: Register, mask: [u8; 4], xor: [u8; 4]) -> Self {
        let value = |bytes: [u8; 4]| Attributes::default().bytes(1, &bytes);
        let data = Attributes::default().be32(1, register.0).be32(2, register.0).be32(3, 4);
        self.push("bitwise", data.nested(4, &value(mask)).nested(5, &value(xor)))
    }

    /// Goes on only when the key that begins at `from` is in the set.
    pub(super) fn lookup(self, set: &str, id: u32, from: Register) -> Self {
        self.push("lookup", Attributes::default().text(1, set).be32(2, from.0).be32(4, id))
    }

    /// Whether the socket that a packet belongs to is transparent.
    pub(super) fn socket_is_transparent(self, to: Register) -> Self {
        self.push("socket", Attributes::default().be32(1, 0).be32(2, to.0))
    }

    /// The type of the destination by the routing tables, such as local.
    pub(super) fn destination_type(self, to: Register) -> Self {
        self.push("fib", Attributes::default().be32(1, to.0).be32(2, 3).be32(3, 2))
    }

    pub(super) fn load(self, to: Register, value: &[u8]) -> Self {
        let value = Attributes::default().bytes(1, value);
        self.push("immediate", Attributes::default().be32(1, to.0).nested(2, &value))
    }

    /// Hands an IPv4 packet to the socket at an address and a port.
    pub(super) fn tproxy(self, address: Register, port: Register) -> Self {
        self.push("tproxy", Attributes::default().be32(1, 2).be32(2, address.0).be32(3, port.0))
    }

    /// The kernel does not follow the packet's connection.
    pub(super) fn notrack(self) -> Self {
        self.push("notrack", Attributes::default())
    }

    pub(super) fn accept(self) -> Self {
        let verdict = Attributes::default().be32(1, 1);
        let data = Attributes::default().nested(2, &verdict);
        self.push("immediate", Attributes::default().be32(1, 0).nested(2, &data))
    }

    pub(super) fn reject_with_reset(self) -> Self {
        self.push("reject", Attributes::default().be32(1, 1).bytes(2, &[0]))
    }

    /// "Port unreachable", in the words of the packet's family.
    pub(super) fn reject_with_icmp(self) -> Self {
        self.push("reject", Attributes::default().be32(1, 2).bytes(2, &[1]))
    }

    pub(super) fn masquerade(self) -> Self {
        self.push("masq", Attributes::default())
    }
}
