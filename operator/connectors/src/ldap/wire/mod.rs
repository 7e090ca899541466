//! LDAP on the wire (RFC 4511), for every connector that speaks it: connections, operations, names, filters, results. It
//! knows nothing of accounts, and never retries.

pub(crate) mod ber;
mod client;
pub(crate) mod connect;
pub(crate) mod entry;
pub(crate) mod error;
pub(crate) mod filter;
mod guarded;
pub(crate) mod listing;
mod message;
pub(crate) mod value;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

pub(crate) use provost_core::model::dn;
use provost_core::model::{Spent, TargetError};
use secrecy::SecretString;

use ber::{INTEGER, OCTETS, SEQUENCE};
use client::Client;
use connect::Login;
pub(crate) use entry::Entry;
pub(crate) use error::{Asked, code};
pub(crate) use filter::Filter;
pub(crate) use message::{Change, Control};
use message::{Ended, Request, Scope};

/// Entries that a search for changes may find at most.
const FEW: u32 = 500;
/// Paged results (RFC 2696).
pub(crate) const PAGED: &str = "1.2.840.113556.1.4.319";
/// Assertion (RFC 4528).
pub(crate) const ASSERTION: &str = "1.3.6.1.1.12";
/// Post-read (RFC 4527).
pub(crate) const POST_READ: &str = "1.3.6.1.1.13.2";
/// Values that are there already, or are not, are no error.
pub(crate) const PERMISSIVE: &str = "1.2.840.113556.1.4.1413";

/// Values as a change needs them.
pub(crate) fn values<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>) -> BTreeSet<Vec<u8>> {
    values.into_iter().map(|value| value.as_ref().to_vec()).collect()
}

/// Refused where the entry is not such a one.
pub(crate) fn assertion(filter: &Filter) -> Control {
    Control::new(ASSERTION, true).with(|w| filter.write(w))
}

/// Answered with these attributes of the entry as it is then.
pub(crate) fn post_read<A: AsRef<[u8]>>(attributes: &[A]) -> Control {
    let all = |w: &mut ber::Writing| attributes.iter().for_each(|attribute| w.put(OCTETS, attribute));
    Control::new(POST_READ, false).with(|w| w.within(SEQUENCE, all))
}

/// What is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) scope: Scope,
    pub(crate) filter: Filter,
    pub(crate) attributes: Vec<String>,
    pub(crate) controls: Vec<Control>,
    /// Entries that are wanted at most; 0: all.
    most: u32,
}

impl Search {
    /// At one entry.
    pub(crate) fn at(dn: &str, filter: Filter, attributes: &[String]) -> Self {
        Self::new(dn, Scope::Base, filter, attributes)
    }

    /// The same with a control.
    pub(crate) fn with(mut self, control: Control) -> Self {
        self.controls.push(control);
        self
    }

    /// At an entry and everything below it.
    pub(crate) fn below(base: &str, filter: Filter, attributes: &[String]) -> Self {
        Self::new(base, Scope::Subtree, filter, attributes)
    }

    fn new(base: &str, scope: Scope, filter: Filter, attributes: &[String]) -> Self {
        let (base, attributes) = (base.to_owned(), attributes.to_vec());
        Self { base, scope, filter, attributes, controls: Vec::new(), most: 0 }
    }

    /// The same, refused with `SIZE_LIMIT` where more than this is found.
    fn at_most(mut self, most: u32) -> Self {
        self.most = most;
        self
    }
}

/// What a search found; it is complete.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    /// Where the search would go on at other servers, which is not followed.
    pub(crate) referrals: usize,
    /// Where the next page begins; empty after the last.
    pub(crate) cookie: Vec<u8>,
}

/// What came in place of success.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: TargetError,
    /// The result code, where an answer came.
    pub(crate) code: Option<u32>,
}

impl From<TargetError> for Refusal {
    fn from(error: TargetError) -> Self {
        Self { error, code: None }
    }
}

impl From<Refusal> for TargetError {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

/// A directory server. Requests share one connection, on which they do not wait for each other; a listing has one of its own,
/// since servers keep a cookie for one listing a connection.
#[derive(Debug)]
pub(crate) struct Wire {
    login: Login,
    shared: tokio::sync::Mutex<Shared>,
    idle: Mutex<Vec<Client>>,
}

#[derive(Debug, Default)]
struct Shared {
    client: Option<Client>,
    /// When and why the last attempt to connect failed.
    failed: Option<(Instant, TargetError)>,
}

/// A connection for a listing.
#[derive(Debug)]
pub(crate) struct Own(Client);

impl Wire {
    /// Sends nothing yet.
    pub(crate) fn new(login: Login) -> Result<Self, TargetError> {
        Ok(Self { login: login.checked()?, shared: tokio::sync::Mutex::default(), idle: Mutex::default() })
    }

