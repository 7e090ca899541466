//! The encoding of messages (X.690, as far as RFC 4511 uses it): written as short as can be, read within bounds.

use std::io;

/// Bytes of a message.
const LONGEST: usize = 16 * 1024 * 1024;
/// Elements in a message: each takes a hundred bytes once it is read.
const MOST: usize = 1_000_000;
/// Elements within elements: LDAP itself needs eight.
const DEEPEST: usize = 32;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// What is being written.
#[derive(Debug, Default)]
pub(crate) struct Writing(Vec<u8>);

impl Writing {
    /// The bytes of what these write.
    pub(crate) fn of(write: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut writing = Self(Vec::with_capacity(512));
        write(&mut writing);
        writing.0
    }

    /// An element with this content.
    pub(crate) fn put(&mut self, tag: u8, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        self.0.push(tag);
        let length = content.len();
        match u8::try_from(length) {
            Ok(short @ ..=0x7f) => self.0.push(short),
            _ => self.0.extend(long(length)),
        }
        self.0.extend_from_slice(content);
    }

    /// An element made of what these write.
    pub(crate) fn within(&mut self, tag: u8, write: impl FnOnce(&mut Self)) {
        self.0.extend([tag, 0]);
        let begin = self.0.len();
        write(self);
        let length = self.0.len() - begin;
        match (u8::try_from(length), self.0.get_mut(begin - 1)) {
            (Ok(short @ ..=0x7f), Some(place)) => *place = short,
            // What was written makes room.
            _ => drop(self.0.splice(begin - 1..begin, long(length))),
        }
    }

    /// A number that is not negative.
    pub(crate) fn number(&mut self, tag: u8, number: u32) {
        let digits = number.to_be_bytes();
        // The first bit is the sign.
        let needed = |at: &usize| digits.get(*at).is_some_and(|digit| *digit != 0) || *at == 3;
        let first = (0..4).find(needed).unwrap_or(3);
        let digits = digits.get(first..).unwrap_or_default();
        if digits.first().is_some_and(|digit| *digit >= 0x80) {
            self.put(tag, [&[0], digits].concat());
        } else {
            self.put(tag, digits);
        }
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, yes: bool) {
        self.put(BOOLEAN, [if yes { 0xff } else { 0 }]);
    }
}

/// A length that a byte cannot say: how many digits, and they.
fn long(length: usize) -> impl Iterator<Item = u8> {
    let digits = length.to_be_bytes().into_iter().skip_while(|digit| *digit == 0);
    let many = u8::try_from(digits.clone().count()).unwrap_or_default();
    std::iter::once(0x80 | many).chain(digits)
}

/// A part of a message (X.690, 8.1).
#[derive(Clone, Copy, Debug)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    after: &'a [u8],
}

impl<'a> Element<'a> {
    /// The first one; `None`: it is not all there.
    fn first(bytes: &'a [u8]) -> io::Result<Option<Self>> {
        let [tag, length, rest @ ..] = bytes else { return Ok(None) };
        let (length, rest) = match usize::from(*length) {
            short @ ..=0x7f => (short, rest),
            long @ 0x81..=0x84 => {
                let Some((digits, rest)) = rest.split_at_checked(long - 0x80) else { return Ok(None) };
                (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
            }
            _ => return Err(refused("a length that LDAP does not know")),
        };
        if length > LONGEST {
            return Err(refused("it is larger than 16 MiB"));
        }
        Ok(rest.split_at_checked(length).map(|(content, after)| Self { tag: *tag, content, after }))
    }

    /// Whether it is made of others.
    fn is_constructed(&self) -> bool {
        self.tag & 0x20 != 0
    }
}

/// What is being read: elements one after the other. `None`: there is no such one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a>(pub(crate) &'a [u8]);

impl<'a> Reading<'a> {
    /// The next element: its tag and content.
    pub(crate) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let element = Element::first(self.0).ok()??;
        self.0 = element.after;
        Some((element.tag, element.content))
    }

    /// The content of the next element, if this is what it is.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (_, content) = ahead.next().filter(|(found, _)| *found == tag)?;
        *self = ahead;
        Some(content)
    }

    /// The next element, made of others.
    pub(crate) fn within(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }

    /// A number that is not negative.
    pub(crate) fn number(&mut self, tag: u8) -> Option<u32> {
        let digits = self.take(tag)?;
        let number = digits
            .iter()
            .try_fold(0_u32, |number, digit| number.checked_mul(0x100).map(|number| number | u32::from(*digit)));
        number.filter(|_| digits.first().is_some_and(|digit| *digit < 0x80))
    }

    /// Nothing follows.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub(super) fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sends what is no message of LDAP: {why}"))
}

