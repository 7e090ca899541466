//! A directory: OpenLDAP's slapd, asked and edited with OpenLDAP's own programs.

use tests::servers::slapd::{PASSWORD, ROOT, ROOT_PASSWORD, SUFFIX, Slapd};

use crate::server::{Account, Server};

pub struct Directory(Slapd);

impl Directory {
    pub fn start() -> Self {
        Self(Slapd::start())
    }
}

fn people() -> String {
    format!("ou=people,{SUFFIX}")
}

fn groups() -> String {
    format!("ou=groups,{SUFFIX}")
}

fn value<'a>(entry: &'a str, attribute: &str) -> &'a str {
    entry.lines().find_map(|line| line.strip_prefix(attribute)?.strip_prefix(": ")).unwrap_or_default()
}

impl Server for Directory {
    fn application(&self) -> &'static str {
        "directory"
    }

    fn put_into(&self, manifests: String) -> String {
        let authority = serde_json::Value::from(self.0.authority()).to_string();
        manifests
            .replace("url: ldaps://ldap.acme.test", &format!("url: {}", self.0.secure_url()))
            .replace("ldap.acme.test", "localhost")
            .replace("password: change-me", &format!("password: {PASSWORD}"))
            .replace("ca.crt: change-me", &format!("ca.crt: {authority}"))
    }

    fn accounts(&self) -> Vec<Account> {
        let asked = ["entryUUID", "uid", "mail", "title", "pwdAccountLockedTime"];
        let found = self.0.search(&people(), "(objectClass=inetOrgPerson)", &asked);
        let account = |entry: &str| Account {
            id: value(entry, "entryUUID").to_owned(),
            user_name: value(entry, "uid").to_owned(),
            email: value(entry, "mail").to_owned(),
            title: value(entry, "title").to_owned(),
            active: value(entry, "pwdAccountLockedTime").is_empty(),
        };
        let mut accounts: Vec<Account> =
            found.split("\n\n").filter(|entry| !entry.trim().is_empty()).map(account).collect();
        accounts.sort_by(|one, other| one.user_name.cmp(&other.user_name));
        accounts
    }

    fn groups(&self) -> Vec<String> {
        let found = self.0.search(&groups(), "(objectClass=groupOfNames)", &["cn"]);
        let mut names: Vec<String> =
            found.lines().filter_map(|line| line.strip_prefix("cn: ")).map(str::to_owned).collect();
        names.sort();
        names
    }

    fn members(&self, group: &str) -> Vec<String> {
        let found = self.0.search(&groups(), &format!("(cn={group})"), &["member"]);
        let user_name = |line: &str| line.strip_prefix("member: uid=")?.split(',').next().map(str::to_owned);
        let mut names: Vec<String> = found.lines().filter_map(user_name).collect();
        names.sort();
        names
    }

    fn tells_of_edits(&self) -> bool {
        true
    }

    fn tamper(&self, user_name: &str, title: &str) {
        self.0.edit(&format!("dn: uid={user_name},{}\nchangetype: modify\nreplace: title\ntitle: {title}\n", people()));
    }

    fn shown(&self, user_name: &str) -> String {
        let asked = ["title", "mail", "ou", "manager", "pwdAccountLockedTime"];
        let filter = format!("(|(uid={user_name})(member=uid={user_name},{}))", people());
        let found = self.0.search(SUFFIX, &filter, &asked);
        let lines: Vec<&str> = found.lines().filter(|line| !line.is_empty()).collect();
        format!("$ ldapsearch '{filter}' {}\n{}", asked.join(" "), lines.join("\n"))
    }

    fn how_to_ask(&self) -> String {
        let (programs, port) = (tests::servers::cache().join("slapd/usr"), self.0.port());
        // Libraries that the machine had not are beside the programs.
        format!(
            "USR={}\nLD_LIBRARY_PATH=$(echo $USR/lib/* | tr ' ' :) $USR/bin/ldapsearch \\\n  -x -LLL -H ldap://127.0.0.1:{port} \
             -D {ROOT} \\\n  -w {ROOT_PASSWORD} -b {SUFFIX}",
            programs.display()
        )
    }
}
