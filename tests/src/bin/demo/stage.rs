//! The stage: control plane, SCIM servers, operator; and how the story is told, in 80 columns with times.

#![allow(clippy::print_stdout, reason = "the story is printed")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::cluster::{Cluster, NAMESPACE, Operator, Options, Output, repository};

use crate::scim::Server;

/// How long an act may take until the demo says that it did not work.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that runs.
pub struct Stage {
    pub cluster: Cluster,
    pub chat: Server,
    pub wiki: Server,
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
    pub fn build() -> Self {
        let began = Instant::now();
        let since = jiff::Timestamp::now().to_string();
        println!("Provost demo: people in Git become accounts on two real SCIM servers.\n");
        let cluster = Cluster::start(Options { controllers: true });
        let (chat, wiki) = (Server::start("chat", cluster.folder()), Server::start("wiki", cluster.folder()));
        cluster.install_crds();
        cluster.namespace("acme");
        let kubeconfig = Operator::install(&cluster, NAMESPACE, &["acme"]);
        let mut stage = Self { cluster, chat, wiki, operator: None, kubeconfig, began, approved: String::new(), since };
        stage.start_operator();
        stage.tell("control plane, two SCIM servers (chat, wiki) and the operator are running");
        stage
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

    /// The log of the operator, to show where it went wrong.
    fn log(&self) -> String {
        self.operator.as_ref().map(|operator| operator.process().tail()).unwrap_or_default()
    }

    /// The example's manifests, with the demo's servers in place of those of the example.
    pub fn quickstart(&self) -> String {
        let folder = repository().join("examples/01-quickstart");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the example");
        let files = ["applications.yaml", "groups.yaml", "people.yaml", "policies.yaml", "secrets.yaml"].map(read);
        let mut text = files.join("\n---\n");
        for server in [&self.chat, &self.wiki] {
            let url = format!("url: https://{}.acme.test/v2", server.name);
            let here = format!("url: http://127.0.0.1:{}/v2\n      allowInsecure: true", server.port);
            text = text.replace(&url, &here).replace(&format!("{}.acme.test", server.name), "127.0.0.1");
        }
        let mut tokens = [self.chat.token(), self.wiki.token()].into_iter();
        while let (Some(at), Some(token)) = (text.find("change-me"), tokens.next()) {
            text.replace_range(at..at + "change-me".len(), token);
        }
        text
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

    /// Asks the operator with the command line, and shows question and answer.
    pub fn ask(&self, arguments: &[&str]) {
        let Some(operator) = &self.operator else { return };
        let said = operator.asked(&self.cluster, NAMESPACE, arguments);
        assert!(said.err.is_empty(), "provost {}: {}", arguments.join(" "), said.err);
        let hidden = |word: &&&str| !word.contains(':');
        let shown: Vec<&str> = arguments.iter().filter(hidden).copied().collect();
        Self::show(&format!("$ provost {}", shown.join(" ").replace(" --since", "")));
        said.out.lines().for_each(Self::show_whole);
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
