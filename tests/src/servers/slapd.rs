//! OpenLDAP's server, which nobody of this project wrote: a process with a configuration and a database in a folder of its
//! own, on random ports of the loopback, with TLS by an authority of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use provost_connectors::{AnyTarget, Credentials, Role, connect};
use provost_core::model::{Connector, ConnectorKind};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Authority, cache, loopback};
use crate::free_port;

/// The entry at the top.
pub const SUFFIX: &str = "dc=acme,dc=test";
/// Who may do everything, with [`ROOT_PASSWORD`].
pub const ROOT: &str = "cn=root,dc=acme,dc=test";
/// See [`ROOT`].
pub const ROOT_PASSWORD: &str = "root-canary-41b7";
/// The operator's own entry, with no more rights than docs/ldap.md asks for, with [`PASSWORD`].
pub const SERVICE: &str = "cn=provost,ou=services,dc=acme,dc=test";
/// See [`SERVICE`].
pub const PASSWORD: &str = "ldap-canary-93e2";

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Lines of slapd.conf(5) for the database, before its access rules: limits, overlays.
    pub database: &'static str,
    /// Entries that are there beside the usual ones, as LDIF.
    pub entries: String,
    /// Whether StartTLS and ldaps are offered.
    pub tls: bool,
    /// Write to disk before answering, as a server in production does.
    pub sync: bool,
    /// Say how far the database has come (overlay syncprov).
    pub stamps: bool,
}

impl Default for Setup {
    fn default() -> Self {
        let database = "limits dn.exact=\"cn=provost,ou=services,dc=acme,dc=test\" size=unlimited time=unlimited\n";
        Self { database, entries: String::new(), tls: true, sync: false, stamps: true }
    }
}

/// A running server; killed when dropped, and its folder removed.
#[derive(Debug)]
pub struct Slapd {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    secure_port: u16,
    authority: String,
    /// Certificate and key of a client that SASL EXTERNAL takes for SERVICE, in PEM.
    client: (String, String),
    /// The server's own: one that is good, and one whose time is over.
    own: [(String, String); 2],
}

impl Slapd {
    /// With one base for accounts, one for groups, one for those who have left, one that may be read alone, and a counter.
    pub fn start() -> Self {
        Self::start_with(&Setup::default())
    }

    /// The same with differences.
    pub fn start_with(setup: &Setup) -> Self {
        let program = program();
        assert!(
            program.exists(),
            "slapd is not there: {} is missing; run `make setup` (or tests/tools/setup.sh slapd)",
            program.display()
        );
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new();
        let own = [authority.pair("localhost"), authority.expired_pair("localhost")];
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it is written");
        write("ca.pem", &authority.pem());
        write("server.pem", &own[0].0);
        write("server.key", &own[0].1);
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        write("slapd.conf", &configuration(folder.path(), setup));
        write("entries.ldif", &format!("{}{}", entries(), setup.entries));
        let added = command(&program)
            .args(["-T", "add", "-q", "-f"])
            .arg(folder.path().join("slapd.conf"))
            .arg("-l")
            .arg(folder.path().join("entries.ldif"))
            .output()
            .expect("it runs");
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let (port, secure_port) = (free_port(), free_port());
        let client = authority.pair("client");
        let mut server = Self { child: None, folder, port, secure_port, authority: authority.pem(), client, own };
        server.start_again();
        server
    }

