//! Short texts in one piece of memory, each with a number that says what it is.

/// A tag, the length in base 64 with its lowest digit first (64 is added to all but the last), the text: all of it is
/// text again, since every byte before the text is ASCII.
pub(super) fn put(parts: &mut String, tag: u8, text: &str) {
    parts.push(char::from(tag));
    let mut length = text.len();
    while length >= 64 {
        parts.push(char::from(digit(length) + 64));
        length /= 64;
    }
    parts.push(char::from(digit(length)));
    parts.push_str(text);
}

/// The lowest digit.
fn digit(length: usize) -> u8 {
    u8::try_from(length % 64).unwrap_or_default()
}

pub(super) fn put_some(parts: &mut String, tag: u8, text: Option<&str>) {
    if let Some(text) = text {
        put(parts, tag, text);
    }
}

/// Tagged texts, one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts<'a>(pub(super) &'a str);

/// The tag of the part that begins here, and where its text does and ends.
fn first(parts: &[u8], at: usize) -> Option<(u8, usize, usize)> {
    let tag = *parts.get(at)?;
    let (mut from, mut length, mut shift) = (at + 1, 0, 0);
    loop {
        let digit = *parts.get(from)?;
        from += 1;
        length |= usize::from(digit & 63) << shift;
        if digit < 64 {
            return Some((tag, from, from.checked_add(length)?));
        }
        shift = Some(shift + 6).filter(|shift| *shift < usize::BITS)?;
    }
}

impl<'a> Parts<'a> {
    fn iter(self) -> impl Iterator<Item = (u8, &'a str)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (tag, from, to) = first(self.0.as_bytes(), at)?;
            at = to;
            Some((tag, self.0.get(from..to)?))
        })
    }

    /// The text with this tag.
    pub(super) fn find(self, tag: u8) -> Option<&'a str> {
        let (found, from, to) = self.seek(tag)?;
        self.0.get(from..to).filter(|_| found == tag)
    }

    /// The first part with this tag or a later one.
    fn seek(self, tag: u8) -> Option<(u8, usize, usize)> {
        let mut part = first(self.0.as_bytes(), 0)?;
        while part.0 < tag {
            part = first(self.0.as_bytes(), part.2)?;
        }
        Some(part)
    }

    pub(super) fn all(self, tag: u8) -> Several<'a> {
        Several { rest: self, tag }
    }
}

/// Texts by a small number, in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts(Box<str>);

impl Texts {
    /// The text of this number.
    pub fn get(&self, number: u8) -> Option<&str> {
        Parts(&self.0).find(number)
    }

    /// In the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &str)> {
        Parts(&self.0).iter()
    }
}

/// Sorted by number; each is below 128.
impl<T: AsRef<str>> FromIterator<(u8, T)> for Texts {
    fn from_iter<I: IntoIterator<Item = (u8, T)>>(texts: I) -> Self {
        let mut parts = String::new();
        texts.into_iter().for_each(|(number, text)| put(&mut parts, number, text.as_ref()));
        Self(parts.into())
    }
}

/// The texts of one tag, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Several<'a> {
    rest: Parts<'a>,
    tag: u8,
}

impl<'a> Several<'a> {
    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        self.rest.iter().filter(move |(tag, _)| *tag == self.tag).map(|(_, text)| text)
    }

    /// The one at this place.
    pub fn get(self, at: usize) -> Option<&'a str> {
        self.iter().nth(at)
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }
}