    /// How it logs in.
    pub(crate) fn login(&self) -> &Login {
        &self.login
    }

    fn hidden(&self) -> Vec<SecretString> {
        self.login.hidden()
    }

    async fn shared(&self, spent: &mut Spent) -> Result<Client, TargetError> {
        let asked = Instant::now();
        let mut shared = self.shared.lock().await;
        if let Some(client) = shared.client.as_ref().filter(|client| !client.is_closed()) {
            return Ok(client.clone());
        }
        shared.client = None;
        // Who has waited for an attempt that failed does not wait for another one.
        if let Some((_, error)) = shared.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(error.clone());
        }
        match self.login.connect(spent).await {
            Ok(client) => {
                shared.client = Some(client.clone());
                Ok(client)
            }
            Err(error) => {
                shared.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// A connection that does not answer is left alone, and the next request makes another.
    async fn broken(&self) {
        self.shared.lock().await.client = None;
    }

    /// A connection for one listing at a time.
    pub(crate) async fn own(&self, spent: &mut Spent) -> Result<Own, TargetError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(client) = idle() {
            if !client.is_closed() {
                return Ok(Own(client));
            }
        }
        Ok(Own(self.login.connect(spent).await?))
    }

    /// Takes back a connection whose listing has ended.
    pub(crate) fn done(&self, own: Own) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < 2 {
            idle.push(own.0);
        }
    }

    /// What the server says of itself (RFC 4512, 5.1), and that it pages.
    pub(crate) async fn root(&self, more: &[&str], spent: &mut Spent) -> Result<Entry, TargetError> {
        let names: Vec<String> = ["supportedControl"].iter().chain(more).map(|name| (*name).to_owned()).collect();
        let found = self.search(Search::at("", Filter::any(), &names), spent).await?;
        let root = found.entries.into_iter().next().unwrap_or_default();
        if root.texts("supportedControl").any(|control| control == PAGED) {
            return Ok(root);
        }
        let text =
            "the server does not page (control 1.2.840.113556.1.4.319), or the bind DN may not read its root entry";
        Err(TargetError::Unsupported(text.into()))
    }

