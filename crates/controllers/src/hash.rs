//! Names from contents: FNV-1a, and Kubernetes' alphabet for generated suffixes (no
//! vowels, so that no word comes out by chance).

const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// 64-bit FNV-1a.
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The hash; folded, so that inputs which differ late differ in every digit.
    pub(crate) fn finish(&self) -> u64 {
        let folded = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        folded ^ (folded >> 33)
    }
}

/// `length` letters that spell a hash.
pub(crate) fn suffix(mut hash: u64, length: usize) -> String {
    let base = ALPHABET.len() as u64;
    let mut letters = String::with_capacity(length);
    for _ in 0..length {
        let digit = usize::try_from(hash % base).expect("less than 27");
        letters.push(char::from(ALPHABET[digit]));
        hash /= base;
    }
    letters
}
