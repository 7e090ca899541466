use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a server says to a request.
#[derive(Clone, Debug)]
pub enum Says {
    /// These bytes; then it closes.
    Bytes(Vec<u8>),
    /// Nothing, and closes.
    Nothing,
    /// Nothing, and never closes.
    Silence,
}

impl Says {
    /// An HTTP answer of 200 with a body.
    pub fn ok(body: &str) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        Self::Bytes((head + body).into_bytes())
    }

    /// A SCIM list without items.
    pub fn empty_list() -> Self {
        Self::ok(r#"{"totalResults": 0, "Resources": []}"#)
    }
}

/// A certificate authority.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this name and its key, in PEM.
    pub fn pair(&self, name: &str) -> (String, String) {
        let (certificate, key) = self.certificate(name, false);
        (certificate.pem(), key.serialize_pem())
    }

    /// The same, but its time is over.
    pub fn expired_pair(&self, name: &str) -> (String, String) {
        let (certificate, key) = self.certificate(name, true);
        (certificate.pem(), key.serialize_pem())
    }

    fn certificate(&self, name: &str, expired: bool) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        if expired {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        (params.signed_by(&key, &self.0).expect("a certificate"), key)
    }

    /// What a server needs that presents a certificate for this name.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        Self::config(self.certificate(name, false))
    }

    /// The same, but the certificate's time is over.
    pub fn expired_server(&self, name: &str) -> Arc<ServerConfig> {
        Self::config(self.certificate(name, true))
    }

    fn config((certificate, key): (Certificate, KeyPair)) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            );
        Arc::new(config.expect("a configuration"))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// A server that says one thing, whatever is asked. It lives as long as the test process.
#[derive(Debug)]
pub struct Raw {
    address: SocketAddr,
    scheme: &'static str,
}

impl Raw {
    /// Without TLS.
    pub fn start(says: Says) -> Self {
        Self::listen("http", says, None)
    }

    /// With TLS.
    pub fn start_tls(says: Says, config: Arc<ServerConfig>) -> Self {
        Self::listen("https", says, Some(config))
    }

    /// The base URL, by this name of the loopback.
    pub fn url(&self, host: &str) -> String {
        format!("{}://{host}:{}/scim", self.scheme, self.address.port())
    }

    fn listen(scheme: &'static str, says: Says, config: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (says, config) = (says.clone(), config.clone());
                // Who asked may have gone: a test that breaks connections breaks them here too.
                std::thread::spawn(move || drop(serve(stream, says, config)));
            }
        });
        Self { address, scheme }
    }
}

fn serve(stream: TcpStream, says: Says, config: Option<Arc<ServerConfig>>) -> std::io::Result<()> {
    match config {
        None => answer(stream, says),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
            answer(StreamOwned::new(connection, stream), says)
        }
    }
}

fn answer(mut stream: impl Read + Write, says: Says) -> std::io::Result<()> {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => seen.extend_from_slice(&buffer[..read]),
        }
    }
    match says {
        Says::Nothing => Ok(()),
        Says::Bytes(bytes) => {
            stream.write_all(&bytes)?;
            stream.flush()
        }
        Says::Silence => {
            // Until the other side has had enough.
            while stream.read(&mut buffer)? > 0 {}
            Ok(())
        }
    }
}
