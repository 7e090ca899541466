//! `provost operator`: joins the API server, the engines, the store and the targets. Nothing is decided here.

mod claims;
mod inquiries;
mod leading;
mod ledger;
mod namespace;
mod settings;
mod shell;
mod targets;
mod time;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use provost_core::engine::EngineEvent;
use provost_kubernetes::{
    client, health,
    lease::Lease,
    metrics::Metrics,
    watch::{Watch, Watched},
};
use tokio::sync::mpsc::{self, Receiver, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tracing::{error, info, warn};

use inquiries::Inquiries;
use leading::Leading;
pub(crate) use ledger::fresh;
pub use settings::Settings;
use shell::Shell;
use targets::Rules;

/// How long writes under way may take to end when the operator is asked to stop.
const GRACE: Duration = Duration::from_secs(10);

/// And the threads of the namespaces after that: with these and the Lease's all ends before the 30 s that a Pod has.
const LAST: Duration = Duration::from_secs(5);

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is no way to the API server.
    #[error(transparent)]
    Connect(#[from] client::ConnectError),
    /// The address for health and metrics cannot be used.
    #[error("cannot listen on {address}: {error}; choose another one with --listen")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        error: std::io::Error,
    },
    /// Another process took the Lease: this one must not write any more, and ends.
    #[error("the Lease was lost; this process ends, and waits to lead when it is started again")]
    LeaseLost,
    /// The watch or a namespace's task ended, which neither does by itself.
    #[error("{0} has ended unexpectedly; this process ends, and begins anew when it is started again")]
    TaskEnded(&'static str),
    /// The runtime could not be started, or signals not be heard.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

/// Runs until a signal says to stop, or the Lease is lost.
pub fn run(settings: Settings) -> Result<(), OperatorError> {
    settings.log();
    // The first line that touches TLS: with no default chosen, rustls would panic at the first connection.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(operate(settings))
}

async fn operate(settings: Settings) -> Result<(), OperatorError> {
    let config = client::config(settings.kubeconfig.as_deref(), settings.context.as_deref()).await?;
    let client = client::client(config.clone())?;
    let listener = tokio::net::TcpListener::bind(settings.listen)
        .await
        .map_err(|error| OperatorError::Listen { address: settings.listen.to_string(), error })?;
    info!(address = %listener.local_addr()?, "health and metrics are served");
    let lease_namespace = settings.lease_namespace.as_deref().unwrap_or(client.default_namespace()).to_owned();
    let instance = settings.instance();
    let (lease, leadership) =
        Lease::new(client.clone(), &lease_namespace, &settings.lease_name, &instance, settings.lease_duration());
    let readiness = health::Readiness::default();
    let metrics = Metrics::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let wait_stop = move || {
        let mut stopped = stopped.clone();
        async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
    };
    let mut tasks = JoinSet::new();
    let inquiries = Inquiries::new();
    let more = inquiries.router();
    tasks.spawn(health::serve(listener, readiness.clone(), leadership.clone(), metrics.clone(), more, wait_stop()));
    let leasing = tokio::spawn(lease.run(wait_stop()));

    let mut leads = leadership.clone();
    let mut signals = Signals::new()?;
    readiness.waits("lease", "to lead");
    let epoch = tokio::select! {
        epoch = leads.acquired() => epoch,
        () = signals.next() => None,
    };
    let ended = match epoch {
        Some(epoch) => {
            readiness.ready("lease");
            info!(epoch, "leads");
            // It was reached a moment ago: a name that has no address now is no reason to open its address to targets.
            let won = Leading::new(leadership, epoch);
            let rules = Rules::new(&settings, client::addresses(&config).await?, won.permit());
            let heard = (won, readiness, metrics, inquiries);
            let shell = Arc::new(Shell::new(&settings, rules, client, heard, &mut tasks));
            shell.compare_clocks().await;
            lead_until(leads.lost(epoch), shell, &settings, signals.next()).await
        }
        None => Ok(()),
    };
    info!("stops");
    let _ = stop.send(true);
    if tokio::time::timeout(GRACE, leasing).await.is_err() {
        warn!("the Lease was not given back in time; it expires by itself");
    }
    ended
}

/// The same as [`lead`], until the Lease is lost at most. What the threads of the namespaces have, the store before all, is let go of when
/// it ends.
async fn lead_until(
    lost: impl Future<Output = ()>,
    shell: Arc<Shell>,
    settings: &Settings,
    stop: impl Future<Output = ()>,
) -> Result<(), OperatorError> {
    let (alive, mut over) = mpsc::channel(1);
    let ended = tokio::select! {
        ended = lead(shell, settings, alive, stop) => ended,
        () = lost => Err(OperatorError::LeaseLost),
    };
    let late = tokio::time::timeout(LAST, over.recv()).await.is_err();
    if late {
        warn!("a namespace's thread did not end in time; what it has not stored is looked for at the next start");
    }
    ended
}

/// Watches, and gives each namespace's events to its task, until `stop`; then no write begins any more, and what is under
/// way may end.
async fn lead(
    shell: Arc<Shell>,
    settings: &Settings,
    alive: mpsc::Sender<()>,
    stop: impl Future<Output = ()>,
) -> Result<(), OperatorError> {
    let (events, mut heard) = tokio::sync::mpsc::channel(256);
    let watch = Watch {
        client: shell.client.clone(),
        scope: settings.scope(),
        finalizers: shell.finalizers.clone(),
        readiness: shell.readiness.clone(),
    };
    let watching = tokio::spawn(watch.run(events));
    let mut tasks = Tasks::new(alive, |namespace, events| namespace::run(Arc::clone(&shell), namespace, events));
    let ended = tasks.hand_out(&mut heard, stop).await;
    watching.abort();
    for inbox in tasks.inboxes.values() {
        let _ = inbox.send(EngineEvent::Halted("the operator stops".into()));
    }
    let calm = async {
        // An answer leads to a record, which is under way a moment later: twice in a row says that nothing is left.
        let mut quiet = 0;
        while quiet < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            quiet = if shell.is_busy() { 0 } else { quiet + 1 };
        }
    };
    if tokio::time::timeout(GRACE, calm).await.is_err() {
        warn!("some writes had not ended in time; they are looked for at the next start");
    }
    ended
}

/// The tasks of the namespaces, and where each hears of its events.
struct Tasks<Begin> {
    begin: Begin,
    /// What each thread has until it is over.
    alive: mpsc::Sender<()>,
    inboxes: HashMap<Arc<str>, UnboundedSender<EngineEvent>>,
    /// Each with its name, once it has ended as it should.
    running: JoinSet<Option<Arc<str>>>,
    /// Of namespaces that are gone, until they have ended. Where the name is back already, with the inbox of the next one: two
    /// would write to one ledger.
    ending: HashMap<Arc<str>, Option<UnboundedReceiver<EngineEvent>>>,
}

impl<Begin, Task> Tasks<Begin>
where
    Begin: Fn(Arc<str>, UnboundedReceiver<EngineEvent>) -> Task,
    Task: Future<Output = ()> + Send + 'static,
{
    fn new(alive: mpsc::Sender<()>, begin: Begin) -> Self {
        Self { begin, alive, inboxes: HashMap::new(), running: JoinSet::new(), ending: HashMap::new() }
    }

    /// Gives each namespace's events to its task, which begins with the first of them and ends when the namespace is gone, until
    /// `stop`. An error: the watch or a task ended by itself.
    async fn hand_out(
        &mut self,
        heard: &mut Receiver<Watched>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), OperatorError> {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                heard = heard.recv() => match heard {
                    Some((namespace, Some(event))) => self.tell(&namespace, event)?,
                    Some((namespace, None)) => self.let_go(namespace),
                    None => return Err(OperatorError::TaskEnded("the watch")),
                },
                Some(ended) = self.running.join_next() => self.ended(ended)?,
                () = &mut stop => return Ok(()),
            }
        }
    }

    fn tell(&mut self, namespace: &Arc<str>, event: EngineEvent) -> Result<(), OperatorError> {
        if !self.inboxes.contains_key(namespace) {
            let (inbox, events) = unbounded_channel();
            self.inboxes.insert(Arc::clone(namespace), inbox);
            match self.ending.get_mut(namespace) {
                Some(next) => *next = Some(events),
                None => self.begin(Arc::clone(namespace), events),
            }
        }
        let told = self.inboxes.get(namespace).is_some_and(|inbox| inbox.send(event).is_ok());
        if told { Ok(()) } else { Err(TASK_ENDED) }
    }

    fn begin(&mut self, namespace: Arc<str>, events: UnboundedReceiver<EngineEvent>) {
        let task = (self.begin)(Arc::clone(&namespace), events);
        let alive = self.alive.clone();
        self.running.spawn(async move { alone(&namespace, alive, task).await.then_some(namespace) });
    }

    fn let_go(&mut self, namespace: Arc<str>) {
        if self.inboxes.remove(&namespace).is_some() {
            self.ending.insert(namespace, None);
        }
    }

    fn ended(&mut self, task: Result<Option<Arc<str>>, JoinError>) -> Result<(), OperatorError> {
        let ended = task.ok().flatten().and_then(|namespace| self.ending.remove_entry(&namespace));
        if let (namespace, Some(next)) = ended.ok_or(TASK_ENDED)? {
            self.begin(namespace, next);
        }
        Ok(())
    }
}

