//! Seals what must not be readable in the store (the CA's key, the ServiceAccount
//! key) with a key that every master receives when it joins.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::MasterError;

/// Bytes of a sealing key.
pub(crate) const KEY_BYTES: usize = 32;

/// The sealing key of a cluster.
pub(crate) struct Seal(LessSafeKey);

impl Seal {
    /// A fresh random key.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub(crate) fn generate() -> Result<[u8; KEY_BYTES], MasterError> {
        let mut key = [0; KEY_BYTES];
        SystemRandom::new().fill(&mut key).map_err(|_| failed("no randomness"))?;
        Ok(key)
    }

    /// A seal of this key.
    ///
    /// # Errors
    /// When it has another length.
    pub(crate) fn new(key: &[u8]) -> Result<Self, MasterError> {
        let key =
            UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| failed("a sealing key has 32 bytes"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals a text under a name: it opens under no other.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub(crate) fn close(&self, name: &str, text: &str) -> Result<String, MasterError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| failed("no randomness"))?;
        let mut sealed = text.as_bytes().to_vec();
        let aad = Aad::from(name.as_bytes());
        let done = self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed);
        done.map_err(|_| failed("sealing failed"))?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what [`Seal::close`] closed.
    ///
    /// # Errors
    /// When it was closed by another key, under another name, or changed since.
    pub(crate) fn open(&self, name: &str, sealed: &str) -> Result<String, MasterError> {
        let wrong = || failed(&format!("{name} does not open with this master's sealing key"));
        let bytes = STANDARD.decode(sealed).map_err(|_| wrong())?;
        let (nonce, rest) = bytes.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut rest = rest.to_vec();
        let opened =
            self.0.open_in_place(nonce, Aad::from(name.as_bytes()), &mut rest).map_err(|_| wrong())?;
        String::from_utf8(opened.to_vec()).map_err(|_| wrong())
    }
}

fn failed(why: &str) -> MasterError {
    MasterError::Certificate(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_name_open() {
        let seal = Seal::new(&Seal::generate().expect("a key")).expect("a seal");
        let closed = seal.close("ca", "three masts").expect("closed");
        assert_eq!(seal.open("ca", &closed).expect("opened"), "three masts");
        assert!(seal.open("sa", &closed).is_err());
        let other = Seal::new(&Seal::generate().expect("a key")).expect("a seal");
        assert!(other.open("ca", &closed).is_err());
    }
}
