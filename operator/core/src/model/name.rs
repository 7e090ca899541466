use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is; who calls has checked it, or it comes from one that has.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
    };
}

text! {
    /// The name of an object, entitlement or pushed group within its namespace.
    Name
}
text! {
    /// The immutable id that a target gave to an account, group, role or licence. Opaque.
    TargetId
}
text! {
    /// The name of an account attribute at a target, as the connector's schema writes it (`userName`, `name.givenName`).
    AttributeName
}

/// `metadata.uid`: tells an object from another one of the same name. The API server's are UUIDs in lower case (RFC 9562),
/// of which the 16 bytes are held; whatever else a file gives is held as it is written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Held);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Held {
    Uuid([u8; 16]),
    Text(Arc<str>),
}

/// Where a UUID as text has its hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl Uid {
    /// Takes the text as it is.
    pub fn new(text: &str) -> Self {
        Self(uuid(text).map_or_else(|| Held::Text(text.into()), Held::Uuid))
    }
}

/// Its bytes, if the text is exactly what they would be written as.
fn uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut number = 0_u128;
    for (at, byte) in text.bytes().enumerate() {
        number = match byte {
            b'-' if HYPHENS.contains(&at) => continue,
            _ if HYPHENS.contains(&at) => return None,
            b'0'..=b'9' => (number << 4) | u128::from(byte - b'0'),
            b'a'..=b'f' => (number << 4) | u128::from(byte - b'a' + 10),
            _ => return None,
        };
    }
    Some(number.to_be_bytes())
}

/// As text, the other way.
fn written(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        text.extend([byte >> 4, byte & 15].map(|digit| char::from(if digit < 10 { b'0' } else { b'a' - 10 } + digit)));
    }
    text
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Held::Text(text) => f.write_str(text),
            Held::Uuid(bytes) => f.write_str(&written(*bytes)),
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Serialize for Uid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Held::Text(text) => serializer.serialize_str(text),
            Held::Uuid(bytes) => serializer.serialize_str(&written(*bytes)),
        }
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&std::borrow::Cow::<str>::deserialize(deserializer)?))
    }
}

/// Who an account belongs to: an Identity by name and uid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// `metadata.name` of the Identity.
    pub name: Name,
    /// `metadata.uid` of the Identity.
    pub uid: Uid,
}

/// A user name: as written, and case-mapped for comparison (RFC 8265, UsernameCaseMapped).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserName {
    written: Arc<str>,
    folded: Arc<str>,
}

impl UserName {
    /// From the written form and its case-mapped form; `input` is what maps.
    pub fn new(written: impl Into<Arc<str>>, folded: &str) -> Self {
        let written = written.into();
        let folded = if *written == *folded { Arc::clone(&written) } else { folded.into() };
        Self { written, folded }
    }

    /// As the manifest writes it.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// For comparison.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

/// The present moment, as an argument: wall time for dates, monotonic time for everything that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Wall time.
    pub wall: jiff::Timestamp,
    /// Time since an arbitrary start that never runs backwards.
    pub mono: std::time::Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_reads_as_it_was_written_and_only_a_uuid_is_held_as_bytes() {
        for (text, short) in [
            ("3f0c8f3a-2f1c-4a57-9d55-1f0a7f6f4f10", true),
            ("00000000-0000-0000-0000-000000000000", true),
            ("3F0c8f3a-2f1c-4a57-9d55-1f0a7f6f4f10", false),
            ("3f0c8f3a02f1c-4a57-9d55-1f0a7f6f4f10", false),
            ("3f0c8f3a-2f1c-4a57-9d55-1f0a7f6f4f-0", false),
            ("3f0c8f3a-2f1c-4a57-9d55-1f0a7f6f4f1", false),
            ("ada", false),
            ("", false),
        ] {
            let uid = Uid::new(text);
            assert_eq!((uid.to_string().as_str(), matches!(uid.0, Held::Uuid(_))), (text, short));
            let written = serde_json::to_string(&uid).unwrap();
            assert_eq!((written.clone(), serde_json::from_str::<Uid>(&written).unwrap()), (format!("{text:?}"), uid));
        }
    }
}
