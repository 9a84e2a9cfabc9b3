//! Join tokens: `xbc1<sha256 of the CA>.<id>.<secret>`. The store holds only the
//! secret's hash, what the token is for, and until when.

use std::fmt;

use jiff::Timestamp;
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use xebec_state::{Key, State};

const PREFIX: &str = "xbc1";

/// What a token lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Use {
    /// Join as a node.
    Node,
    /// Join as a master.
    Master,
}

/// A token's parts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// SHA-256 of the CA's certificate, hex.
    pub ca_hash: String,
    /// Names it in the store.
    pub id: String,
    secret: String,
}

/// What the store keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    hash: String,
    /// What it is for.
    pub r#use: Use,
    /// Unix seconds.
    pub expires: i64,
    /// Who made it, or why.
    pub description: String,
}

impl Token {
    /// A fresh random token.
    #[must_use]
    pub(crate) fn generate(ca_hash: &str) -> Self {
        let mut random = rand::rng();
        let mut hex =
            |bytes: usize| (0..bytes).map(|_| format!("{:02x}", random.random::<u8>())).collect::<String>();
        Self { ca_hash: ca_hash.to_owned(), id: hex(4), secret: hex(16) }
    }

    /// Reads a token's text.
    ///
    /// # Errors
    /// What a right one looks like.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let form = "a join token looks like xbc1<64 hex digits>.<id>.<secret>: copy the whole of it";
        let rest = text.trim().strip_prefix(PREFIX).ok_or(form)?;
        let mut parts = rest.split('.');
        let (Some(ca_hash), Some(id), Some(secret), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form.to_owned());
        };
        let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        if ca_hash.len() != 64 || ![ca_hash, id, secret].into_iter().all(is_hex) {
            return Err(form.to_owned());
        }
        Ok(Self { ca_hash: ca_hash.to_owned(), id: id.to_owned(), secret: secret.to_owned() })
    }

    /// What the store keeps of it.
    #[must_use]
    pub(crate) fn record(&self, r#use: Use, expires: i64, description: &str) -> Record {
        Record { hash: hash(&self.secret), r#use, expires, description: description.to_owned() }
    }

    /// Where the store keeps it.
    #[must_use]
    pub(crate) fn key(&self) -> Key {
        Key::new("xebec/tokens", "", &self.id)
    }

    /// Whether it is in the store, for this use, and not expired.
    ///
    /// # Errors
    /// Why not, without giving away more than its holder knows.
    pub(crate) fn verify(&self, r#use: Use, state: &State, now: Timestamp) -> Result<(), String> {
        let unknown = "the token is not known here: make a new one with `xctl token create`";
        let entry = state.get(&self.key()).ok_or(unknown)?;
        let record: Record = serde_json::from_slice(&entry.value).map_err(|_| unknown)?;
        // Hashes of random secrets: how long a comparison takes tells nothing of use.
        if record.hash != hash(&self.secret) {
            return Err(unknown.to_owned());
        }
        if record.expires <= now.as_second() {
            return Err("the token has expired: make a new one with `xctl token create`".to_owned());
        }
        if record.r#use != r#use {
            let (is, wanted) = (record.r#use, r#use);
            return Err(format!("this is a {is:?} token, but a {wanted:?} token is needed").to_lowercase());
        }
        Ok(())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}.{}.{}", self.ca_hash, self.id, self.secret)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {}", self.id)
    }
}

fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xebec_state::{Operation, Transaction};

    fn stored(token: &Token, r#use: Use) -> State {
        let record = serde_json::to_vec(&token.record(r#use, 100, "test")).expect("plain data");
        let operations = vec![Operation::Put(token.key(), record.into())];
        let mut state = State::default();
        state.apply(&Transaction { operations, ..Transaction::default() }, 1).expect("applies");
        state
    }

    #[test]
    fn a_token_is_good_for_one_use_until_it_expires() {
        let token = Token::generate(&"a".repeat(64));
        let state = stored(&token, Use::Node);
        let at = |second| Timestamp::from_second(second).expect("a time");
        let read = Token::parse(&token.to_string()).expect("reads back");
        assert_eq!(read.verify(Use::Node, &state, at(99)), Ok(()));
        assert!(read.verify(Use::Node, &state, at(100)).expect_err("late").contains("has expired"));
        let wrong = read.verify(Use::Master, &state, at(99)).expect_err("a node's token");
        assert_eq!(wrong, "this is a node token, but a master token is needed");
        let other = Token { secret: "00".into(), ..read };
        assert!(other.verify(Use::Node, &state, at(99)).expect_err("wrong").contains("is not known"));
    }

    #[test]
    fn what_is_no_token_says_how_one_looks() {
        for text in ["", "xbc1", "xbc1abc.d.e", &format!("xbc1{}.x y.z", "a".repeat(64)), "kubeadm"] {
            assert!(Token::parse(text).expect_err(text).contains("xbc1<64 hex digits>"), "{text}");
        }
    }
}
