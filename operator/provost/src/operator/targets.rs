//! Connections to the targets of one namespace: made by `Probe`, used by everything else.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use provost_connectors::{AnyTarget, Credentials, NetworkRules, Permit, Role, Timeouts, connect, secrets};
use provost_core::engine::{Answer, Effect};
use provost_core::model::{Connector, ConnectorKind, Name, Reason, Spent, TargetError};

use super::settings::Settings;
use super::shell::Shell;

/// Where connectors may go, and which there are: said by the operator's settings, not by manifests.
pub struct Rules {
    network: NetworkRules,
    fake: bool,
}

impl Rules {
    /// From the settings, and the addresses of the API server: no target of anybody's manifest is there, on any port.
    pub fn new(settings: &Settings, api_server: Vec<IpAddr>, permit: Permit) -> Self {
        // An API server on the loopback needs no entry: the loopback is closed as a whole, unless --allow-loopback opens
        // it, which is for tests and demos, where the API server and the targets share that one address.
        let refused = api_server.into_iter().filter(|address| !address.to_canonical().is_loopback()).collect();
        let network = NetworkRules {
            loopback: settings.allow_loopback,
            private: !settings.refuse_private,
            refused,
            timeouts: Timeouts { whole: settings.request_at_most(), ..Timeouts::default() },
            permit,
        };
        Self { network, fake: settings.allow_fake }
    }
}

/// Which application manages a target: one target, one TargetApplication, in any namespace.
#[derive(Default)]
pub struct Claims(Mutex<Claimed>);

#[derive(Default)]
struct Claimed {
    holders: HashMap<Arc<str>, Holder>,
    /// Namespaces in which nothing is written: being deleted, or without CRDs. Their claims give way.
    halted: HashSet<Arc<str>>,
}

/// Namespace and name of a TargetApplication.
type Holder = (Arc<str>, Name);

impl Claims {
    /// Takes a target for an application that has proven that it may use it, unless another one has it.
    fn take(&self, fingerprint: &Arc<str>, me: &Holder) -> Result<(), TargetError> {
        let mut claimed = lock(&self.0);
        let other =
            claimed.holders.get(fingerprint).filter(|holder| *holder != me && !claimed.halted.contains(&holder.0));
        if let Some(other) = other {
            let who = if other.0 == me.0 {
                format!("TargetApplication {}", other.1)
            } else {
                "a TargetApplication of another namespace".to_owned()
            };
            return Err(TargetError::Claimed(
                format!("{who} manages this target already; delete one of the two").into(),
            ));
        }
        claimed.holders.insert(Arc::clone(fingerprint), me.clone());
        Ok(())
    }

    fn holds(&self, fingerprint: &Arc<str>, me: &Holder) -> bool {
        lock(&self.0).holders.get(fingerprint) == Some(me)
    }

    fn release(&self, me: &Holder) {
        lock(&self.0).holders.retain(|_, holder| holder != me);
    }

    /// Nothing is written in a namespace any more, or again.
    pub fn halt(&self, namespace: &Arc<str>, halted: Option<bool>) {
        match halted {
            Some(true) => drop(lock(&self.0).halted.insert(Arc::clone(namespace))),
            Some(false) => drop(lock(&self.0).halted.remove(namespace)),
            None => {}
        }
    }
}

/// The connections of one namespace. Cheap to clone.
#[derive(Clone)]
pub struct Targets {
    shell: Arc<Shell>,
    namespace: Arc<str>,
    connected: Arc<Mutex<HashMap<Name, Connected>>>,
}

/// The connection of one application.
#[derive(Clone, Default)]
struct Connected {
    /// Grows with every attempt and every disconnect: a slow attempt does not replace a later one.
    attempt: u64,
    target: Option<(Arc<AnyTarget>, Arc<str>)>,
}

impl Targets {
    /// None yet.
    pub fn new(shell: Arc<Shell>, namespace: Arc<str>) -> Self {
        Self { shell, namespace, connected: Arc::default() }
    }

    /// Forgets the connection of an application that is gone or has another connector now.
    pub fn disconnect(&self, application: &Name) {
        let mut connected = lock(&self.connected);
        let connection = connected.entry(application.clone()).or_default();
        connection.attempt += 1;
        connection.target = None;
        self.shell.claims.release(&self.me(application));
    }

    fn me(&self, application: &Name) -> Holder {
        (Arc::clone(&self.namespace), application.clone())
    }

    /// Carries out an effect at a target.
    pub async fn carry_out(&self, application: &Name, effect: Effect) -> (Answer, Spent) {
        let steps = if let Effect::Apply(steps) = &effect { steps.len() } else { 0 };
        match self.asked(application, effect).await {
            Ok(answer) => answer,
            Err((failed, error)) => (failed(error, steps), Spent::default()),
        }
    }