/// Runs a namespace's task on a thread of its own; whether it ended as it should. An engine that has much to decide would keep
/// waiting whatever else has its turn on the same thread, the answers of targets before all. The task ends where nobody waits for it.
async fn alone(namespace: &str, alive: mpsc::Sender<()>, task: impl Future<Output = ()> + Send + 'static) -> bool {
    let runtime = tokio::runtime::Handle::current();
    let (mut end, ended) = oneshot::channel();
    let run = move || {
        let ran = runtime.block_on(async {
            tokio::select! {
                biased;
                () = end.closed() => false,
                () = task => true,
            }
        });
        // Nobody may wait for it any more.
        let _ = end.send(ran);
        drop(alive);
    };
    let thread = std::thread::Builder::new().name(format!("ns {namespace}")).spawn(run);
    if let Err(error) = &thread {
        error!(namespace, %error, "there is no thread for the namespace; raise the limit of processes");
    }
    thread.is_ok() && ended.await == Ok(true)
}

const TASK_ENDED: OperatorError = OperatorError::TaskEnded("a namespace's task");

/// SIGTERM and SIGINT.
struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    type Heard = tokio::sync::mpsc::Sender<Watched>;

    /// What comes of a watch that says this, of tasks that do this, and of this stop.
    async fn ended(
        says: impl FnOnce(Heard),
        task: impl Fn(UnboundedReceiver<EngineEvent>) -> bool + Copy + Send + 'static,
        stop: impl Future<Output = ()>,
    ) -> String {
        let (events, mut heard) = tokio::sync::mpsc::channel(8);
        says(events);
        let begin = |_: Arc<str>, inbox| async move {
            if task(inbox) {
                pending::<()>().await;
            }
        };
        let ended = Tasks::new(mpsc::channel(1).0, begin).hand_out(&mut heard, stop).await;
        ended.map_or_else(|error| error.to_string(), |()| "asked to stop".to_owned())
    }

    #[tokio::test]
    async fn a_watch_or_a_task_that_ends_by_itself_is_an_error_and_a_stop_is_none() {
        let hear = |events: &Heard| events.try_send(("acme".into(), Some(EngineEvent::Tick))).unwrap();
        // A task that panics drops what it sends by.
        let gone = ended(drop, |_| true, pending()).await;
        assert!(gone.starts_with("the watch has ended unexpectedly"), "{gone}");
        let watch = |events: Heard| {
            hear(&events);
            std::mem::forget(events);
        };
        let task = ended(watch, |_| false, pending()).await;
        assert!(task.starts_with("a namespace's task has ended unexpectedly"), "{task}");
        assert_eq!(ended(std::mem::forget, |_| true, ready(())).await, "asked to stop");
    }

    #[tokio::test]
    async fn a_namespace_has_a_thread_of_its_own_which_ends_with_it_and_where_nobody_waits_for_it() {
        let here = std::thread::current().id();
        let elsewhere = async move { assert_ne!(std::thread::current().id(), here) };
        let (alive, mut over) = mpsc::channel(1);
        assert!(alone("acme", alive.clone(), elsewhere).await);
        assert!(!alone("acme", alive.clone(), async { panic!("an error of ours") }).await);
        let held = Arc::new(());
        let weak = Arc::downgrade(&held);
        let goes_on = async move {
            pending::<()>().await;
            drop(held);
        };
        let waits = tokio::spawn(alone("acme", alive, goes_on));
        tokio::task::yield_now().await;
        assert!(weak.upgrade().is_some());
        waits.abort();
        assert_eq!((over.recv().await, weak.upgrade()), (None, None), "what it holds is let go of first");
    }

    #[tokio::test]
    async fn the_task_of_a_namespace_that_is_gone_ends_and_only_then_another_one_begins_under_its_name() {
        let (events, mut heard) = tokio::sync::mpsc::channel(8);
        let (say, mut said) = unbounded_channel();
        let may_end = Arc::new(tokio::sync::Notify::new());
        let begin = |namespace: Arc<str>, mut inbox: UnboundedReceiver<EngineEvent>| {
            let (say, may_end) = (say.clone(), Arc::clone(&may_end));
            async move {
                say.send(format!("{namespace} begins")).unwrap();
                while inbox.recv().await.is_some() {
                    say.send(format!("{namespace} hears")).unwrap();
                }
                say.send(format!("{namespace} is gone")).unwrap();
                may_end.notified().await;
            }
        };
        let listen = async {
            let mut next = async || said.recv().await.unwrap();
            let tell = async |event| events.send(("acme".into(), event)).await.unwrap();
            tell(Some(EngineEvent::Tick)).await;
            assert_eq!([next().await, next().await], ["acme begins", "acme hears"]);
            tell(None).await;
            assert_eq!(next().await, "acme is gone");
            // It is back, and gone, and back once more, before what was set off for the first one has ended.
            for event in [Some(EngineEvent::Tick), None, Some(EngineEvent::Tick), Some(EngineEvent::Tick)] {
                tell(event).await;
            }
            events.send(("other".into(), Some(EngineEvent::Tick))).await.unwrap();
            assert_eq!([next().await, next().await], ["other begins", "other hears"], "acme waits");
            may_end.notify_one();
            assert_eq!([next().await, next().await, next().await], ["acme begins", "acme hears", "acme hears"]);
        };
        let ended = Tasks::new(mpsc::channel(1).0, begin).hand_out(&mut heard, listen).await;
        assert!(ended.is_ok(), "{ended:?}");
    }
}
