//! Samba as a domain controller, which nobody of this project wrote: a process on a copy of a domain that `setup.sh samba` has
//! made once, on an address of 127/8 of its own, since its ports cannot be chosen, with TLS by an authority of its own.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use provost_connectors::{AnyTarget, Credentials, Role, connect};
use provost_core::model::{Connector, ConnectorKind};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::slapd::merge;
use super::{Authority, cache, loopback};

/// The entry at the top.
pub const DOMAIN: &str = "DC=acme,DC=test";
/// The operator's own account, with no more rights than docs/active-directory.md asks for, with [`PASSWORD`].
pub const SERVICE: &str = "provost@acme.test";
/// See [`SERVICE`].
pub const PASSWORD: &str = "Service-canary-93e2";

/// A running controller; it ends when it is dropped, and with the process of the test.
#[derive(Debug)]
pub struct Samba {
    child: Option<Child>,
    folder: TempDir,
    address: Ipv4Addr,
    authority: String,
    issuer: Authority,
}

impl Samba {
    /// With `OU=People`, `OU=Left` and `OU=Groups`. `None`: this machine cannot have one, which is said.
    pub fn start() -> Option<Self> {
        let domain = cache().join("samba");
        let there = |name: &str| ["/usr/sbin", "/usr/bin"].iter().any(|at| Path::new(at).join(name).exists());
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        if !root || !(there("samba") || there("apt-get")) {
            let mut out = std::io::stderr().lock();
            drop(std::io::Write::write_all(
                &mut out,
                b"left out: Samba needs root and its packages (setup.sh samba)\n",
            ));
            return None;
        }
        assert!(
            there("samba") && domain.join("private/sam.ldb").exists(),
            "Samba's domain is not there: run `make setup` (or tests/tools/setup.sh samba)"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let copied = Command::new("cp").arg("-a").arg(domain.join(".")).arg(folder.path()).status();
        assert!(copied.expect("it runs").success(), "the domain is copied");
        let (authority, address) = (Authority::new(), free_address());
        let (certificate, key) = authority.pair(&address.to_string());
        std::fs::create_dir_all(folder.path().join("tls")).expect("a folder");
        for (name, text) in [
            ("tls/ca.pem", &authority.pem()),
            ("tls/cert.pem", &certificate),
            ("tls/key.pem", &key),
            ("smb.conf", &configuration(folder.path(), address)),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("it is written");
            // A key that others may read is refused.
            let own = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
            std::fs::set_permissions(&path, own).expect("it is ours");
        }
        let mut server = Self { child: None, folder, address, authority: authority.pem(), issuer: authority };
        server.start_again();
        Some(server)
    }

    /// Starts it again after [`Self::stop`], with what it holds, where it was.
    pub fn start_again(&mut self) {
        self.run_server(&[], &[389, 636]);
    }

    /// The same without certificate.
    pub fn start_without_tls(&mut self) {
        self.run_server(&["--option=tls enabled=no"], &[389]);
    }

    /// The same with a certificate whose time is over.
    pub fn start_expired(&mut self) {
        let pair = self.issuer.expired_pair(&self.address.to_string());
        self.start_certified(pair);
    }

    /// The same with a new one, of the same authority.
    pub fn start_renewed(&mut self) {
        let pair = self.issuer.pair(&self.address.to_string());
        self.start_certified(pair);
    }

    fn start_certified(&mut self, (certificate, key): (String, String)) {
        for (name, text) in [("tls/cert.pem", certificate), ("tls/key.pem", key)] {
            std::fs::write(self.folder.path().join(name), text).expect("it is written");
        }
        self.start_again();
    }

    fn run_server(&mut self, more: &[&str], ports: &[u16]) {
        // Where its input ends, it ends: also when the test was killed.
        let child = Command::new("samba")
            .args(["-i", "-M", "single", "-d", "0", "-s"])
            .arg(self.configuration())
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("samba starts");
        self.child = Some(child);
        let began = Instant::now();
        while ports.iter().any(|port| TcpStream::connect((self.address, *port)).is_err()) {
            let ended = self.child.as_mut().map(Child::try_wait);
            assert!(matches!(ended, Some(Ok(None))), "samba ended at once: {ended:?}");
            assert!(began.elapsed() < Duration::from_mins(2), "samba does not listen after two minutes");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().and_then(|()| child.wait()).expect("it ends");
        }
    }

    fn configuration(&self) -> std::path::PathBuf {
        self.folder.path().join("smb.conf")
    }

    /// `ldap://`, which asks for StartTLS.
    pub fn url(&self) -> String {
        format!("ldap://{}", self.address)
    }

    /// `ldaps://`.
    pub fn secure_url(&self) -> String {
        format!("ldaps://{}", self.address)
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The certificate of its authority, in PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// A connector: SERVICE at `url`, a mark on accounts, merged with `more`.
    pub fn connector(&self, url: &str, more: &Value) -> Connector {
        let mut settings = json!({
            "url": url,
            "bind": {"user": SERVICE, "passwordSecretRef": {"name": "ad", "key": "password"}},
            "tls": {"caSecretRef": {"name": "ad", "key": "ca.crt"}},
            "accounts": {"baseDN": format!("OU=People,{DOMAIN}"), "markAttribute": "carLicense"},
            "groups": {"baseDN": format!("OU=Groups,{DOMAIN}")},
        });
        merge(&mut settings, more);
        let settings = json!({"activeDirectory": settings});
        Connector {
            kind: ConnectorKind::ActiveDirectory,
            fingerprint: format!("activeDirectory {url}").into(),
            settings,
        }
    }

    /// A connection with [`Self::connector`].
    pub async fn connected(&self, more: &Value) -> AnyTarget {
        self.connected_at(&self.secure_url(), more, PASSWORD).await
    }

    /// The same at another URL or with another password.
    pub async fn connected_at(&self, url: &str, more: &Value, password: &str) -> AnyTarget {
        self.connected_as(&self.connector(url, more), password).await
    }

    /// The same with a connector that reads more.
    pub async fn connected_as(&self, connector: &Connector, password: &str) -> AnyTarget {
        self.connected_by(connector, password, &self.authority).await
    }

    /// The same, trusting this authority.
    pub async fn connected_by(&self, connector: &Connector, password: &str, authority: &str) -> AnyTarget {
        let credentials = Credentials::default()
            .with(Role::Password, password.to_owned().into())
            .with(Role::Authority, authority.to_owned().into());
        connect(connector, credentials, &loopback()).await.expect("the settings are right")
    }

    /// The edits of somebody else, who may do everything. `program` is one of ldb's, `input` its LDIF.
    pub fn run(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let ldif = self.folder.path().join("input.ldif");
        std::fs::write(&ldif, input).expect("it is written");
        let mut command = Command::new(program);
        command
            .arg(format!("--configfile={}", self.configuration().display()))
            .arg("-H")
            .arg(self.folder.path().join("private/sam.ldb"));
        command.args(arguments);
        if !input.is_empty() {
            command.arg(&ldif);
        }
        let output = command.output().expect("it runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {arguments:?}: {err}{out}");
        out.into_owned()
    }

    /// Changes as LDIF, by somebody else.
    pub fn edit(&self, ldif: &str) {
        self.run("ldbmodify", &[], ldif);
    }

    /// Gives SERVICE these rights on an entry, and nobody but the system and administrators any other; `SID` stands for its SID.
    pub fn allow(&self, dn: &str, rights: &str) {
        let found = self.search("(sAMAccountName=provost)", &["objectSid"]);
        let sid = found.lines().find_map(|line| line.strip_prefix("objectSid: ")).expect("it has one");
        let all = "(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;DA)";
        let rights = rights.replace("SID", sid);
        self.edit(&format!(
            "dn: {dn}\nchangetype: modify\nreplace: nTSecurityDescriptor\nnTSecurityDescriptor: D:PAI{rights}{all}\n"
        ));
    }

    /// New entries as LDIF, by somebody else.
    pub fn add(&self, ldif: &str) {
        self.run("ldbadd", &[], ldif);
    }

    /// What a search by somebody else finds, as LDIF.
    pub fn search(&self, filter: &str, attributes: &[&str]) -> String {
        self.run("ldbsearch", &[&["-b", DOMAIN, filter], attributes].concat(), "")
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Not of another controller of this process or of another one that runs at the same time.
fn free_address() -> Ipv4Addr {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    loop {
        let address = Ipv4Addr::new(127, high | 128, low, LAST.fetch_add(1, Ordering::Relaxed) % 254 + 1);
        if TcpStream::connect((address, 636)).is_err() {
            return address;
        }
    }
}

fn configuration(folder: &Path, address: Ipv4Addr) -> String {
    let at = folder.display();
    for name in ["cache", "lock", "pid", "ncalrpc"] {
        std::fs::create_dir_all(folder.join(name)).expect("a folder");
    }
    format!(
        "[global]\nnetbios name = DC1\nrealm = ACME.TEST\nworkgroup = ACME\nserver role = active directory domain controller\n\
         server services = ldap\ninterfaces = {address}/8\nbind interfaces only = yes\nlog file = {at}/log\n\
         private dir = {at}/private\nstate directory = {at}/state\ncache directory = {at}/cache\nlock directory = {at}/lock\n\
         pid directory = {at}/pid\nncalrpc dir = {at}/ncalrpc\nwinbindd socket directory = {at}/winbindd\n\
         binddns dir = {at}/dns\ntls enabled = yes\ntls cafile = {at}/tls/ca.pem\ntls certfile = {at}/tls/cert.pem\n\
         tls keyfile = {at}/tls/key.pem\n"
    )
}
