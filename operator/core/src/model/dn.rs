//! Distinguished names (RFC 4514): built by escaping, compared by meaning.

use std::fmt::Write as _;

use super::Spelling;

/// One relative name: its attributes and values, unescaped, in the order written.
pub type Rdn = Vec<(String, String)>;

/// `attribute=value`, escaped.
pub fn rdn(attribute: &str, value: &str) -> String {
    let mut rdn = format!("{attribute}=");
    for (at, c) in value.char_indices() {
        // Blanks at either end, and a number sign at the beginning.
        let edge = (at == 0 && matches!(c, ' ' | '#')) || (at + 1 == value.len() && c == ' ');
        if edge || matches!(c, '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' | '\0') {
            let _ = write!(rdn, "\\{:02x}", u32::from(c));
        } else {
            rdn.push(c);
        }
    }
    rdn
}

/// A name directly below another one.
pub fn below(rdn: &str, parent: &str) -> String {
    if parent.is_empty() { rdn.to_owned() } else { format!("{rdn},{parent}") }
}

/// The relative names of a DN, the entry's own first. `None`: it is none. Hexadecimal values (`#04..`) stay as they are.
pub fn parse(dn: &str) -> Option<Vec<Rdn>> {
    if dn.trim().is_empty() {
        return Some(Vec::new());
    }
    let (mut rdns, mut rdn) = (Vec::new(), Rdn::new());
    let mut rest = dn;
    loop {
        let (attribute, after) = rest.split_once('=')?;
        let attribute = attribute.trim();
        let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_' || c == ';';
        if !attribute.starts_with(|c: char| c.is_ascii_alphanumeric()) || !attribute.chars().all(named) {
            return None;
        }
        let (value, end, after) = value(after)?;
        rdn.push((attribute.to_owned(), value));
        if end != Some('+') {
            rdns.push(std::mem::take(&mut rdn));
        }
        if end.is_none() {
            return Some(rdns);
        }
        rest = after;
    }
}

/// An unescaped value, what ended it, and what follows.
fn value(text: &str) -> Option<(String, Option<char>, &str)> {
    let (mut bytes, mut kept) = (Vec::new(), 0);
    let mut chars = text.trim_start_matches(' ').char_indices();
    let begin = text.trim_start_matches(' ');
    let mut end = None;
    let mut after = "";
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let (_, next) = chars.next()?;
                if let Some(high) = next.to_digit(16).filter(|_| next.is_ascii_hexdigit()) {
                    let low = chars.next()?.1.to_digit(16)?;
                    bytes.push(u8::try_from(high * 16 + low).ok()?);
                } else {
                    bytes.extend(next.encode_utf8(&mut [0; 4]).as_bytes());
                }
                kept = bytes.len();
            }
            ',' | ';' | '+' => {
                end = Some(if c == ';' { ',' } else { c });
                after = begin.get(at + 1..)?;
                break;
            }
            c => {
                bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                if c != ' ' {
                    kept = bytes.len();
                }
            }
        }
    }
    // Spaces at the end that are not escaped do not count.
    bytes.truncate(kept);
    Some((String::from_utf8(bytes).ok()?, end, after))
}

/// The form in which two names of one entry are the same: letter case and spelling do not count, as in every attribute that
/// names entries in practice.
pub fn normal(dn: &str) -> String {
    if is_plain(dn) {
        return dn.to_ascii_lowercase();
    }
    taken_apart(dn)
}

fn taken_apart(dn: &str) -> String {
    let Some(rdns) = parse(dn) else { return dn.to_lowercase() };
    let one = |rdn: Rdn| {
        let mut parts: Vec<String> = rdn
            .into_iter()
            .map(|(attribute, value)| {
                let value = value.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
                self::rdn(&attribute.to_lowercase(), &value.to_lowercase())
            })
            .collect();
        parts.sort();
        parts.join("+")
    };
    rdns.into_iter().map(one).collect::<Vec<_>>().join(",")
}

