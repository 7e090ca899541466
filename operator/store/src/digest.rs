use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};

/// The store's own key: digests of one store say nothing to who has another, and cannot be guessed at without it.
#[derive(Debug)]
pub(crate) struct Key {
    bytes: SecretBox<[u8; 32]>,
    hmac: Hmac,
}

impl Key {
    pub fn new(key: SecretBox<[u8; 32]>) -> Self {
        let hmac = Hmac::new(key.expose_secret());
        Self { bytes: key, hmac }
    }

    pub fn bytes(&self) -> &[u8; 32] {
        self.bytes.expose_secret()
    }

    /// The first 16 hexadecimal digits of the HMAC-SHA256 (RFC 2104).
    pub fn digest(&self, text: &[u8]) -> String {
        format!("{:016x}", self.number(text))
    }

    /// The same as a number.
    pub fn number(&self, text: &[u8]) -> u64 {
        self.hmac.of(text).iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

/// HMAC-SHA256 (RFC 2104): what has taken in the key, padded, before and after the text. Half of the work for a short one.
#[derive(Debug)]
struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    /// The key has 64 bytes at most, the block of SHA-256.
    fn new(key: &[u8]) -> Self {
        let padded = |with: u8| {
            let mut block = [with; 64];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Sha256::new().chain_update(block)
        };
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    fn of(&self, text: &[u8]) -> [u8; 32] {
        let inner = self.inner.clone().chain_update(text).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::Hmac;

    #[test]
    fn hmac_answers_as_rfc_4231_says() {
        for (key, text, starts_with) in [
            (vec![0x0b; 20], &b"Hi There"[..], 0xb034_4c61_d8db_3853_5ca8_afce_af0b_f12b_u128),
            (b"Jefe".to_vec(), b"what do ya want for nothing?", 0x5bdc_c146_bf60_754e_6a04_2426_0895_75c7),
        ] {
            assert_eq!(Hmac::new(&key).of(text)[..16], starts_with.to_be_bytes());
        }
    }
}