    /// Starts it again after [`Self::stop`], with what it holds, where it was.
    pub fn start_again(&mut self) {
        let urls =
            format!("ldap://127.0.0.1:{}/ ldaps://127.0.0.1:{}/ {}/", self.port, self.secure_port, self.socket_url());
        let child = command(&program())
            .args(["-d", "0", "-h", &urls, "-f"])
            .arg(self.folder.path().join("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("slapd starts");
        self.child = Some(child);
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.child.as_mut().map(Child::try_wait);
            assert!(matches!(ended, Some(Ok(None))), "slapd ended at once: {ended:?}");
            assert!(began.elapsed() < Duration::from_mins(1), "slapd does not listen after a minute");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().and_then(|()| child.wait()).expect("it ends");
        }
    }

    /// Starts it again with a certificate whose time is over, or with its good one.
    pub fn start_certified(&mut self, expired: bool) {
        self.stop();
        let (certificate, key) = &self.own[usize::from(expired)];
        for (name, text) in [("server.pem", certificate), ("server.key", key)] {
            std::fs::write(self.folder.path().join(name), text).expect("it is written");
        }
        self.start_again();
    }

    /// Its process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// `ldap://`, which asks for StartTLS.
    pub fn url(&self) -> String {
        format!("ldap://localhost:{}", self.port)
    }

    /// `ldaps://`.
    pub fn secure_url(&self) -> String {
        format!("ldaps://localhost:{}", self.secure_port)
    }

    /// `ldapi://`.
    pub fn socket_url(&self) -> String {
        let path = self.folder.path().join("ldapi");
        format!("ldapi://{}", path.display().to_string().replace('/', "%2F"))
    }

    /// The port without TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of its authority, in PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The settings of a connector: SERVICE at `url`, groupOfNames, the password lock; merged with `more`.
    pub fn settings(&self, url: &str, more: &Value) -> Value {
        let mut settings = json!({
            "url": url,
            "bind": {"simple": {"dn": SERVICE, "passwordSecretRef": {"name": "ldap", "key": "password"}}},
            "tls": {"caSecretRef": {"name": "ldap", "key": "ca.crt"}},
            "accounts": {
                "baseDN": format!("ou=people,{SUFFIX}"), "markAttribute": "carLicense", "disable": {"passwordLock": {}},
            },
            "groups": {"baseDN": format!("ou=groups,{SUFFIX}")},
        });
        merge(&mut settings, more);
        settings
    }

    /// A connector with [`Self::settings`], reading these attributes beside the mapped ones.
    pub fn connector(&self, url: &str, more: &Value) -> Connector {
        let settings = json!({"ldap": self.settings(url, more)});
        Connector { kind: ConnectorKind::Ldap, fingerprint: format!("ldap {url}").into(), settings }
    }

    /// A connection with [`Self::settings`].
    pub async fn connected(&self, more: &Value) -> AnyTarget {
        self.connected_at(&self.url(), more, PASSWORD).await
    }

    /// The same at another URL or with another password.
    pub async fn connected_at(&self, url: &str, more: &Value, password: &str) -> AnyTarget {
        let credentials = Credentials::default()
            .with(Role::Password, password.to_owned().into())
            .with(Role::ClientCertificate, self.client.0.clone().into())
            .with(Role::ClientKey, self.client.1.clone().into())
            .with(Role::Authority, self.authority.clone().into());
        connect(&self.connector(url, more), credentials, &loopback()).await.expect("the settings are right")
    }

    /// A client of another make, as root: the edits of somebody else. `program` is one of OpenLDAP's, `input` its LDIF.
    pub fn run(&self, program: &str, arguments: &[&str], input: &str) -> String {
        use std::io::Write as _;
        let mut child = command(&root().join("usr/bin").join(program))
            .args(["-x", "-D", ROOT, "-w", ROOT_PASSWORD, "-H", &format!("ldap://127.0.0.1:{}", self.port)])
            .args(arguments)
            .env("LDAPNOINIT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {arguments:?}: {err}{out}");
        out.into_owned()
    }

    /// Changes as LDIF, by somebody else.
    pub fn edit(&self, ldif: &str) {
        self.run("ldapmodify", &[], ldif);
    }

    /// How many operations of each kind (`Search`, `Add`, `Modify`) it has completed by its own count, the search that asks for
    /// it not among them.
    ///
    /// # Panics
    /// If it does not say.
    pub fn operations(&self) -> BTreeMap<String, usize> {
        let shown = self.search("cn=Operations,cn=Monitor", "(cn=*)", &["cn", "monitorOpCompleted"]);
        let value = |entry: &str, name: &str| Some(entry.lines().find_map(|line| line.strip_prefix(name))?.to_owned());
        let count = |entry: &str| Some((value(entry, "cn: ")?, value(entry, "monitorOpCompleted: ")?.parse().ok()?));
        let counts: BTreeMap<String, usize> = shown.split("\n\n").filter_map(count).collect();
        assert!(counts.contains_key("Search"), "it counts nothing: {shown}");
        counts
    }

    /// What a search by somebody else finds, as LDIF without line breaks in values.
    pub fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> String {
        let arguments = [&["-LLL", "-o", "ldif-wrap=no", "-b", base, filter], attributes].concat();
        self.run("ldapsearch", &arguments, "")
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn root() -> PathBuf {
    cache().join("slapd")
}

fn program() -> PathBuf {
    root().join("usr/sbin/slapd")
}

/// Libraries that the machine had not are beside it.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let folders = std::fs::read_dir(root().join("usr/lib")).into_iter().flatten().flatten();
    let folders: Vec<String> = folders.map(|folder| folder.path().display().to_string()).collect();
    command.env("LD_LIBRARY_PATH", folders.join(":"));
    command
}

pub(super) fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                match into.get_mut(key) {
                    Some(_) if value.is_null() => drop(into.remove(key)),
                    // Of a union, another member replaces the one that is there.
                    Some(held) if key != "disable" && key != "bind" => merge(held, value),
                    _ => drop(into.insert(key.clone(), value.clone())),
                }
            }
        }
        (into, more) => *into = more.clone(),
    }
}

