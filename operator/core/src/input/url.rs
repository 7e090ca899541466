/// A URL by the rule of the schema: `http` or `https` in lower case, a host, no user info, query, fragment, space or backslash.
/// It is never repeated in an error, since somebody may have written a password into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlainUrl<'a> {
    /// Whether it is https.
    pub(super) secure: bool,
    /// Host, and port where one is written.
    authority: &'a str,
    /// What follows, with its slash; may be empty.
    path: &'a str,
}

impl<'a> PlainUrl<'a> {
    pub(super) fn parse(url: &'a str) -> Option<Self> {
        let (secure, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let stray = |c: char| c == '?' || c == '#' || c == '\\' || c.is_whitespace() || c.is_control();
        if rest.contains(stray) {
            return None;
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = host_and_port(authority)?;
        let sound = !host.is_empty() && !authority.contains('@') && port.is_none_or(|port| port.parse::<u16>().is_ok());
        sound.then_some(Self { secure, authority, path })
    }

    /// Tells one target from another: host in lower case, port unless it is the usual one, path without a slash at the end.
    pub(super) fn identification(&self) -> String {
        let usual = if self.secure { ":443" } else { ":80" };
        let authority = self.authority.strip_suffix(usual).unwrap_or(self.authority);
        format!("{}{}", authority.to_lowercase(), self.path.trim_end_matches('/'))
    }
}

fn host_and_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => after.is_empty().then_some((host, None)),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}
