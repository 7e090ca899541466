//! Connections to the targets of one namespace: made by `Probe`, used by everything else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use provost_connectors::{AnyTarget, Credentials, NetworkRules, Permit, Role, Timeouts, connect, secrets};
use provost_core::engine::{Answer, Claim, Effect};
use provost_core::model::{
    Applied, Connector, ConnectorKind, Kind, Ledger, Name, Reason, Record, RecordState, Spent, Step, TargetError,
};

use super::claims::Holder;
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
    live: Option<Live>,
    /// Who holds it looks whether a Secret has changed.
    renewing: Arc<tokio::sync::Mutex<()>>,
}

/// A target that was reached, by which settings and with which credentials.
#[derive(Clone)]
struct Live {
    target: Arc<AnyTarget>,
    connector: Arc<Connector>,
    claim: Claim,
    credentials: Arc<Credentials>,
}

impl Targets {
    /// None yet.
    pub fn new(shell: Arc<Shell>, namespace: Arc<str>) -> Self {
        Self { shell, namespace, connected: Arc::default() }
    }

    /// Forgets the connection of an application that is gone or has another connector now.
    pub fn disconnect(&self, application: &Name, target: Option<&Arc<str>>) {
        let mut connected = lock(&self.connected);
        let connection = connected.entry(application.clone()).or_default();
        connection.attempt += 1;
        connection.live = None;
        self.shell.claims.release(&self.me(application), target);
    }

    /// Where it stands when its ledger begins to be loaded.
    pub fn attempt(&self, application: &Name) -> u64 {
        lock(&self.connected).get(application).map_or(0, |connection| connection.attempt)
    }

    /// Whose ledger has accounts at a target has it, also where it does not come to connect: paused, or its manifest invalid.
    pub fn loaded(&self, application: &Name, attempt: u64, ledger: &Ledger) {
        let there = |record: &Record| record.target_id.is_some() && record.state != RecordState::Deleted;
        let Some(fingerprint) = &ledger.standing.fingerprint else { return };
        let connected = lock(&self.connected);
        // Not of one that is gone since.
        let same = connected.get(application).map_or(0, |connection| connection.attempt) == attempt;
        if same && ledger.records.iter().any(there) {
            // Of two that have accounts there it gives way to the one that connects.
            let claim = Claim { owns: true, created: jiff::Timestamp::MAX };
            let _ = self.shell.claims.take(fingerprint, &self.me(application), claim);
        }
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
        if let Effect::Probe(connector, claim) = effect {
            let attempt = self.begin(application);
            if claim.owns {
                // Whose accounts are there has it also while it cannot be reached: another one would adopt them, as after a restart.
                let _ = self.shell.claims.take(&connector.fingerprint, &self.me(application), claim);
            }
            let live = self.connect(Arc::new(connector), claim).await.map_err(|e| (probe_failed as Failed, e))?;
            let (profile, spent) = live.target.probe().await;
            let profile = profile.and_then(|profile| {
                self.keep(application, attempt, live)?;
                Ok(Box::new(profile))
            });
            return Ok((Answer::Probed(profile), spent));
        }
        let failed: Failed = match &effect {
            Effect::Observe { .. } => |e, _| Answer::Page(Err(e)),
            Effect::Find(_) => |e, _| Answer::Found(Err(e)),
            Effect::Read(_) => |e, _| Answer::Read(Err(e)),
            Effect::Changes(_) => |e, _| Answer::Changes(Err(e)),
            _ => |e, steps| Answer::Applied(vec![Err(e); steps]),
        };
        let connection = lock(&self.connected).get(application).cloned().unwrap_or_default();
        let Some(mut live) = connection.live else {
            return Err((failed, TargetError::Transient("it is not connected".into())));
        };
        // A sync begins: from now on with what the Secret holds now, and only where it may be sent now.
        if matches!(effect, Effect::Observe { kind: Kind::Accounts, page: None }) {
            live = self.renewed(application, live).await.map_err(|e| (failed, e))?;
        }
        let (answer, mut spent) = self.ask(application, &live, effect.clone()).await.map_err(|e| (failed, e))?;
        if !is_unauthorized(&answer) {
            return Ok((answer, spent));
        }
        // What was refused so was not done: where the Secret holds another credential by now, it is asked once more.
        let fresh = self.renewed(application, live.clone()).await;
        let Some(fresh) = fresh.ok().filter(|fresh| !Arc::ptr_eq(&fresh.target, &live.target)) else {
            return Ok((answer, spent));
        };
        let again = again(&effect, &answer);
        let steps = if let Effect::Apply(steps) = &again { steps.len() } else { 0 };
        let second = self.ask(application, &fresh, again).await;
        let (second, more) = second.unwrap_or_else(|error| (failed(error, steps), Spent::default()));
        spent.requests += more.requests;
        spent.wait = spent.wait.max(more.wait);
        Ok((merged(answer, second), spent))
    }

