//! How groups are named: by the names from the top down, joined by slashes (`engineering/platform`). A slash within a name
//! is written `~/`, and a tilde before a slash, or at the end of a name, `~~`.

/// The name of a group below `parent` (empty: at the top).
pub(super) fn join(parent: &str, name: &str) -> String {
    let mut out = String::with_capacity(parent.len() + name.len() + 1);
    out.push_str(parent);
    if !parent.is_empty() {
        out.push('/');
    }
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let escaped = match letter {
            '/' => true,
            '~' => matches!(letters.peek(), None | Some('/' | '~')),
            _ => false,
        };
        if escaped {
            out.push('~');
        }
        out.push(letter);
    }
    out
}

/// The names from the top down; `None` if one of them is empty.
pub(super) fn split(path: &str) -> Option<Vec<String>> {
    let mut names = vec![String::new()];
    let mut letters = path.chars().peekable();
    while let Some(letter) = letters.next() {
        let name = names.last_mut()?;
        match letter {
            '/' => names.push(String::new()),
            '~' => match letters.next_if(|next| matches!(next, '/' | '~')) {
                Some(escaped) => name.push(escaped),
                None => name.push('~'),
            },
            other => name.push(other),
        }
    }
    names.iter().all(|name| !name.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_slashes_and_tildes_come_back_as_they_were() {
        for names in [
            vec!["engineering"],
            vec!["engineering", "platform"],
            vec!["R/D", "a~b"],
            vec!["R/D~", "~x"],
            vec!["~", "~~", "/", "~/", "/~"],
            vec!["a~", "b"],
            vec!["Zoë \"quoted\"", "日本"],
        ] {
            let path = names.iter().fold(String::new(), |parent, name| join(&parent, name));
            assert_eq!(split(&path).unwrap(), names, "{path}");
        }
        assert_eq!(join("engineering", "platform"), "engineering/platform");
        assert_eq!(join("", "R/D"), "R~/D");
        assert_eq!(join("", "a~b"), "a~b");
    }

    #[test]
    fn an_empty_name_is_no_path() {
        for path in ["", "/", "a//b", "/a", "a/"] {
            assert_eq!(split(path), None, "{path:?}");
        }
    }
}
