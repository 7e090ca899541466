//! LDAP on the wire (RFC 4511), for every connector that speaks it: connections, operations, names, filters, results. It
//! knows nothing of accounts, and never retries.

pub(crate) mod connect;
pub(crate) mod dn;
pub(crate) mod entry;
pub(crate) mod error;
pub(crate) mod filter;
mod gate;
mod guarded;
pub(crate) mod listing;
pub(crate) mod value;

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ldap3::controls::{Control, PagedResults, RawControl};
use ldap3::{LdapError, LdapResult, Mod, Scope, SearchOptions};
use provost_core::model::{Spent, TargetError};
use secrecy::SecretString;
use tokio::task::JoinSet;

use connect::Login;
pub(crate) use entry::Entry;
pub(crate) use error::{Asked, code};
pub(crate) use filter::Filter;

/// Entries that a search for changes may find at most.
const FEW: i32 = 500;
/// Paged results (RFC 2696).
pub(crate) const PAGED: &str = "1.2.840.113556.1.4.319";
/// Assertion (RFC 4528).
pub(crate) const ASSERTION: &str = "1.3.6.1.1.12";
/// Post-read (RFC 4527).
pub(crate) const POST_READ: &str = "1.3.6.1.1.13.2";
/// Values that are there already, or are not, are no error.
pub(crate) const PERMISSIVE: &str = "1.2.840.113556.1.4.1413";

/// A change of one attribute; values are bytes.
pub(crate) type Change = Mod<Vec<u8>>;

/// `Mod`s of values as a change needs them.
pub(crate) fn values<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>) -> HashSet<Vec<u8>> {
    values.into_iter().map(|value| value.as_ref().to_vec()).collect()
}

/// What is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) scope: Scope,
    pub(crate) filter: Filter,
    pub(crate) attributes: Vec<String>,
    pub(crate) controls: Vec<RawControl>,
    /// Entries that are wanted at most; 0: all.
    most: i32,
}

impl Search {
    /// At one entry.
    pub(crate) fn at(dn: &str, filter: Filter, attributes: &[String]) -> Self {
        Self::new(dn, Scope::Base, filter, attributes)
    }

