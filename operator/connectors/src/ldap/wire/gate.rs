//! What stands between the library and the server. The library takes a message apart level by level on the stack, whatever its length:
//! one that is nested deep enough would end the process. So it is handed whole messages alone, and bounded ones.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;

use bytes::BytesMut;
use ldap3::{LdapError, LdapResult};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::UnixStream;

/// Bytes of a message.
const LONGEST: usize = 16 * 1024 * 1024;
/// Elements in a message: each takes the library a hundred bytes.
const MOST: usize = 1_000_000;
/// Elements within elements: LDAP itself needs eight.
const DEEPEST: usize = 32;
/// Bytes of an answer to StartTLS.
const SHORT: usize = 4096;
/// What is read at once.
const CHUNK: usize = 32 * 1024;

/// StartTLS (RFC 4511, 4.14.1), as message 1.
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// The tag of a message.
const MESSAGE: u8 = 0x30;
/// The tag of the answer to an extended operation.
const EXTENDED_RESPONSE: u8 = 0x78;

/// A part of a message (X.690, 8.1).
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

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sends what is no message of LDAP: {why}"))
}

/// How many of the bytes are whole messages. An error: one of them is not to be read.
pub(super) fn whole(bytes: &[u8]) -> io::Result<usize> {
    let mut rest = bytes;
    while let Some(tag) = rest.first() {
        if *tag != MESSAGE {
            return Err(refused("it begins otherwise"));
        }
        let Some(message) = Element::first(rest)? else { break };
        bounded(message.content)?;
        rest = message.after;
    }
    Ok(bytes.len() - rest.len())
}

/// Whether the library can take this apart.
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

/// Carries between a server and the end that is given back, until either of them is closed.
pub(super) fn before<S>(server: S) -> io::Result<StdUnixStream>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (ours, librarys) = UnixStream::pair()?;
    tokio::spawn(async move {
        match carry(ours, server).await {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(%error, "connection to a directory ended");
            }
            ended => tracing::debug!(?ended, "connection to a directory ended"),
        }
    });
    librarys.into_std()
}

async fn carry(library: UnixStream, server: impl AsyncRead + AsyncWrite) -> io::Result<()> {
    let (mut from_library, mut to_library) = library.into_split();
    let (mut from_server, mut to_server) = split(server);
    let asking = async {
        copy(&mut from_library, &mut to_server).await?;
        to_server.shutdown().await
    };
    let answering = async {
        let mut held = BytesMut::new();
        loop {
            held.reserve(CHUNK);
            if from_server.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
            let whole = held.split_to(whole(&held)?);
            to_library.write_all(&whole).await?;
        }
    };
    tokio::select! {
        ended = asking => ended,
        ended = answering => ended,
    }
}

/// Asks for encryption: once this has succeeded, nothing is said in the clear any more.
pub(super) async fn start_tls(server: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), LdapError> {
    server.write_all(START_TLS).await?;
    // One by one: what comes after the answer is encrypted, or is not from the server.
    let mut answer = Vec::new();
    while whole(&answer)? == 0 {
        if answer.len() == SHORT {
            return Err(refused("an answer to StartTLS without end").into());
        }
        answer.push(server.read_u8().await?);
    }
    match code(&answer)? {
        Some(0) => Ok(()),
        Some(rc) => {
            let (matched, text, refs, ctrls) = (String::new(), String::new(), Vec::new(), Vec::new());
            Err(LdapResult { rc, matched, text, refs, ctrls }.into())
        }
        None => Err(refused("it does not answer StartTLS").into()),
    }
}

/// The result code of an answer to an extended operation.
fn code(message: &[u8]) -> io::Result<Option<u32>> {
    let Some(message) = Element::first(message)? else { return Ok(None) };
    let Some(id) = Element::first(message.content)? else { return Ok(None) };
    let Some(answer) = Element::first(id.after)?.filter(|answer| answer.tag == EXTENDED_RESPONSE) else {
        return Ok(None);
    };
    let code = Element::first(answer.content)?;
    Ok(code.map(|code| code.content.iter().fold(0, |code, digit| (code << 8) | u32::from(*digit))))
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
        (0..depth).fold(vec![0x04, 0x00], |content, _| around(MESSAGE, &content))
    }

    const SUCCESS: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";

    #[test]
    fn whole_messages_pass_and_a_part_waits_for_its_rest() {
        let two = [SUCCESS, SUCCESS].concat();
        for length in 0..=two.len() {
            assert_eq!(whole(&two[..length]).unwrap(), length / SUCCESS.len() * SUCCESS.len(), "{length}");
        }
        assert_eq!(whole(&nested(20)).unwrap(), nested(20).len());
        assert_eq!(code(SUCCESS).unwrap(), Some(0));
    }

    #[test]
    fn what_the_library_must_not_see_is_refused() {
        let many = around(MESSAGE, &[0x04, 0x00].repeat(MOST + 1));
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
            assert!(whole(bytes).is_err(), "{name}");
        }
    }
}