/// Whether nothing but letter case can differ, as in most names: they need not be taken apart.
fn is_plain(dn: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@');
    let rdn = |rdn: &str| {
        rdn.split_once('=').is_some_and(|(name, value)| [name, value].iter().all(|part| part.bytes().all(plain)))
    };
    dn.split(',').all(rdn)
}

/// Whether a name (normal form) is below another one (normal form), or is it.
pub fn is_within(dn: &str, base: &str) -> bool {
    dn == base || base.is_empty() || dn.strip_suffix(base).is_some_and(|before| before.ends_with(','))
}

/// A place and another one, unless that is below it: so that nothing is found twice.
pub fn apart<'a>(base: &'a str, other: Option<&'a str>) -> Vec<&'a str> {
    let other = other.filter(|other| !is_within(&normal(other), &normal(base)));
    std::iter::once(base).chain(other).collect()
}

/// The relative name of an entry, and the name of the entry above.
pub fn split(dn: &str) -> Option<(String, String)> {
    let one = |rdn: Rdn| rdn.iter().map(|(a, v)| self::rdn(a, v)).collect::<Vec<_>>().join("+");
    let mut rdns = parse(dn)?.into_iter().map(one);
    let first = rdns.next()?;
    Some((first, rdns.collect::<Vec<_>>().join(",")))
}

/// Whether a person may write this for the name of an entry, and not of the root: no value is empty or in hexadecimal, and what has
/// a meaning of its own is escaped.
pub fn names_an_entry(dn: &str) -> bool {
    let named = |(attribute, value): &(String, String)| {
        !attribute.contains(';') && Spelling::is_description(attribute) && !value.is_empty()
    };
    let sound = |rdns: Vec<Rdn>| !rdns.is_empty() && rdns.iter().flatten().all(named);
    is_escaped(dn) && parse(dn).is_some_and(sound)
}

/// What RFC 4514, 2.4 wants escaped is, and after a backslash is what it allows there. The break at the end of a block of YAML would
/// be part of the last value.
fn is_escaped(dn: &str) -> bool {
    let mut chars = dn.chars();
    let mut before = ',';
    while let Some(c) = chars.next() {
        let sound = match c {
            '\\' => match chars.next() {
                Some(high) if high.is_ascii_hexdigit() => chars.next().is_some_and(|low| low.is_ascii_hexdigit()),
                Some(next) => " \"#+,;<=>\\".contains(next),
                None => false,
            },
            '#' => before != '=',
            c => !matches!(c, '"' | '<' | '>' | ';') && !c.is_control(),
        };
        if !sound {
            return false;
        }
        if c != ' ' {
            before = c;
        }
    }
    true
}

