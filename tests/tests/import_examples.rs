//! `docs/import.md` shows an import of each source, from the manifest of an example: each is run as it stands there, at a real
//! server that holds the same three people, and says what is shown.
#![allow(
    clippy::format_collect,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::cluster::{binary, repository};
use tests::documents::shown;
use tests::servers::samba::{DOMAIN, PASSWORD as SERVICE_PASSWORD, Samba};
use tests::servers::slapd::{PASSWORD, SUFFIX, Setup, Slapd};
use tests::servers::{Keycloak, Program, TOKEN};

fn document() -> String {
    std::fs::read_to_string(repository().join("docs/import.md")).unwrap()
}

/// A folder with these files.
fn place(files: &[(&str, &str)]) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = place.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    place
}

/// An example where somebody has put the address of their own server into it, and beside it their secrets.
fn example(source: &str, changed: &[(&str, &str)], secrets: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(repository().join(source)).unwrap();
    for (theirs, ours) in changed {
        assert!(text.contains(theirs), "{source} has no {theirs}");
        text = text.replace(theirs, ours);
    }
    let secrets: Vec<_> = secrets.iter().map(|(name, value)| (format!("secrets/{name}"), *value)).collect();
    let secrets = secrets.iter().map(|(name, value)| (name.as_str(), *value));
    let place = place(&secrets.chain([(source, text.as_str())]).collect::<Vec<_>>());
    says_what_is_shown(&place, source);
    let linted = provost(place.path(), &format!("provost lint -f {source} -f acme"));
    assert_eq!(linted.0, Some(0), "{}", linted.1);
}

/// Runs the one command that names this.
fn says_what_is_shown(place: &TempDir, names: &str) {
    let commands: Vec<_> = shown(&document()).into_iter().filter(|(command, _)| command.contains(names)).collect();
    let [(command, output)] = commands.as_slice() else { panic!("{names} is shown {} times", commands.len()) };
    let (status, said) = provost(place.path(), command);
    assert_eq!(said.trim_end(), output.join("\n").trim_end(), "{command}");
    assert_eq!(status, Some(0), "{command}");
}

fn provost(place: &Path, command: &str) -> (Option<i32>, String) {
    let called = Command::new(binary()).args(command.split_whitespace().skip(1)).current_dir(place).output().unwrap();
    let said = [called.stdout, called.stderr].concat();
    (called.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn a_scim_service_as_the_documentation_shows_it() {
    let server = Program::scim2_server().require().start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let make = async |kind: &str, body: Value| -> String {
        let request = client.post(format!("{}/{kind}", server.url())).bearer_auth(TOKEN);
        let answer =
            request.header("content-type", "application/scim+json").body(body.to_string()).send().await.unwrap();
        let text = answer.error_for_status().unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let person = |login: &str, given: &str, family: &str, department: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise],
            "userName": login, "name": {"givenName": given, "familyName": family}, "displayName": format!("{given} {family}"),
            "emails": [{"value": format!("{login}@acme.test"), "type": "work", "primary": true}], "active": true,
            enterprise: {"department": department},
        })
    };
    let mut grace = person("grace", "Grace", "Hopper", "Engineering");
    grace["externalId"] = "E-1002".into();
    let grace = make("Users", grace).await;
    let mut ada = person("ada", "Ada", "Lovelace", "Engineering");
    ada["externalId"] = "E-1001".into();
    ada[enterprise]["manager"] = json!({"value": grace});
    let ada = make("Users", ada).await;
    let mut bob = person("bob", "Bob", "Sales", "Sales");
    bob["active"] = false.into();
    make("Users", bob).await;
    let group = |name: &str, members: Value| json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": members});
    let chiefs = make("Groups", group("Chiefs", json!([{"value": grace, "type": "User"}]))).await;
    let editors = json!([{"value": ada, "type": "User"}, {"value": chiefs, "type": "Group"}]);
    make("Groups", group("Wiki Editors", editors)).await;
    make("Groups", group("Wiki Admins", json!([{"value": grace, "type": "User"}]))).await;
    let url = format!("url: {}\n      allowInsecure: true", server.url());
    example(
        "examples/01-quickstart/applications.yaml",
        &[("url: https://wiki.acme.test/v2", &url)],
        &[("wiki-scim/token", TOKEN)],
    );
}

#[tokio::test]
async fn a_directory_as_the_documentation_shows_it() {
    let people = format!("ou=people,{SUFFIX}");
    let person = |login: &str, name: [&str; 2], department: &str, more: &str| {
        format!(
            "dn: uid={login},{people}\nobjectClass: inetOrgPerson\nuid: {login}\ncn: {0} {1}\nsn: {1}\ngivenName: {0}\n\
             displayName: {0} {1}\nmail: {login}@acme.test\nou: {department}\nemployeeType: Employee\n{more}\n",
            name[0], name[1]
        )
    };
    let group = |name: &str, members: &[&str]| {
        let members: String = members.iter().map(|member| format!("member: {member},{SUFFIX}\n")).collect();
        format!("dn: cn={name},ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: {name}\n{members}\n")
    };
    let entries = [
        person("grace", ["Grace", "Hopper"], "Engineering", "carLicense: E-1002\n"),
        person(
            "ada",
            ["Ada", "Lovelace"],
            "Engineering",
            &format!("carLicense: E-1001\nmanager: uid=grace,{people}\n"),
        ),
        person("bob", ["Bob", "Sales"], "Sales", "pwdAccountLockedTime: 000001010000Z\n"),
        group("chiefs", &["uid=grace,ou=people"]),
        group("vpn-users", &["uid=ada,ou=people", "cn=chiefs,ou=groups"]),
        group("directory-admins", &["uid=grace,ou=people"]),
    ];
    let server = Slapd::start_with(&Setup { entries: entries.concat(), ..Setup::default() });
    example(
        "examples/10-ldap/applications.yaml",
        &[("ldaps://ldap.acme.test", &server.secure_url())],
        &[("directory-ldap/password", PASSWORD), ("directory-ldap/ca.crt", server.authority())],
    );
}

