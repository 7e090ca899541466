//! Messages (RFC 4511, section 4): what is asked, and what is answered.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::ber::{ENUMERATED, INTEGER, OCTETS, Reading, SEQUENCE, SET, Writing};
use super::{Entry, Filter};

/// The answer to an extended operation.
pub(super) const EXTENDED_RESPONSE: u8 = 0x78;
/// StartTLS (RFC 4511, 4.14.1), as message 1.
pub(super) const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

const ENTRY: u8 = 0x64;
const REFERENCE: u8 = 0x73;
const INTERMEDIATE: u8 = 0x79;
const CONTROLS: u8 = 0xa0;
/// The first part of a choice that is a text.
const CHOSEN: u8 = 0x80;

/// What goes with a message (RFC 4511, 4.1.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) oid: String,
    /// Who does not know it refuses the whole.
    pub(crate) critical: bool,
    pub(crate) value: Option<Vec<u8>>,
}

impl Control {
    /// Without a value.
    pub(crate) fn new(oid: &str, critical: bool) -> Self {
        Self { oid: oid.to_owned(), critical, value: None }
    }

    /// With what these write.
    pub(crate) fn with(mut self, write: impl FnOnce(&mut Writing)) -> Self {
        self.value = Some(Writing::of(write));
        self
    }
}

/// How far below the base is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The entry itself.
    Base = 0,
    /// And everything below.
    Subtree = 2,
}

/// A change of one attribute; values are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// These come.
    Add(Vec<u8>, BTreeSet<Vec<u8>>),
    /// These go; all, where none is named.
    Delete(Vec<u8>, BTreeSet<Vec<u8>>),
    /// These are all there are.
    Replace(Vec<u8>, BTreeSet<Vec<u8>>),
}

impl Change {
    /// The attribute.
    pub(crate) fn name(&self) -> &[u8] {
        match self {
            Self::Add(name, _) | Self::Delete(name, _) | Self::Replace(name, _) => name,
        }
    }
}

