//! A bare client of a directory, for comparison: `ldap3` and nothing else, over StartTLS as the connector.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use ldap3::controls::{ControlType, PostRead, PostReadResp};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Mod};
use provost_core::model::{Change, Field};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tests::servers::slapd::{PASSWORD, SERVICE, SUFFIX, Slapd};

/// Where somebody is.
pub fn dn(user_name: &str) -> String {
    format!("uid={user_name},ou=people,{SUFFIX}")
}

/// A connection of the operator's own entry.
pub async fn connected(server: &Slapd) -> Ldap {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.authority().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = Arc::new(tls.with_root_certificates(roots).with_no_client_auth());
    let settings = LdapConnSettings::new().set_starttls(true).set_config(tls);
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &server.url()).await.unwrap();
    tokio::spawn(async move { connection.drive().await.unwrap() });
    ldap.simple_bind(SERVICE, PASSWORD).await.unwrap().success().unwrap();
    ldap
}

/// Adds people, so many at once on one connection, and reads the id of each in the answer.
pub async fn add_people(ldap: &Ldap, people: &[Change], concurrency: usize) {
    let ldap = ldap.clone();
    at_once(concurrency, people.iter().map(person).collect(), move |(dn, attributes)| {
        let mut ldap = ldap.clone();
        async move {
            let post_read = PostRead::new(vec!["entryUUID"]);
            let answer = ldap.with_controls(post_read).add(&dn, attributes).await.unwrap().success().unwrap();
            let id = answer.ctrls.iter().find(|control| matches!(control.0, Some(ControlType::PostReadResp)));
            assert!(id.unwrap().1.parse::<PostReadResp>().attrs.contains_key("entryUUID"));
        }
    })
    .await;
}

/// Makes groups with their members, so many at once; 200 members in a request, as the connector.
pub async fn add_groups(ldap: &Ldap, groups: Vec<(String, Vec<String>)>, concurrency: usize) {
    let ldap = ldap.clone();
    at_once(concurrency, groups, move |(name, members)| {
        let mut ldap = ldap.clone();
        async move {
            let dn = format!("cn={name},ou=groups,{SUFFIX}");
            let mut chunks = members.chunks(200).map(|some| some.iter().cloned().collect::<HashSet<_>>());
            let group = [("objectClass", "groupOfNames".to_owned()), ("cn", name)];
            let group = group.map(|(name, value)| (name.to_owned(), HashSet::from([value]))).into_iter();
            let group = group.chain([("member".to_owned(), chunks.next().unwrap())]).collect();
            ldap.add(&dn, group).await.unwrap().success().unwrap();
            for some in chunks {
                ldap.modify(&dn, vec![Mod::Add("member".to_owned(), some)]).await.unwrap().success().unwrap();
            }
        }
    })
    .await;
}

/// Does it for all, so many at once.
async fn at_once<T, F>(concurrency: usize, all: Vec<T>, act: impl Fn(T) -> F + Clone + Send + 'static)
where
    T: Send + 'static,
    F: Future<Output = ()> + Send,
{
    let all = Arc::new(Mutex::new(all.into_iter()));
    let one = |_| {
        let (all, act) = (Arc::clone(&all), act.clone());
        let take = move || all.lock().unwrap().next();
        tokio::spawn(async move {
            while let Some(next) = take() {
                act(next).await;
            }
        })
    };
    let workers: Vec<_> = (0..concurrency).map(one).collect();
    for worker in workers {
        worker.await.unwrap();
    }
}

/// The entry that the engine makes of a person: its name and attributes.
fn person(person: &Change) -> (String, Vec<(String, HashSet<String>)>) {
    let Change::Identity(manifest) = person else { panic!("no Identity: {person:?}") };
    let person = manifest.spec.clone().unwrap().pack();
    let text = |field| person.text(field).unwrap_or_default().to_owned();
    let name = person.user_name().to_string();
    let all = [
        ("objectClass", "inetOrgPerson".to_owned()),
        ("uid", name.clone()),
        ("cn", text(Field::DisplayName)),
        ("sn", text(Field::FamilyName)),
        ("givenName", text(Field::GivenName)),
        ("displayName", text(Field::DisplayName)),
        ("mail", person.primary_email().unwrap_or_default().to_owned()),
        ("title", text(Field::Title)),
        ("ou", text(Field::Department)),
        ("o", text(Field::Organization)),
        ("employeeNumber", text(Field::EmployeeNumber)),
        ("carLicense", person.external_id().unwrap_or_default().to_owned()),
    ];
    let attributes = all.into_iter().map(|(name, value)| (name.to_owned(), HashSet::from([value]))).collect();
    (dn(&name), attributes)
}
