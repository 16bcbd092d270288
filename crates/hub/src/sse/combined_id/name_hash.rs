//! Hashes of the names of channels.

use sha2::{Digest, Sha256};

/// The number of bits of a [`NameHash`].
const FULL_BITS: u32 = NameHash::BITS;

/// The least bits of a name hash in an id. With them, an id of 20 channels that are a week old adds at most 300
/// characters.
const MIN_BITS: u32 = 17;

/// The first 128 bits of the SHA-256 of a channel's name.
///
/// Names may come from users, so no two names with the same 128 bits must be easy to find.
pub type NameHash = u128;

/// Returns the hash of `name`.
pub fn name_hash(name: &str) -> NameHash {
    let digest: [u8; 32] = Sha256::digest(name).into();
    digest
        .first_chunk()
        .map_or(0, |first| NameHash::from_be_bytes(*first))
}

/// How many bits of a name hash an id holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashBits(u32);

impl HashBits {
    /// Returns the number of bits by which `hashes` differ, which are sorted, or nothing if two of them are equal.
    pub fn that_distinguish(hashes: &[NameHash]) -> Option<Self> {
        (MIN_BITS..=FULL_BITS)
            .map(Self)
            .find(|bits| bits.distinguish(hashes))
    }

    fn distinguish(self, hashes: &[NameHash]) -> bool {
        let mut pairs = hashes.iter().zip(hashes.iter().skip(1));
        pairs.all(|(one, next)| self.cut(*one) != self.cut(*next))
    }

    /// Returns the first bits of `hash`, as the lower bits of a number.
    pub fn cut(self, hash: NameHash) -> NameHash {
        hash.checked_shr(FULL_BITS.saturating_sub(self.0))
            .unwrap_or_default()
    }

    /// Reads what [`HashBits::encoded`] returned.
    pub fn decode(encoded: u32) -> Option<Self> {
        let bits = encoded.checked_add(1)?;
        (bits <= FULL_BITS).then_some(Self(bits))
    }

    /// Returns a number of 7 bits.
    pub fn encoded(self) -> u32 {
        self.0.saturating_sub(1)
    }

    /// Returns how many bits of the difference between two of `count` sorted hashes are written as they are. The rest
    /// of a difference is small on average, and is written in unary: this is a Rice code.
    pub fn plain_bits(self, count: usize) -> u32 {
        self.0.saturating_sub(count.checked_ilog2().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_same_hash_in_every_version_of_the_hub() {
        // sha256sum of "foo".
        let hash = 0x2c26_b46b_68ff_c68f_f99b_453c_1d30_4134;
        assert_eq!(name_hash("foo"), hash);
        let bits = HashBits::that_distinguish(&[hash]).unwrap();
        assert_eq!(bits.cut(hash), 0x2c26_b46b >> 15);
    }

    #[test]
    fn a_list_gets_as_many_bits_as_its_name_hashes_need_to_differ() {
        for (hashes, bits) in [
            (vec![], Some(17)),
            (vec![0, 1 << 127], Some(17)),
            (vec![0, 1 << 111, 1 << 120], Some(17)),
            (vec![0, 1 << 110, 1 << 120], Some(18)),
            (vec![6, 7], Some(128)),
            (vec![7, 7, 8], None),
        ] {
            let found = HashBits::that_distinguish(&hashes);
            assert_eq!(found, bits.map(HashBits), "{hashes:x?}");
            let decoded = found.map(|bits| HashBits::decode(bits.encoded()));
            assert_eq!(decoded, found.map(Some));
        }
        assert_eq!(HashBits::decode(128), None);
    }
}