/// What is asked for. It may hold a password, and does not print itself.
pub(super) enum Request<'a> {
    Simple { dn: &'a str, password: &'a str },
    External,
    Search { base: &'a str, scope: Scope, most: u32, filter: &'a Filter, attributes: &'a [String] },
    Add { dn: &'a str, attributes: &'a [(Vec<u8>, BTreeSet<Vec<u8>>)] },
    Modify { dn: &'a str, changes: &'a [Change] },
    Rename { dn: &'a str, rdn: &'a str, parent: Option<&'a str> },
    Delete { dn: &'a str },
}

impl Request<'_> {
    /// As message `id`.
    pub(super) fn message(&self, id: u32, controls: &[Control]) -> Vec<u8> {
        Writing::of(|w| {
            w.within(SEQUENCE, |w| {
                w.number(INTEGER, id);
                self.write(w);
                if !controls.is_empty() {
                    w.within(CONTROLS, |w| controls.iter().for_each(|control| control.write(w)));
                }
            });
        })
    }

    /// What the last message of its answer is.
    pub(super) fn answered_by(&self) -> u8 {
        match self {
            Self::Simple { .. } | Self::External => 0x61,
            Self::Search { .. } => 0x65,
            Self::Modify { .. } => 0x67,
            Self::Add { .. } => 0x69,
            Self::Delete { .. } => 0x6b,
            Self::Rename { .. } => 0x6d,
        }
    }

    fn write(&self, w: &mut Writing) {
        match *self {
            Self::Simple { dn, password } => bind(w, dn, |w| w.put(CHOSEN, password)),
            Self::External => bind(w, "", |w| {
                w.within(0xa3, |w| {
                    w.put(OCTETS, "EXTERNAL");
                    w.put(OCTETS, "");
                });
            }),
            Self::Search { base, scope, most, filter, attributes } => w.within(0x63, |w| {
                w.put(OCTETS, base);
                w.number(ENUMERATED, scope as u32);
                // Aliases are not followed, and no time is the server's to keep.
                w.number(ENUMERATED, 0);
                w.number(INTEGER, most);
                w.number(INTEGER, 0);
                w.flag(false);
                filter.write(w);
                w.within(SEQUENCE, |w| attributes.iter().for_each(|name| w.put(OCTETS, name)));
            }),
            Self::Add { dn, attributes } => w.within(0x68, |w| {
                w.put(OCTETS, dn);
                w.within(SEQUENCE, |w| attributes.iter().for_each(|(name, values)| attribute(w, name, values)));
            }),
            Self::Modify { dn, changes } => w.within(0x66, |w| {
                w.put(OCTETS, dn);
                w.within(SEQUENCE, |w| changes.iter().for_each(|change| change.write(w)));
            }),
            Self::Rename { dn, rdn, parent } => w.within(0x6c, |w| {
                w.put(OCTETS, dn);
                w.put(OCTETS, rdn);
                // The old value of the name goes.
                w.flag(true);
                if let Some(parent) = parent {
                    w.put(CHOSEN, parent);
                }
            }),
            Self::Delete { dn } => w.put(0x4a, dn),
        }
    }
}

fn bind(w: &mut Writing, dn: &str, credential: impl FnOnce(&mut Writing)) {
    w.within(0x60, |w| {
        w.number(INTEGER, 3);
        w.put(OCTETS, dn);
        credential(w);
    });
}

fn attribute(w: &mut Writing, name: &[u8], values: &BTreeSet<Vec<u8>>) {
    w.within(SEQUENCE, |w| {
        w.put(OCTETS, name);
        w.within(SET, |w| values.iter().for_each(|value| w.put(OCTETS, value)));
    });
}

impl Change {
    fn write(&self, w: &mut Writing) {
        let (what, name, values) = match self {
            Self::Add(name, values) => (0, name, values),
            Self::Delete(name, values) => (1, name, values),
            Self::Replace(name, values) => (2, name, values),
        };
        w.within(SEQUENCE, |w| {
            w.number(ENUMERATED, what);
            attribute(w, name, values);
        });
    }
}

impl Control {
    fn write(&self, w: &mut Writing) {
        w.within(SEQUENCE, |w| {
            w.put(OCTETS, &self.oid);
            if self.critical {
                w.flag(true);
            }
            self.value.iter().for_each(|value| w.put(OCTETS, value));
        });
    }

    fn read(mut parts: Reading<'_>) -> Option<Self> {
        let oid = String::from_utf8(parts.take(OCTETS)?.to_vec()).ok()?;
        let critical = parts.take(super::ber::BOOLEAN).is_some_and(|yes| yes != [0]);
        Some(Self { oid, critical, value: parts.take(OCTETS).map(<[u8]>::to_vec) })
    }
}

/// How it ended (RFC 4511, 4.1.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: u32,
    /// The server's words.
    pub(crate) text: String,
    pub(crate) controls: Vec<Control>,
}

/// All that is answered to a request.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// What its last message is.
    pub(super) kind: u8,
    pub(super) ended: Ended,
    pub(super) entries: Vec<Entry>,
    /// Where it would go on at other servers.
    pub(super) references: usize,
}

/// Which request a message answers, and whether it is the last one for it. `None`: it is none.
pub(super) fn head(message: &[u8]) -> Option<(u32, bool)> {
    let mut parts = Reading(message).within(SEQUENCE)?;
    let id = parts.number(INTEGER)?;
    let (tag, _) = parts.next()?;
    Some((id, !matches!(tag, ENTRY | REFERENCE | INTERMEDIATE)))
}

impl Answer {
    /// Reads the messages that answer a request. `None`: one of them cannot be read.
    pub(super) fn read(messages: &[Bytes]) -> Option<Self> {
        let mut answer = Self::default();
        for message in messages {
            let mut parts = Reading(message).within(SEQUENCE)?;
            parts.number(INTEGER)?;
            let (tag, content) = parts.next()?;
            match tag {
                ENTRY => answer.entries.push(Entry::parse(content)?),
                REFERENCE => answer.references += 1,
                INTERMEDIATE => {}
                kind => {
                    answer.kind = kind;
                    answer.ended = Ended { controls: controls(parts)?, ..result(content)? };
                }
            }
        }
        Some(answer)
    }
}

/// The result in an answer, without its controls.
pub(super) fn result(content: &[u8]) -> Option<Ended> {
    let mut parts = Reading(content);
    let code = parts.number(ENUMERATED)?;
    parts.take(OCTETS)?;
    let text = String::from_utf8_lossy(parts.take(OCTETS)?).into_owned();
    Some(Ended { code, text, controls: Vec::new() })
}