    async fn asked(&self, application: &Name, effect: Effect) -> Result<(Answer, Spent), (Failed, TargetError)> {
        if let Effect::Probe(connector) = effect {
            let attempt = self.begin(application);
            let target = self.connect(&connector).await.map_err(|e| (probe_failed as Failed, e))?;
            let (profile, spent) = target.probe().await;
            let profile = profile.and_then(|profile| {
                self.keep(application, attempt, target, &connector.fingerprint)?;
                Ok(Box::new(profile))
            });
            return Ok((Answer::Probed(profile), spent));
        }
        let failed: Failed = match &effect {
            Effect::Observe { .. } => |e, _| Answer::Page(Err(e)),
            Effect::Find(_) => |e, _| Answer::Found(Err(e)),
            Effect::Read(_) => |e, _| Answer::Read(Err(e)),
            _ => |e, steps| Answer::Applied(vec![Err(e); steps]),
        };
        let connection = lock(&self.connected).get(application).cloned().unwrap_or_default();
        let Some((target, fingerprint)) = connection.target else {
            return Err((failed, TargetError::Transient("it is not connected".into())));
        };
        Ok(match effect {
            Effect::Observe { kind, page } => {
                let (page, spent) = target.observe(kind, page.as_ref()).await;
                (Answer::Page(page), spent)
            }
            Effect::Find(key) => {
                let (found, spent) = target.find(&key).await;
                (Answer::Found(found), spent)
            }
            Effect::Read(id) => {
                let (read, spent) = target.read(&id).await;
                (Answer::Read(read), spent)
            }
            Effect::Apply(steps) => {
                let Some(time) = self.shell.time_to_write() else {
                    let error = TargetError::Transient("this process does not lead for long enough to write".into());
                    return Err((failed, error));
                };
                if !self.shell.claims.holds(&fingerprint, &self.me(application)) {
                    return Err((
                        failed,
                        TargetError::Claimed("another TargetApplication manages this target now".into()),
                    ));
                }
                // No further request of these steps begins once another process may lead.
                match self.shell.leading.within(time, target.apply(&steps)).await {
                    Some((applied, spent)) => (Answer::Applied(applied), spent),
                    None => {
                        return Err((failed, TargetError::Lost("the Lease would have ended before the answer".into())));
                    }
                }
            }
            // Of the store, or handled above.
            Effect::Probe(_) | Effect::Load | Effect::Record(_) => {
                return Err((failed, TargetError::Unsupported("not for a target".into())));
            }
        })
    }

    fn begin(&self, application: &Name) -> u64 {
        let mut connected = lock(&self.connected);
        let connection = connected.entry(application.clone()).or_default();
        connection.attempt += 1;
        connection.attempt
    }

    async fn connect(&self, connector: &Connector) -> Result<Arc<AnyTarget>, TargetError> {
        if connector.kind == ConnectorKind::Fake && !self.shell.rules.fake {
            let text = "the connector fake is for demos and tests; start the operator with --allow-fake to have it";
            return Err(TargetError::Unsupported(text.into()));
        }
        let credentials = self.credentials(connector).await?;
        Ok(Arc::new(connect(connector, credentials, &self.shell.rules.network).await?))
    }

    /// Keeps a target that was reached and logged in to: only that makes a claim on it.
    fn keep(
        &self,
        application: &Name,
        attempt: u64,
        target: Arc<AnyTarget>,
        fingerprint: &Arc<str>,
    ) -> Result<(), TargetError> {
        let mut connected = lock(&self.connected);
        let connection = connected.entry(application.clone()).or_default();
        if connection.attempt != attempt {
            return Err(TargetError::Transient("a later attempt to connect has begun".into()));
        }
        self.shell.claims.take(fingerprint, &self.me(application))?;
        if let Some((earlier, _)) = &connection.target {
            target.inherit(earlier);
        }
        connection.target = Some((target, Arc::clone(fingerprint)));
        Ok(())
    }

    /// Read at every connect, so that a credential that was exchanged is used from the next attempt on.
    async fn credentials(&self, connector: &Connector) -> Result<Credentials, TargetError> {
        let mut credentials = Credentials::default();
        for need in secrets(connector) {
            let hosts: Vec<&str> =
                if need.role == Role::Authority { Vec::new() } else { need.hosts.iter().map(String::as_str).collect() };
            let read = self.shell.secrets.read(&self.namespace, &need.name, &need.key, &hosts).await;
            let secret = read.map_err(|error| {
                let text: Arc<str> = error.to_string().into();
                match error.reason() {
                    Reason::SecretNotFound => TargetError::SecretNotFound(text),
                    Reason::HostNotAllowed => TargetError::HostNotAllowed(text),
                    _ => TargetError::Transient(text),
                }
            })?;
            credentials = credentials.with(need.role, secret);
        }
        Ok(credentials)
    }
}

/// The answer to an effect that failed before the target was asked.
type Failed = fn(TargetError, usize) -> Answer;

fn probe_failed(error: TargetError, _: usize) -> Answer {
    Answer::Probed(Err(error))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        settings: Settings,
    }

    /// Whether a target at an address may be reached, with these arguments and this API server.
    fn reached(arguments: &[&str], api_server: &[&str], target: &str) -> bool {
        let program = Program::parse_from(["provost"].iter().chain(arguments));
        let api_server = api_server.iter().map(|address| address.parse().unwrap()).collect();
        Rules::new(&program.settings, api_server, Permit::default())
            .network
            .check("target", target.parse().unwrap())
            .is_ok()
    }

    #[test]
    fn the_api_server_is_no_target_unless_it_shares_an_open_loopback() {
        let (closed, open): (&[&str], &[&str]) = (&[], &["--allow-loopback"]);
        let cases = [
            (closed, "10.96.0.1", "10.96.0.1", false),
            (closed, "10.96.0.1", "::ffff:10.96.0.1", false),
            (closed, "::ffff:10.96.0.1", "10.96.0.1", false),
            (closed, "10.96.0.1", "10.96.0.2", true),
            (closed, "fd12::1", "fd12::1", false),
            (open, "10.96.0.1", "10.96.0.1", false),
            (closed, "127.0.0.1", "127.0.0.1", false),
            (open, "127.0.0.1", "127.0.0.1", true),
            (open, "::ffff:127.0.0.1", "127.0.0.1", true),
            (open, "::1", "::1", true),
        ];
        for (arguments, api_server, target, expected) in cases {
            let found = reached(arguments, &[api_server], target);
            assert_eq!(found, expected, "{arguments:?}, the API server at {api_server}, a target at {target}");
        }
        assert!(!reached(closed, &["10.96.0.1", "10.0.0.7"], "10.0.0.7"), "each of its addresses counts");
    }
}
