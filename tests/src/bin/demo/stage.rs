//! The stage: control plane, servers, operator; and how the story is told, in 80 columns with times.

#![allow(clippy::print_stdout, reason = "the story is printed")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::cluster::{Cluster, NAMESPACE, Operator, Options, Output, repository};

use crate::directory::Directory;
use crate::realm::Realm;
use crate::scim::Scim;
use crate::script::{Script, Target};
use crate::server::Server;

/// How long an act may take until the demo says that it did not work.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that runs.
pub struct Stage {
    pub cluster: Cluster,
    pub servers: Vec<Box<dyn Server>>,
    pub script: Script,
    operator: Option<Operator>,
    kubeconfig: PathBuf,
    began: Instant,
    /// The hash that was approved in the act about a mistake.
    pub approved: String,
    /// When it began, as a date.
    pub since: String,
}

impl Stage {
    /// Starts it all.
    pub fn build(script: Script) -> Self {
        let began = Instant::now();
        let since = jiff::Timestamp::now().to_string();
        println!("Provost demo: {}\n", script.headline);
        let cluster = Cluster::start(Options { controllers: true });
        let servers: Vec<Box<dyn Server>> = match script.target {
            Target::Scim => ["chat", "wiki"].map(|name| Box::new(Scim::start(name, cluster.folder())) as _).into(),
            Target::Ldap => vec![Box::new(Directory::start())],
            Target::Keycloak => vec![Box::new(Realm::start())],
        };
        cluster.install_crds();
        cluster.namespace("acme");
        let kubeconfig = Operator::install(&cluster, NAMESPACE, &["acme"]);
        let approved = String::new();
        let mut stage = Self { cluster, servers, script, operator: None, kubeconfig, began, approved, since };
        stage.start_operator();
        stage.tell(&format!("control plane, {} and the operator are running", stage.script.servers));
        stage
    }

    /// The server at which most of the story happens.
    pub fn main(&self) -> &dyn Server {
        self.servers.first().expect("a server").as_ref()
    }

    /// Its TargetApplication.
    pub fn application(&self) -> String {
        format!("targetapplications.provost.dev/{}", self.main().application())
    }

    /// What the servers show of an account.
    pub fn evidence(&self, user_name: &str) {
        for server in &self.servers {
            server.shown(user_name).lines().for_each(Self::show_whole);
        }
    }

    /// Starts the operator (again), with the same ledger.
    pub fn start_operator(&mut self) {
        let data = self.cluster.folder().join("ledger");
        let operator = Operator::start(&self.cluster, &self.kubeconfig, NAMESPACE, &data, &["--namespace=acme"]);
        operator.ready();
        self.operator = Some(operator);
    }

    /// Kills the operator as an out-of-memory killer would.
    pub fn kill_operator(&mut self) {
        if let Some(operator) = self.operator.take() {
            operator.kill();
        }
    }

    /// Where the operator answers questions.
    pub fn address(&self) -> String {
        self.operator.as_ref().expect("an operator runs").address()
    }

    /// The log of the operator, to show where it went wrong.
    fn log(&self) -> String {
        self.operator.as_ref().map(|operator| operator.process().tail()).unwrap_or_default()
    }

    /// The example's manifests, with the demo's servers in place of those of the example.
    pub fn example(&self) -> String {
        let folder = repository().join(self.script.example);
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .expect("the example's folder")
            .map(|entry| entry.expect("an entry of it").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
            .collect();
        files.sort();
        let read = |path: PathBuf| std::fs::read_to_string(path).expect("a file of the example");
        let text = files.into_iter().map(read).collect::<Vec<_>>().join("\n---\n");
        self.servers.iter().fold(text, |text, server| server.put_into(text))
    }

    /// Applies manifests; what kubectl refuses ends the demo.
    pub fn apply(&self, manifests: &str) {
        self.cluster.apply(manifests).ok();
    }

    /// kubectl in the demo's namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        let all: Vec<&str> = ["-n", "acme"].iter().chain(arguments).copied().collect();
        self.cluster.kubectl(&all)
    }

    /// Asks the operator with the command line, and shows question and answer, which has 80 columns.
    pub fn ask(&self, arguments: &[&str]) {
        let operator = self.operator.as_ref().expect("an operator runs");
        let said = operator.asked(&self.cluster, NAMESPACE, arguments);
        assert!(said.err.is_empty(), "provost {}: {}", arguments.join(" "), said.err);
        let hidden = |word: &&&str| !word.contains(':');
        let shown: Vec<&str> = arguments.iter().filter(hidden).copied().collect();
        println!("$ provost {}", shown.join(" ").replace(" --since", ""));
        for line in said.out.lines() {
            assert!(line.chars().count() <= 80, "more than 80 columns: {line}");
            println!("{line}");
        }
    }

    /// The ledger of somebody: which accounts, how they stand, and when they are deleted.
    pub fn ask_ledger(&self, who: &str) {
        self.ask(&["ledger", "-n", "acme", "--identity", who]);
    }

    /// A line of any length, broken at words.
    fn show_whole(line: &str) {
        let indent = line.chars().take_while(|c| *c == ' ').count() + 15;
        let mut row = String::new();
        for word in line.split(' ') {
            if row.chars().count() + word.chars().count() > 71 && !row.trim().is_empty() {
                println!("        {}", row.trim_end());
                row = " ".repeat(indent);
            } else if !row.is_empty() || word.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
        println!("        {}", row.trim_end());
    }

    /// Merges a patch into an object.
    pub fn patch(&self, object: &str, patch: &str) {
        self.kubectl(&["patch", object, "--type=merge", "-p", patch]).ok();
    }

    /// An object as it is now.
    pub fn get(&self, object: &str) -> Value {
        self.kubectl(&["get", object, "-o", "json"]).json()
    }

    /// The heading of an act.
    pub fn act(title: &str) {
        println!("\n{title}\n{}", "-".repeat(title.chars().count()));
    }

    /// One line of the story, with the time since the beginning; long ones are wrapped.
    pub fn tell(&self, line: &str) {
        let mut head = format!("{:>6.1}s ", self.began.elapsed().as_secs_f64());
        let mut row = String::new();
        for word in line.split(' ') {
            if row.chars().count() + word.chars().count() > 71 {
                println!("{head}{row}");
                head = " ".repeat(8);
                row.clear();
            }
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
        println!("{head}{row}");
    }

    /// Output of kubectl, indented.
    pub fn show(text: &str) {
        for line in text.lines() {
            println!("        {}", line.chars().take(72).collect::<String>().trim_end());
        }
    }

    /// Waits until something is so and says how long it took; ends the demo with what is wrong if it never is.
    pub fn wait(&self, what: &str, mut so: impl FnMut(&Self) -> bool) -> Duration {
        let began = Instant::now();
        while !so(self) {
            assert!(
                began.elapsed() < PATIENCE,
                "it never happened that {what}\n{}\n{}",
                self.kubectl(&["get", "provost"]).out,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        began.elapsed()
    }

    /// Waits, and tells it with the time it took.
    pub fn see(&self, what: &str, so: impl FnMut(&Self) -> bool) {
        let took = self.wait(what, so);
        self.tell(&format!("{what} ({:.1} s)", took.as_secs_f64()));
    }

    /// Waits until every object is Ready as of its present generation.
    pub fn all_ready(&self) {
        let kinds =
            "identities.provost.dev,groups.provost.dev,accesspolicies.provost.dev,targetapplications.provost.dev";
        self.kubectl(&["wait", "--for=condition=Ready", "--all", kinds, "--timeout=90s"]).ok();
    }
}