    /// Asks a target that is connected.
    async fn ask(&self, application: &Name, live: &Live, effect: Effect) -> Result<(Answer, Spent), TargetError> {
        let target = &live.target;
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
            Effect::Changes(from) => {
                let (changes, spent) = target.changes(&from).await;
                (Answer::Changes(changes), spent)
            }
            Effect::Apply(steps) => {
                let Some(time) = self.shell.time_to_write() else {
                    return Err(TargetError::Transient("this process does not lead for long enough to write".into()));
                };
                if !self.shell.claims.writes(&live.connector.fingerprint, &self.me(application)) {
                    return Err(TargetError::Claimed("another TargetApplication manages this target now".into()));
                }
                // No further request of these steps begins once another process may lead.
                match self.shell.leading.within(time, target.apply(&steps)).await {
                    Some((applied, spent)) => (Answer::Applied(applied), spent),
                    None => return Err(TargetError::Lost("the Lease would have ended before the answer".into())),
                }
            }
            // Of the store, or handled above.
            Effect::Probe(..) | Effect::Load | Effect::Record(_) => {
                return Err(TargetError::Unsupported("not for a target".into()));
            }
        })
    }

    fn begin(&self, application: &Name) -> u64 {
        let mut connected = lock(&self.connected);
        let connection = connected.entry(application.clone()).or_default();
        connection.attempt += 1;
        connection.attempt
    }

    /// The connection with what the Secrets hold now: the same one, if that has not changed.
    async fn renewed(&self, application: &Name, live: Live) -> Result<Live, TargetError> {
        let (attempt, renewing) = {
            let connected = lock(&self.connected);
            let connection = connected.get(application).cloned().unwrap_or_default();
            (connection.attempt, connection.renewing)
        };
        let _renewing = renewing.lock().await;
        let now = lock(&self.connected).get(application).and_then(|connection| connection.live.clone());
        // Another request has found it out already.
        if let Some(now) = now.filter(|now| !Arc::ptr_eq(&now.target, &live.target)) {
            return Ok(now);
        }
        let credentials = self.credentials(&live.connector).await?;
        if *live.credentials == credentials {
            return Ok(live);
        }
        let fresh = self.connect(Arc::clone(&live.connector), live.claim).await?;
        fresh.target.inherit(&live.target);
        // Another credential may be another account's, which is protected from now on.
        fresh.target.probe().await.0?;
        self.keep(application, attempt, fresh.clone())?;
        tracing::info!(
            namespace = &*self.namespace,
            object = application.as_str(),
            "another credential is in the Secret; it is used from now on"
        );
        Ok(fresh)
    }

    async fn connect(&self, connector: Arc<Connector>, claim: Claim) -> Result<Live, TargetError> {
        if connector.kind == ConnectorKind::Fake && !self.shell.rules.fake {
            let text = "the connector fake is for demos and tests; start the operator with --allow-fake to have it";
            return Err(TargetError::Unsupported(text.into()));
        }
        let credentials = self.credentials(&connector).await?;
        let target = Arc::new(connect(&connector, credentials.clone(), &self.shell.rules.network).await?);
        Ok(Live { target, connector, claim, credentials: Arc::new(credentials) })
    }

    /// Keeps a target that was reached and logged in to: without accounts there, only that makes a claim on it.
    fn keep(&self, application: &Name, attempt: u64, live: Live) -> Result<(), TargetError> {
        let mut connected = lock(&self.connected);
        let connection = connected.entry(application.clone()).or_default();
        if connection.attempt != attempt {
            return Err(TargetError::Transient("a later attempt to connect has begun".into()));
        }
        self.shell.claims.take(&live.connector.fingerprint, &self.me(application), live.claim)?;
        if let Some(earlier) = &connection.live {
            live.target.inherit(&earlier.target);
        }
        connection.live = Some(live);
        Ok(())
    }

    /// Read at every connect, at the beginning of every sync, and when the target refuses what was read before.
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

fn is_unauthorized(answer: &Answer) -> bool {
    match answer {
        Answer::Page(Err(error))
        | Answer::Found(Err(error))
        | Answer::Read(Err(error))
        | Answer::Changes(Err(error)) => unauthorized(error),
        Answer::Applied(outcomes) => outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(unauthorized)),
        _ => false,
    }
}

fn unauthorized(error: &TargetError) -> bool {
    matches!(error, TargetError::Unauthorized(_))
}

/// What is to be asked once more: of several steps those alone that were refused, and what was not asked after them.
fn again(effect: &Effect, answer: &Answer) -> Effect {
    match (effect, answer) {
        (Effect::Apply(steps), Answer::Applied(outcomes)) => {
            let refused = |(_, outcome): &(&Step, &Outcome)| is_open(outcome);
            Effect::Apply(steps.iter().zip(outcomes).filter(refused).map(|(step, _)| step.clone()).collect())
        }
        (effect, _) => effect.clone(),
    }
}

type Outcome = Result<Applied, TargetError>;

fn is_open(outcome: &Outcome) -> bool {
    outcome.as_ref().is_err_and(|error| unauthorized(error) || matches!(error, TargetError::NotAsked))
}

/// The second answer in the place of what was refused.
fn merged(first: Answer, second: Answer) -> Answer {
    match (first, second) {
        (Answer::Applied(first), Answer::Applied(second)) => {
            let mut second = second.into_iter();
            let mut of = |outcome: Outcome| {
                if is_open(&outcome) { second.next().unwrap_or(outcome) } else { outcome }
            };
            Answer::Applied(first.into_iter().map(&mut of).collect())
        }
        (_, second) => second,
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
