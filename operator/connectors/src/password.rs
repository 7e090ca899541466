//! A random first password, kept nowhere.

use provost_core::model::TargetError;

/// 24 characters of 64: 144 bits; with each of the four classes that password rules ask for.
pub(crate) fn random() -> Result<String, TargetError> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0u8; 24];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| TargetError::Transient("the operator's random source failed".into()))?;
    let letters = bytes.iter().map(|byte| char::from(*ALPHABET.get(usize::from(byte & 63)).unwrap_or(&b'x')));
    Ok(letters.chain("aZ9-".chars()).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn passwords_are_long_and_differ() {
        let passwords: BTreeSet<String> = (0..100).map(|_| random().unwrap()).collect();
        assert_eq!(passwords.len(), 100);
        for password in passwords {
            assert_eq!(password.len(), 28);
            assert!(password.chars().any(|c| c.is_ascii_digit()) && password.chars().any(char::is_uppercase));
        }
    }
}
