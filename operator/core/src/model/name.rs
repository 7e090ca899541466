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
    /// `metadata.uid`: tells an object from another one of the same name.
    Uid
}
text! {
    /// The immutable id that a target gave to an account, group, role or licence. Opaque.
    TargetId
}
text! {
    /// The name of an account attribute at a target, as the connector's schema writes it (`userName`, `name.givenName`).
    AttributeName
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

    /// Where an object's name is the same text, that one is held instead of copies.
    pub fn share(&mut self, name: &Name) {
        for text in [&mut self.written, &mut self.folded] {
            if **text == *name.0 {
                *text = Arc::clone(&name.0);
            }
        }
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