    /// An entry that the manifest names.
    pub(crate) async fn is_there(&self, field: &str, dn: &str, spent: &mut Spent) -> Result<(), TargetError> {
        let search = Search::at(dn, Filter::any(), &["1.1".to_owned()]);
        let missing = || {
            let text =
                format!("{field}: there is no {dn}, or the bind DN may not see it; correct the one or grant the other");
            TargetError::Unsupported(text.into())
        };
        match self.search(search, spent).await {
            Ok(found) if found.entries.is_empty() => Err(missing()),
            Ok(_) => Ok(()),
            Err(refusal) if refusal.code == Some(code::NO_SUCH_OBJECT) => Err(missing()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Everything that a search finds, in one answer: for a few entries.
    pub(crate) async fn search(&self, search: Search, spent: &mut Spent) -> Result<Found, Refusal> {
        let client = self.shared(spent).await?;
        let result = self.look(&client, search, None, spent).await;
        if result.as_ref().is_err_and(|refusal| refusal.code.is_none()) {
            self.broken().await;
        }
        result
    }

    /// Everything that a search finds, asked for on this connection.
    pub(crate) async fn ask(&self, own: &mut Own, search: Search, spent: &mut Spent) -> Result<Found, Refusal> {
        self.look(&own.0, search, None, spent).await
    }

    /// The same, of what is told of changes; `None`: there is more than that, which is for a listing.
    pub(crate) async fn few(
        &self,
        own: &mut Own,
        search: Search,
        spent: &mut Spent,
    ) -> Result<Option<Vec<Entry>>, Refusal> {
        match self.ask(own, search.at_most(FEW), spent).await {
            Err(Refusal { code: Some(code::SIZE_LIMIT), .. }) => Ok(None),
            found => Ok(Some(found?.entries)),
        }
    }

    /// One page. The cookie of the last one, or an empty one at the beginning.
    pub(crate) async fn page(
        &self,
        own: &mut Own,
        search: Search,
        size: usize,
        cookie: Vec<u8>,
        spent: &mut Spent,
    ) -> Result<Found, Refusal> {
        let size = u32::try_from(size).unwrap_or(500);
        let control = Control::new(PAGED, true).with(|w| {
            w.within(SEQUENCE, |w| {
                w.number(INTEGER, size);
                w.put(OCTETS, &cookie);
            });
        });
        self.look(&own.0, search, Some(control), spent).await
    }

    async fn look(
        &self,
        client: &Client,
        search: Search,
        control: Option<Control>,
        spent: &mut Spent,
    ) -> Result<Found, Refusal> {
        spent.requests += 1;
        let paged = control.is_some();
        let Search { base, scope, filter, attributes, mut controls, most } = search;
        controls.extend(control);
        let request = Request::Search { base: &base, scope, most, filter: &filter, attributes: &attributes };
        let answer = client.ask(&request, &controls, self.login.rules.timeouts.whole).await;
        let answer = answer.map_err(|broken| error::of_transport(&broken, Asked::Read))?;
        if answer.ended.code != code::SUCCESS {
            return Err(self.refusal(&answer.ended, Asked::Read, &[]));
        }
        let cookie = match (paged, entry::cookie(&answer.ended.controls)) {
            (true, None) => return Err(TargetError::Malformed("the server did not page".into()).into()),
            (_, cookie) => cookie.unwrap_or_default(),
        };
        Ok(Found { entries: answer.entries, referrals: answer.references, cookie })
    }

    /// A new entry; the controls of the answer.
    pub(crate) async fn add(
        &self,
        dn: &str,
        attributes: Vec<(Vec<u8>, BTreeSet<Vec<u8>>)>,
        controls: Vec<Control>,
        spent: &mut Spent,
    ) -> Result<Vec<Control>, Refusal> {
        let names: Vec<&[u8]> = attributes.iter().map(|(name, _)| &**name).collect();
        self.write(&Request::Add { dn, attributes: &attributes }, &controls, &names, spent).await
    }

    /// Changes of one entry: all or none; the controls of the answer.
    pub(crate) async fn modify(
        &self,
        dn: &str,
        changes: Vec<Change>,
        controls: Vec<Control>,
        spent: &mut Spent,
    ) -> Result<Vec<Control>, Refusal> {
        let names: Vec<&[u8]> = changes.iter().map(Change::name).collect();
        self.write(&Request::Modify { dn, changes: &changes }, &controls, &names, spent).await
    }

    /// A new name, and where one is given a new place. The old value of the name goes.
    pub(crate) async fn rename(
        &self,
        dn: &str,
        rdn: &str,
        parent: Option<&str>,
        controls: Vec<Control>,
        spent: &mut Spent,
    ) -> Result<(), Refusal> {
        self.write(&Request::Rename { dn, rdn, parent }, &controls, &[], spent).await?;
        Ok(())
    }

    /// Deletes an entry.
    pub(crate) async fn delete(&self, dn: &str, controls: Vec<Control>, spent: &mut Spent) -> Result<(), Refusal> {
        self.write(&Request::Delete { dn }, &controls, &[], spent).await?;
        Ok(())
    }

    async fn write(
        &self,
        request: &Request<'_>,
        controls: &[Control],
        names: &[&[u8]],
        spent: &mut Spent,
    ) -> Result<Vec<Control>, Refusal> {
        let client = self.shared(spent).await?;
        // Asked last of all: connecting may have taken long.
        if !self.login.rules.permit.holds() {
            return Err(TargetError::Transient("this process may not write any more".into()).into());
        }
        spent.requests += 1;
        let ended = match client.ask(request, controls, self.login.rules.timeouts.whole).await {
            Ok(answer) => answer.ended,
            Err(broken) => {
                self.broken().await;
                return Err(error::of_transport(&broken, Asked::Write).into());
            }
        };
        if ended.code == code::SUCCESS {
            return Ok(ended.controls);
        }
        let names: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        Err(self.refusal(&ended, Asked::Write, &names))
    }

    fn refusal(&self, ended: &Ended, asked: Asked, names: &[&str]) -> Refusal {
        Refusal { error: error::of_result(ended, asked, names, &self.hidden()), code: Some(ended.code) }
    }
}