#[tokio::test]
async fn a_domain_as_the_documentation_shows_it() {
    let Some(server) = Samba::start() else { return };
    let place = format!("OU=Engineering,OU=People,{DOMAIN}");
    // 544: an ordinary account that needs no password; 2: it is disabled.
    let person = |login: &str, name: [&str; 2], place: &str, control: u32, more: &str| {
        let department = place.split([',', '=']).nth(1).unwrap();
        format!(
            "dn: CN={login},{place}\nobjectClass: user\nsAMAccountName: {login}\nuserPrincipalName: {login}@acme.test\n\
             userAccountControl: {control}\ndisplayName: {0} {1}\ngivenName: {0}\nsn: {1}\nmail: {login}@acme.test\n\
             proxyAddresses: smtp:{login}@acme.test\ndepartment: {department}\n{more}\n",
            name[0], name[1]
        )
    };
    let group = |name: &str, members: &[&str]| {
        let members: String = members.iter().map(|member| format!("member: {member}\n")).collect();
        format!("dn: CN={name},OU=Groups,{DOMAIN}\nobjectClass: group\nsAMAccountName: {name}\n{members}\n")
    };
    let (ada, grace, chiefs) =
        (format!("CN=ada,{place}"), format!("CN=grace,{place}"), format!("CN=Chiefs,OU=Groups,{DOMAIN}"));
    let sales = format!("OU=Sales,OU=People,{DOMAIN}");
    let entries = [
        format!("dn: {place}\nobjectClass: organizationalUnit\n\ndn: {sales}\nobjectClass: organizationalUnit\n\n"),
        person("grace", ["Grace", "Hopper"], &place, 544, "carLicense: E-1002\n"),
        person("ada", ["Ada", "Lovelace"], &place, 544, &format!("carLicense: E-1001\nmanager: {grace}\n")),
        person("bob", ["Bob", "Sales"], &sales, 546, ""),
        group("Chiefs", &[&grace]),
        group("Engineers", &[&ada, &chiefs]),
        group("VPN", &[&grace]),
    ];
    server.add(&entries.concat());
    example(
        "examples/11-active-directory/application.yaml",
        // This domain has no attributes of Exchange.
        &[("ldaps://dc1.acme.test", &server.secure_url()), ("extensionAttribute1", "carLicense")],
        &[("domain/password", SERVICE_PASSWORD), ("domain/ca.crt", server.authority())],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_realm_as_the_documentation_shows_it() {
    let server = Keycloak::shared();
    let realm = server.realm("acme", Some(&["employeeId", "department", "title"])).await;
    realm.client("provost", &["manage-users", "view-realm", "view-clients"]).await;
    realm.make_group("", "engineering").await;
    realm.make_group("engineering", "platform").await;
    realm.make_role("auditor").await;
    realm.make_role("grafana/admin").await;
    let user = |login: &str, name: [&str; 2], enabled: bool, attributes: Value, groups: Value| {
        json!({
            "username": login, "firstName": name[0], "lastName": name[1], "email": format!("{login}@acme.test"),
            "emailVerified": true, "enabled": enabled, "attributes": attributes, "groups": groups,
        })
    };
    let users = [
        user(
            "grace",
            ["Grace", "Hopper"],
            true,
            json!({"employeeId": ["E-1002"], "department": ["Engineering"]}),
            json!(["/engineering"]),
        ),
        user(
            "ada",
            ["Ada", "Lovelace"],
            true,
            json!({"employeeId": ["E-1001"], "department": ["Engineering"]}),
            json!(["/engineering/platform"]),
        ),
        user("bob", ["Bob", "Sales"], false, json!({"department": ["Sales"]}), json!([])),
    ];
    realm.ask(Method::POST, "/partialImport", Some(&json!({"ifResourceExists": "FAIL", "users": users}))).await;
    let url = format!("url: {}\n      allowInsecure: true", server.url());
    example(
        "examples/12-keycloak/application.yaml",
        &[("url: https://sso.acme.test", &url)],
        &[("sso-client/secret", TOKEN)],
    );
}

#[test]
fn a_table_as_the_documentation_shows_it() {
    let text = document();
    let (_, table) = text.split_once("```text\nuserName,").unwrap();
    let table = format!("userName,{}", table.split("```").next().unwrap());
    let place = place(&[("people.csv", &table)]);
    says_what_is_shown(&place, "people.csv");
    let linted = provost(place.path(), "provost lint -f acme");
    assert!(linted.1.contains("TargetApplication wiki"), "the application is to be declared: {}", linted.1);
}
