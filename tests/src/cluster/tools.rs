use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long anything is waited for. Only a failure takes so long.
const DEADLINE: Duration = Duration::from_secs(90);

/// The root of the repository.
///
/// # Panics
/// Never, as long as this crate is in a folder of it.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

/// The folder that `tests/tools/setup.sh` fills.
pub fn cache() -> PathBuf {
    let home = std::env::var("HOME").unwrap_or_default();
    let shared = std::env::var("XDG_CACHE_HOME").unwrap_or_else(|_| format!("{home}/.cache"));
    std::env::var("PROVOST_CACHE").unwrap_or_else(|_| format!("{shared}/provost")).into()
}

/// Where a pinned tool is.
///
/// # Panics
/// If it was not built: the text says how.
pub(super) fn tool(name: &str) -> PathBuf {
    let given = std::env::var("KUBEBUILDER_ASSETS").ok().map(|folder| Path::new(&folder).join(name));
    let built = cache().join("bin").join(name);
    let found = given.into_iter().chain([built.clone()]).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{} is not there; run `make setup` once", built.display()))
}

/// helm without a cluster: to render and to lint.
pub fn helm(arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(tool("helm"));
    command.args(arguments);
    Output::of(command, None)
}

/// Waits until something is so, and says what was waited for if it never is.
///
/// # Panics
/// After a minute and a half.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {} s in vain until {what}", DEADLINE.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a command said.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// Whether it ended well.
    pub success: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Output {
    pub(crate) fn of(mut command: std::process::Command, input: Option<&str>) -> Self {
        use std::io::Write as _;
        use std::process::Stdio;
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let line = format!("{command:?}");
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {line}: {error}"));
        if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
            pipe.write_all(text.as_bytes()).expect("it reads its input");
        }
        let output = child.wait_with_output().expect("it ends");
        Self {
            command: line,
            success: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Its standard output, given that it ended well.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.success, "{} failed:\n{}{}", self.command, self.out, self.err);
        self.out
    }

    /// Its standard error, given that it failed.
    ///
    /// # Panics
    /// If it did not fail.
    #[track_caller]
    pub fn refused(self) -> String {
        assert!(!self.success, "{} was not refused:\n{}", self.command, self.out);
        self.err
    }

    /// Its standard output read as JSON, given that it ended well.
    ///
    /// # Panics
    /// If it did not, or if it is not JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }
}