/// How long the first message is; `None`: it is not all there. An error: it is not to be read.
pub(super) fn message(bytes: &[u8]) -> io::Result<Option<usize>> {
    match bytes.first() {
        None => return Ok(None),
        Some(&SEQUENCE) => {}
        Some(_) => return Err(refused("it begins otherwise")),
    }
    let Some(message) = Element::first(bytes)? else { return Ok(None) };
    bounded(message.content)?;
    Ok(Some(bytes.len() - message.after.len()))
}

/// Whether this can be taken apart.
fn bounded(content: &[u8]) -> io::Result<()> {
    let (mut open, mut elements) = (vec![content], 0);
    while let Some(bytes) = open.pop() {
        if bytes.is_empty() {
            continue;
        }
        let element = Element::first(bytes)?.ok_or_else(|| refused("a part is longer than the whole"))?;
        open.push(element.after);
        if element.is_constructed() {
            open.push(element.content);
        }
        elements += 1;
        if open.len() > DEEPEST || elements > MOST {
            return Err(refused("it has too many parts, or they are nested too deeply"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element around others, with a length of four digits.
    fn around(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84][..], &length, content].concat()
    }

    /// So many levels deep.
    fn nested(depth: usize) -> Vec<u8> {
        (0..depth).fold(vec![0x04, 0x00], |content, _| around(SEQUENCE, &content))
    }

    const SUCCESS: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";

    #[test]
    fn whole_messages_pass_and_a_part_waits_for_its_rest() {
        let two = [SUCCESS, SUCCESS].concat();
        for length in 0..=two.len() {
            let expected = (length >= SUCCESS.len()).then_some(SUCCESS.len());
            assert_eq!(message(&two[..length]).unwrap(), expected, "{length}");
        }
        assert_eq!(message(&nested(20)).unwrap(), Some(nested(20).len()));
    }

    #[test]
    fn what_nobody_could_take_apart_is_refused() {
        let many = around(SEQUENCE, &[0x04, 0x00].repeat(MOST + 1));
        let cases: [(&str, &[u8]); 7] = [
            ("nested", &nested(DEEPEST + 2)),
            ("nested by tens of thousands", &nested(20_000)),
            ("too many parts", &many),
            ("a part that is longer than the whole", b"\x30\x02\x04\x03"),
            ("too long, seen before it has come", b"\x30\x84\x7f\xff\xff\xff"),
            ("a length without end", b"\x30\x80\x00\x00"),
            ("another protocol", b"HTTP/1.1 400 Bad Request"),
        ];
        for (name, bytes) in cases {
            assert!(message(bytes).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_written_is_read_again_whatever_its_length() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let text = vec![b'a'; length];
            let bytes = Writing::of(|w| {
                w.within(SEQUENCE, |w| {
                    w.put(OCTETS, &text);
                    w.within(SET, |w| w.put(OCTETS, &text));
                    w.flag(true);
                });
            });
            assert_eq!(message(&bytes).unwrap(), Some(bytes.len()));
            let mut reading = Reading(&bytes).within(SEQUENCE).unwrap();
            assert_eq!(reading.take(INTEGER), None);
            assert_eq!(reading.take(OCTETS), Some(&text[..]));
            assert_eq!(reading.within(SET).unwrap().next(), Some((OCTETS, &text[..])));
            assert_eq!(reading.take(BOOLEAN), Some(&[0xff][..]));
            assert!(reading.is_empty());
        }
    }

    #[test]
    fn a_number_is_as_short_as_its_sign_allows() {
        let cases: [(u32, &[u8]); 6] = [
            (0, b"\x02\x01\x00"),
            (127, b"\x02\x01\x7f"),
            (128, b"\x02\x02\x00\x80"),
            (256, b"\x02\x02\x01\x00"),
            (0x7fff_ffff, b"\x02\x04\x7f\xff\xff\xff"),
            (0xffff_ffff, b"\x02\x05\x00\xff\xff\xff\xff"),
        ];
        for (number, bytes) in cases {
            assert_eq!(Writing::of(|w| w.number(INTEGER, number)), bytes);
            assert_eq!(Reading(bytes).number(INTEGER), Some(number));
        }
        assert_eq!(Reading(b"\x02\x01\xff").number(INTEGER), None, "below zero");
        assert_eq!(Reading(b"\x02\x06\x01\x00\x00\x00\x00\x00").number(INTEGER), None);
        assert_eq!(Reading(b"\x02\x00").number(INTEGER), None);
    }
}