fn configuration(folder: &Path, setup: &Setup) -> String {
    let (folder, schema) = (folder.display(), root().join("etc/ldap/schema"));
    let mut text = String::new();
    for name in ["core", "cosine", "inetorgperson", "nis"] {
        writeln!(text, "include {}/{name}.schema", schema.display()).expect("a text");
    }
    writeln!(text, "modulepath {}", root().join("usr/lib/ldap").display()).expect("a text");
    for module in ["back_mdb", "ppolicy", "syncprov", "refint", "unique"] {
        writeln!(text, "moduleload {module}").expect("a text");
    }
    if setup.tls {
        write!(
            text,
            "TLSCACertificateFile {folder}/ca.pem\nTLSCertificateFile {folder}/server.pem\n\
             TLSCertificateKeyFile {folder}/server.key\nTLSVerifyClient allow\n"
        )
        .expect("a text");
    }
    let sync = if setup.sync { "" } else { "dbnosync\n" };
    let stamps = if setup.stamps { "overlay syncprov\n" } else { "" };
    write!(
        text,
        "pidfile {folder}/pid\nargsfile {folder}/args\nthreads 4\n\
         authz-regexp \"^gidNumber=[0-9]+[+]uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth\" \"{SERVICE}\"\n\
         authz-regexp \"^cn=client$\" \"{SERVICE}\"\n\
         database mdb\nsuffix \"{SUFFIX}\"\nrootdn \"{ROOT}\"\nrootpw {ROOT_PASSWORD}\ndirectory {folder}/data\n\
         maxsize 4294967296\n{sync}index objectClass,uid,cn,mail,carLicense,entryUUID,entryCSN eq\n\
         index member,uniqueMember,memberUid,uidNumber eq\n\
         {}overlay ppolicy\nppolicy_default \"cn=policy,{SUFFIX}\"\n{stamps}{}\n\
         database monitor\naccess to * by dn.exact=\"{ROOT}\" read by * none\n",
        setup.database, ACCESS
    )
    .expect("a text");
    text
}

/// What docs/ldap.md says that the bind DN needs.
const ACCESS: &str = r#"
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=board,ou=people,dc=acme,dc=test" by dn.exact="cn=provost,ou=services,dc=acme,dc=test" read by * none
access to dn.subtree="ou=people,dc=acme,dc=test" by dn.exact="cn=provost,ou=services,dc=acme,dc=test" write by * none
access to dn.subtree="ou=left,dc=acme,dc=test" by dn.exact="cn=provost,ou=services,dc=acme,dc=test" write by * none
access to dn.subtree="ou=groups,dc=acme,dc=test" by dn.exact="cn=provost,ou=services,dc=acme,dc=test" write by * none
access to dn.exact="cn=next,dc=acme,dc=test" by dn.exact="cn=provost,ou=services,dc=acme,dc=test" write by * none
access to * by dn.exact="cn=provost,ou=services,dc=acme,dc=test" read by anonymous auth by * none
"#;

fn entries() -> String {
    let mut ldif = format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Acme\n\n\
         dn: cn=next,{SUFFIX}\nobjectClass: device\nobjectClass: extensibleObject\nuidNumber: 10000\n\n\
         dn: cn=policy,{SUFFIX}\nobjectClass: device\nobjectClass: pwdPolicy\npwdAttribute: userPassword\npwdLockout: TRUE\n\n"
    );
    for (name, parent) in [("people", ""), ("board", "ou=people,"), ("left", ""), ("groups", ""), ("services", "")] {
        let dn = format!("ou={name},{parent}{SUFFIX}");
        write!(ldif, "dn: {dn}\nobjectClass: organizationalUnit\n\n").expect("a text");
    }
    write!(ldif, "dn: {SERVICE}\nobjectClass: device\nobjectClass: simpleSecurityObject\nuserPassword: {PASSWORD}\n\n")
        .expect("a text");
    ldif
}