/// What comes after an operation; anything else there is passed over.
fn controls(mut parts: Reading<'_>) -> Option<Vec<Control>> {
    let mut all = Vec::new();
    if let Some(mut found) = parts.within(CONTROLS) {
        while !found.is_empty() {
            all.push(Control::read(found.within(SEQUENCE)?)?);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    #[test]
    fn a_request_is_as_the_standard_says() {
        let values: BTreeSet<Vec<u8>> = BTreeSet::from([b"x".to_vec()]);
        let attributes = [(b"cn".to_vec(), values.clone())];
        let changes = [Change::Delete(b"cn".to_vec(), BTreeSet::new()), Change::Add(b"cn".to_vec(), values)];
        let any = Filter::any();
        let names = ["1.1".to_owned()];
        let cases = [
            (Request::Simple { dn: "a", password: "b" }, "300e0201056009020103040161800162"),
            (Request::External, "301802010560130201030400a30c040845585445524e414c0400"),
            (
                Request::Search { base: "", scope: Scope::Base, most: 0, filter: &any, attributes: &names },
                "302a020105632504000a01000a0100020100020100010100870b6f626a656374436c61737330050403312e31",
            ),
            (Request::Add { dn: "a", attributes: &attributes }, "30150201056810040161300b30090402636e3103040178"),
            (
                Request::Modify { dn: "a", changes: &changes },
                "30270201056622040161301d300b0a010130060402636e3100300e0a010030090402636e3103040178",
            ),
            (Request::Rename { dn: "a", rdn: "b", parent: Some("c") }, "30110201056c0c0401610401620101ff800163"),
            (Request::Delete { dn: "a" }, "30060201054a0161"),
        ];
        for (request, expected) in cases {
            assert_eq!(hex(&request.message(5, &[])), expected);
        }
    }

    #[test]
    fn what_a_server_answers_is_read_as_far_as_it_is_an_answer() {
        let page = Control::new("1.2", true).with(|w| w.put(OCTETS, "cookie"));
        let done = |id: u32, controls: &[Control]| {
            Writing::of(|w| {
                w.within(SEQUENCE, |w| {
                    w.number(INTEGER, id);
                    w.within(0x65, |w| {
                        w.number(ENUMERATED, 4);
                        w.put(OCTETS, "");
                        w.put(OCTETS, b"too many\xff");
                    });
                    // As a domain controller puts something else there.
                    if controls.is_empty() {
                        w.put(0x8a, "1.3.6.1.4.1.1466.20036");
                    } else {
                        w.within(CONTROLS, |w| controls.iter().for_each(|control| control.write(w)));
                    }
                });
            })
        };
        let part = |tag: u8, write: fn(&mut Writing)| {
            Writing::of(|w| {
                w.within(SEQUENCE, |w| {
                    w.number(INTEGER, 7);
                    w.within(tag, write);
                });
            })
        };
        let entry = part(ENTRY, |w| {
            w.put(OCTETS, "uid=ada");
            w.within(SEQUENCE, |w| attribute(w, b"CN", &BTreeSet::from([b"Ada".to_vec()])));
        });
        let reference = part(REFERENCE, |w| w.put(OCTETS, "ldap://elsewhere"));
        let messages = [entry, reference, done(7, std::slice::from_ref(&page))].map(Bytes::from);
        assert_eq!(messages.each_ref().map(|m| head(m)), [Some((7, false)), Some((7, false)), Some((7, true))]);
        let answer = Answer::read(&messages).unwrap();
        assert_eq!((answer.references, answer.ended.code, &*answer.ended.text), (1, 4, "too many\u{fffd}"));
        assert_eq!(answer.ended.controls, [page]);
        assert_eq!(answer.entries, [Entry::with("uid=ada", &[("cn", &["Ada"])])]);
        assert_eq!(Answer::read(&[done(7, &[]).into()]).unwrap().ended.controls, []);
        // Half of each is no answer, and breaks nothing.
        for message in &messages {
            for length in 0..message.len() {
                let content = Reading(message).within(SEQUENCE).unwrap().0;
                let cut = Writing::of(|w| w.put(SEQUENCE, &content[..length.min(content.len() - 1)]));
                assert!(Answer::read(&[cut.into()]).is_none_or(|answer| answer.ended.controls.is_empty()));
            }
        }
    }
}
