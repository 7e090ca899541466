use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};

/// The store's own key: digests of one store say nothing to who has another, and cannot be guessed at without it.
#[derive(Debug)]
pub(crate) struct Key(SecretBox<[u8; 32]>);

impl Key {
    pub fn new(key: SecretBox<[u8; 32]>) -> Self {
        Self(key)
    }

    pub fn bytes(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// The first 16 hexadecimal digits of the HMAC-SHA256 (RFC 2104).
    pub fn digest(&self, text: &[u8]) -> String {
        let first = hmac(self.bytes(), text).iter().take(8).fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
        format!("{first:016x}")
    }
}

/// HMAC-SHA256 (RFC 2104) with a key of at most 64 bytes, the block of SHA-256.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::hmac;

    #[test]
    fn hmac_answers_as_rfc_4231_says() {
        let hex = |bytes: [u8; 32]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        for (key, text, digest) in [
            (vec![0x0b; 20], &b"Hi There"[..], "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ] {
            assert_eq!(hex(hmac(&key, text)), digest);
        }
    }
}