/// Whether every attribute has its short name (RFC 4514, 3), with which servers answer: with another, what is compared with the names
/// of entries would be the same as none.
pub fn has_short_names(dn: &str) -> bool {
    let is_short = |name: &str| Spelling::first_name(name).is_none() && !Spelling::is_number(name);
    parse(dn).unwrap_or_default().iter().flatten().all(|(name, _)| is_short(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: [&str; 14] = [
        "Lovelace, Ada",
        r#"quo"te"#,
        r"back\slash",
        " leading",
        "trailing ",
        "#hash",
        "a+b=c",
        "<angle>;semi",
        "Zoë Ångström",
        "日本 🦀",
        "nul\0nul",
        "line\nbreak",
        r"\2C",
        "*)(uid=*",
    ];

    #[test]
    fn a_value_comes_back_from_a_name_as_it_went_in() {
        for value in HOSTILE {
            let dn = below(&rdn("uid", value), "ou=people,dc=acme,dc=test");
            let parsed = parse(&dn).unwrap_or_else(|| panic!("{dn:?}"));
            assert_eq!(parsed[0], [("uid".to_owned(), value.to_owned())], "{dn:?}");
            assert_eq!(parsed.len(), 4, "{dn:?}");
        }
    }

    #[test]
    fn spelling_does_not_tell_names_apart() {
        let cases = [
            ("UID=Ada,OU=People,DC=acme,DC=test", "uid=ada, ou=people,dc=acme;dc=test"),
            (r"cn=Lovelace\, Ada,dc=acme", r"cn=lovelace\2c ada,dc=acme"),
            (r"cn=Zo\C3\AB,dc=acme", "cn=Zoë,dc=acme"),
            ("cn=a+uid=b,dc=acme", "uid=b+cn=a,dc=acme"),
            (r"cn=a\ ,dc=acme", "cn=a,dc=acme"),
        ];
        for (one, other) in cases {
            assert_eq!(normal(one), normal(other), "{one} {other}");
        }
        for (one, other) in [("cn=a,dc=b", "cn=a,dc=c"), (r"cn=a\,dc=b", "cn=a,dc=b"), ("cn=a", "uid=a")] {
            assert_ne!(normal(one), normal(other));
        }
    }

    #[test]
    fn a_name_that_is_not_taken_apart_is_as_if_it_had_been() {
        let parts =
            ["uid=Ada", "OU=people", "2.5.4.3=x-1", "=x", "uid=", "a=b=c", "people", "", "u@d=a@b.c", "u.-_=._-"];
        let parts = parts.into_iter().chain(["cn=a b", "cn=a+sn=b", r"cn=a\2cb", "cn=Zoë"]);
        let parts: Vec<&str> = parts.collect();
        for one in &parts {
            for other in &parts {
                for dn in [(*one).to_owned(), format!("{one},{other}"), format!("{one},dc=X,{other}")] {
                    assert_eq!(normal(&dn), taken_apart(&dn), "{dn:?}");
                }
            }
        }
        assert!(is_plain("UID=ada,ou=people,dc=acme,dc=test") && !is_plain("a=b=c") && !is_plain(""));
    }

    #[test]
    fn what_is_no_name_is_told() {
        for text in
            ["people", "=x", ";dc=x", "ou=a;;dc=b", "ou=people,", "ou=a,,dc=b", r"ou=a\", "ou=a,b c=d", r"ou=a\C3,dc=b"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_a_person_may_not_write_for_a_name_is_told() {
        for dn in
            ["dc=acme", r"cn=a\, b\2c\#,ou=P Q,dc=x", "cn=a+uid=b, dc=x", "ou=Zoë,dc=x", r"cn=\ a\ ,dc=x", "cn=a#b=c"]
        {
            assert!(names_an_entry(dn), "{dn}");
        }
        for dn in [
            "",
            " ",
            "people",
            r#"ou=peo"ple"#,
            r"ou=pe\zzple",
            r"ou=a\",
            "ou= #04",
            "ou=,dc=a",
            "2.5..11=a",
            "a;b=c",
            "ou=<a>",
            "ou=a\n",
            "ou=a;dc=b",
        ] {
            assert!(!names_an_entry(dn), "{dn}");
        }
        for dn in [
            "2.5.4.11=people,dc=acme",
            "OID.2.5.4.11=people,dc=acme",
            "ou=people,DomainComponent=acme",
            "USERID=a+cn=b,dc=c",
        ] {
            assert!(names_an_entry(dn) && !has_short_names(dn), "{dn}");
        }
        assert!(has_short_names("OU=people,dc=acme") && has_short_names("msDS-x=a"));
    }

    #[test]
    fn an_entry_is_within_what_is_above_it_alone() {
        let within = |dn: &str, base: &str| is_within(&normal(dn), &normal(base));
        assert!(within("uid=a,OU=People,dc=x", "ou=people,dc=x") && within("dc=x", "dc=x"));
        assert!(!within("uid=a,ou=morepeople,dc=x", "people,dc=x") && !within("dc=x", "ou=people,dc=x"));
        assert!(!within(r"uid=a\,dc=x", "dc=x"), "the comma is part of the name");
        assert_eq!(split(r"cn=a\,b,ou=P,dc=x"), Some((r"cn=a\2cb".to_owned(), "ou=P,dc=x".to_owned())));
        assert_eq!((split("dc=x"), split("")), (Some(("dc=x".to_owned(), String::new())), None));
    }
}
