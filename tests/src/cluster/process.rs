use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Starts the program of its arguments and kills it when its standard input ends. It has the program's standard output
/// and error, but not its own pipe: nothing that the program leaves behind keeps that open.
/// A write beyond `RLIMIT_FSIZE` is an error for the program, as on a full disk, and not its end.
const GUARD: &str = r#"
trap '' XFSZ
"$@" </dev/null & pid=$!
echo $pid >&3
exec 3>&-
read -r how
if [[ $how == term ]]; then kill -TERM $pid; wait $pid; exit $?; fi
kill -KILL $pid; wait $pid; exit $?
"#;

/// A program that runs until it is stopped, dropped, or this process ends.
#[derive(Debug)]
pub struct Process {
    guard: Child,
    pipe: Option<ChildStdin>,
    pid: u32,
    log: PathBuf,
}

impl Process {
    /// Starts a program with its output in a file.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(program: &Path, arguments: &[String], environment: &[(String, String)], log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).expect("a log file");
        let pid_file = log.with_extension("pid");
        let _ = fs::remove_file(&pid_file);
        let mut guard = Command::new("bash")
            .args(["-c", &format!("exec 3>'{}'\n{GUARD}", pid_file.display()), "guard"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            // Of its own: a Ctrl-C in the terminal ends this process, and the guard sees that; it must outlive it.
            .process_group(0)
            .stdout(output.try_clone().expect("a log file"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let pipe = guard.stdin.take();
        let mut process = Self { guard, pipe, pid: 0, log: log.to_owned() };
        super::eventually("the guard says the process id", || {
            process.pid = fs::read_to_string(&pid_file).ok()?.trim().parse().ok()?;
            Some(())
        });
        process
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        // After the name in parentheses: the state, Z for one that has ended and was not waited for.
        stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    }

    /// The file with what it has said; it stays when the process has ended.
    pub fn log_path(&self) -> PathBuf {
        self.log.clone()
    }

    /// What it has said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of what it has said.
    pub fn tail(&self) -> String {
        let Ok(file) = File::open(&self.log) else { return String::new() };
        let lines: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
        lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
    }

    /// Asks it to end (SIGTERM) and waits until it has; its exit status.
    pub fn terminate(mut self) -> Option<i32> {
        if let Some(pipe) = &mut self.pipe {
            use std::io::Write as _;
            let _ = pipe.write_all(b"term\n");
        }
        self.guard.wait().ok().and_then(|status| status.code())
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill(self) {
        drop(self);
    }

    /// Stops it where it stands (SIGSTOP), or lets it go on (SIGCONT).
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let _ = Command::new("kill").args([signal, &self.pid.to_string()]).status();
    }
}

/// Removes a folder when this process ends, or when it is dropped.
#[derive(Debug)]
pub(crate) struct Sweeper(Child);

impl Sweeper {
    /// Starts it.
    ///
    /// # Panics
    /// If bash cannot be started.
    pub(crate) fn of(folder: &Path) -> Self {
        // What still writes to it is being killed at the same moment.
        let script = r#"read -r _; for _ in {1..100}; do rm -rf "$1" && exit; sleep 0.1; done"#;
        let mut command = Command::new("bash");
        command.args(["-c", script, "sweeper"]).arg(folder).stdin(Stdio::piped());
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("bash"))
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.guard.wait();
    }
}