    /// The same with a control.
    pub(crate) fn with(mut self, control: RawControl) -> Self {
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
    fn at_most(mut self, most: i32) -> Self {
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
    idle: Mutex<Vec<ldap3::Ldap>>,
}

#[derive(Debug, Default)]
struct Shared {
    ldap: Option<ldap3::Ldap>,
    /// When and why the last attempt to connect failed.
    failed: Option<(Instant, TargetError)>,
}

/// A connection for a listing.
#[derive(Debug)]
pub(crate) struct Own(ldap3::Ldap);

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

    async fn shared(&self, spent: &mut Spent) -> Result<ldap3::Ldap, TargetError> {
        let asked = Instant::now();
        let mut shared = self.shared.lock().await;
        if let Some(ldap) = shared.ldap.as_mut()
            && !ldap.is_closed()
        {
            return Ok(ldap.clone());
        }
        shared.ldap = None;
        // Who has waited for an attempt that failed does not wait for another one.
        if let Some((_, error)) = shared.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(error.clone());
        }
        match self.login.connect(spent).await {
            Ok(ldap) => {
                shared.ldap = Some(ldap.clone());
                Ok(ldap)
            }
            Err(error) => {
                shared.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// A connection that does not answer is left alone, and the next request makes another.
    async fn broken(&self) {
        self.shared.lock().await.ldap = None;
    }

    /// A connection for one listing at a time.
    pub(crate) async fn own(&self, spent: &mut Spent) -> Result<Own, TargetError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(mut ldap) = idle() {
            if !ldap.is_closed() {
                return Ok(Own(ldap));
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
        let mut ldap = self.shared(spent).await?;
        let result = self.look(&mut ldap, search, None, spent).await;
        if result.as_ref().is_err_and(|refusal| refusal.code.is_none()) {
            self.broken().await;
        }
        result
    }

    /// Everything that a search finds, asked for on this connection.
    pub(crate) async fn ask(&self, own: &mut Own, search: Search, spent: &mut Spent) -> Result<Found, Refusal> {
        self.look(&mut own.0, search, None, spent).await
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
        let size = i32::try_from(size).unwrap_or(500);
        let mut control: RawControl = PagedResults { size, cookie }.into();
        control.crit = true;
        self.look(&mut own.0, search, Some(control), spent).await
    }

    async fn look(
        &self,
        ldap: &mut ldap3::Ldap,
        search: Search,
        control: Option<RawControl>,
        spent: &mut Spent,
    ) -> Result<Found, Refusal> {
        spent.requests += 1;
        let (mut ldap, paged) = (ldap.clone(), control.is_some());
        ldap.with_timeout(self.login.rules.timeouts.whole);
        let Search { base, scope, filter, attributes, mut controls, most } = search;
        ldap.with_search_options(SearchOptions::new().sizelimit(most));
        controls.extend(control);
        if !controls.is_empty() {
            ldap.with_controls(controls);
        }
        let asking = async move { ldap.search(&base, scope, &filter.to_string(), attributes).await };
        let found = alone(asking, Asked::Read).await?;
        let (entries, result) = (found.0, found.1);
        if result.rc != code::SUCCESS {
            return Err(self.refusal(&result, Asked::Read, &[]));
        }
        let malformed = || TargetError::Malformed("an entry of a search cannot be read".into());
        let entries = entries.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
        let entries = entries.map(|entry| Entry::parse(entry.0)).collect::<Option<Vec<_>>>().ok_or_else(malformed)?;
        let cookie = match (paged, entry::cookie(&result.ctrls)) {
            (true, None) => return Err(TargetError::Malformed("the server did not page".into()).into()),
            (_, cookie) => cookie.unwrap_or_default(),
        };
        Ok(Found { entries, referrals: result.refs.len(), cookie })
    }

    /// A new entry; the controls of the answer.
    pub(crate) async fn add(
        &self,
        dn: &str,
        attributes: Vec<(Vec<u8>, HashSet<Vec<u8>>)>,
        controls: Vec<RawControl>,
        spent: &mut Spent,
    ) -> Result<Vec<Control>, Refusal> {
        let names: Vec<String> = attributes.iter().map(|(name, _)| String::from_utf8_lossy(name).into()).collect();
        let dn = dn.to_owned();
        self.write(|mut ldap| async move { ldap.add(&dn, attributes).await }, controls, &names, spent).await
    }

    /// Changes of one entry: all or none.
    pub(crate) async fn modify(
        &self,
        dn: &str,
        changes: Vec<Change>,
        controls: Vec<RawControl>,
        spent: &mut Spent,
    ) -> Result<(), Refusal> {
        let name = |change: &Change| match change {
            Mod::Add(name, _) | Mod::Delete(name, _) | Mod::Replace(name, _) | Mod::Increment(name, _) => {
                String::from_utf8_lossy(name).into_owned()
            }
        };
        let names: Vec<String> = changes.iter().map(name).collect();
        let dn = dn.to_owned();
        self.write(|mut ldap| async move { ldap.modify(&dn, changes).await }, controls, &names, spent).await?;
        Ok(())
    }

    /// A new name, and where one is given a new place. The old value of the name goes.
    pub(crate) async fn rename(
        &self,
        dn: &str,
        rdn: &str,
        parent: Option<&str>,
        controls: Vec<RawControl>,
        spent: &mut Spent,
    ) -> Result<(), Refusal> {
        let (dn, rdn, parent) = (dn.to_owned(), rdn.to_owned(), parent.map(str::to_owned));
        let rename = |mut ldap: ldap3::Ldap| async move { ldap.modifydn(&dn, &rdn, true, parent.as_deref()).await };
        self.write(rename, controls, &[], spent).await?;
        Ok(())
    }

    /// Deletes an entry.
    pub(crate) async fn delete(&self, dn: &str, controls: Vec<RawControl>, spent: &mut Spent) -> Result<(), Refusal> {
        let dn = dn.to_owned();
        self.write(|mut ldap| async move { ldap.delete(&dn).await }, controls, &[], spent).await?;
        Ok(())
    }

    async fn write<F>(
        &self,
        act: impl FnOnce(ldap3::Ldap) -> F,
        controls: Vec<RawControl>,
        names: &[String],
        spent: &mut Spent,
    ) -> Result<Vec<Control>, Refusal>
    where
        F: Future<Output = Result<LdapResult, LdapError>> + Send + 'static,
    {
        let mut ldap = self.shared(spent).await?;
        // Asked last of all: connecting may have taken long.
        if !self.login.rules.permit.holds() {
            return Err(TargetError::Transient("this process may not write any more".into()).into());
        }
        spent.requests += 1;
        ldap.with_timeout(self.login.rules.timeouts.whole);
        if !controls.is_empty() {
            ldap.with_controls(controls);
        }
        let result = match alone(act(ldap), Asked::Write).await {
            Ok(result) => result,
            Err(error) => {
                self.broken().await;
                return Err(error.into());
            }
        };
        if result.rc == code::SUCCESS {
            return Ok(result.ctrls);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Err(self.refusal(&result, Asked::Write, &names))
    }

    fn refusal(&self, result: &LdapResult, asked: Asked, names: &[&str]) -> Refusal {
        Refusal { error: error::of_result(result, asked, names, &self.hidden()), code: Some(result.rc) }
    }
}

/// In a task of its own: what a hostile server sends may make the library panic, and who asked goes on. The task ends with who asked.
async fn alone<T: Send + 'static>(
    act: impl Future<Output = Result<T, LdapError>> + Send + 'static,
    asked: Asked,
) -> Result<T, TargetError> {
    let mut task = JoinSet::new();
    task.spawn(act);
    match task.join_next().await {
        Some(Ok(done)) => done.map_err(|error| error::of_transport(&error, asked)),
        _ if asked == Asked::Write => Err(TargetError::Lost("the answer cannot be read".into())),
        _ => Err(TargetError::Malformed("the answer cannot be read".into())),
    }
}
