//! Breaks the rules one at a time, in a copy of the checkout with a build folder of its own, and says which test notices:
//! the one that is named, else the crate's other tests, else the simulation. Arguments: names, to try these alone.

use std::collections::BTreeSet;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use tests::mutants::{Mutant, all, root};

/// Seconds after which tests that do not end are ended.
const LONGEST: &str = "900";
/// Histories of the simulation that a breakage has to survive.
const SEEDS: &str = "100";
/// Nothing runs for long: what counts is how fast it builds.
const BUILT: [&str; 2] = ["profile.dev.debug=false", "profile.dev.package.provost-core.opt-level=0"];

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tested {
    Passed,
    Failed,
    DoesNotBuild,
    /// Neither passed nor failed: it hung or was killed.
    NoResult,
}

/// The copy in which things are broken.
struct Workshop {
    checkout: PathBuf,
    build: PathBuf,
}

fn main() -> std::io::Result<ExitCode> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let mut mutants = all();
    mutants.retain(|mutant| named.is_empty() || named.contains(&mutant.name));
    let workshop = Workshop::new()?;
    let began = Instant::now();
    if !workshop.passes_unbroken(&mutants)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut survivors = 0;
    for mutant in &mutants {
        let began = Instant::now();
        let (caught, by) = workshop.judge(mutant)?;
        survivors += usize::from(!caught);
        let seconds = began.elapsed().as_secs();
        writeln!(stdout(), "{by:<14} {seconds:>4} s  {:<28} {}", mutant.name, mutant.what)?;
    }
    let minutes = began.elapsed().as_secs().div_ceil(60);
    let caught = mutants.len() - survivors;
    writeln!(stdout(), "{} breakages, {caught} caught, in {minutes} minutes", mutants.len())?;
    Ok(if survivors == 0 && !mutants.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Workshop {
    /// Next to the build of this program.
    fn new() -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let folder = program.ancestors().nth(2).unwrap_or(Path::new("target")).join("mutants");
        let workshop = Self { checkout: folder.join("checkout"), build: folder.join("build") };
        workshop.copy()?;
        Ok(workshop)
    }

    /// Brings the copy up to date with the tracked files as they are now; what is the same stays untouched, and built.
    fn copy(&self) -> std::io::Result<()> {
        let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output()?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let tracked: BTreeSet<PathBuf> = listed.split_terminator('\0').map(PathBuf::from).collect();
        let tracked: BTreeSet<PathBuf> = tracked.into_iter().filter(|file| root().join(file).is_file()).collect();
        for file in files(&self.checkout)? {
            if file.strip_prefix(&self.checkout).is_ok_and(|file| !tracked.contains(file)) {
                std::fs::remove_file(file)?;
            }
        }
        for file in tracked {
            let (text, copy) = (std::fs::read(root().join(&file))?, self.checkout.join(&file));
            if std::fs::read(&copy).ok().as_ref() != Some(&text) {
                std::fs::create_dir_all(copy.parent().unwrap_or(&copy))?;
                std::fs::write(copy, text)?;
            }
        }
        Ok(())
    }

    /// What the last tests said.
    fn log(&self) -> PathBuf {
        self.build.with_extension("log")
    }

    /// A test that fails anyway notices nothing.
    fn passes_unbroken(&self, mutants: &[Mutant]) -> std::io::Result<bool> {
        let packages: BTreeSet<&Path> = mutants.iter().map(Mutant::package).collect();
        for package in packages {
            let of = mutants.iter().filter(|mutant| mutant.package() == package);
            let killers: Vec<&str> = of.map(|mutant| mutant.killer.as_str()).collect();
            let tested = self.test(package, "--lib", &killers)?;
            if tested != Tested::Passed {
                let (package, log) = (package.display(), self.log());
                writeln!(stdout(), "{package}: {tested:?} before anything is broken; see {}", log.display())?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a breakage is caught, and by what.
    fn judge(&self, mutant: &Mutant) -> std::io::Result<(bool, &'static str)> {
        let file = self.checkout.join(&mutant.file);
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(&file, mutant.broken(&text).map_err(std::io::Error::other)?)?;
        let judged = self.judge_broken(mutant);
        std::fs::write(&file, text)?;
        judged
    }

    fn judge_broken(&self, mutant: &Mutant) -> std::io::Result<(bool, &'static str)> {
        match self.test(mutant.package(), "--lib", &[&mutant.killer])? {
            Tested::Failed => return Ok((true, "caught")),
            Tested::DoesNotBuild => return Ok((false, "DOES NOT BUILD")),
            Tested::NoResult => return Ok((false, "NO RESULT")),
            Tested::Passed => {}
        }
        let simulation = (Path::new("tests"), "--test=simulation", "by simulation");
        for (package, target, by) in [(mutant.package(), "--lib", "by another"), simulation] {
            if self.test(package, target, &[])? == Tested::Failed {
                return Ok((true, by));
            }
        }
        Ok((false, "SURVIVED"))
    }

    /// Runs the tests of a package whose names contain one of these, or all of them.
    fn test(&self, package: &Path, target: &str, names: &[&str]) -> std::io::Result<Tested> {
        let manifest = self.checkout.join(package).join("Cargo.toml");
        // `timeout 0` waits for ever.
        let cargo = |longest: &str, arguments: &[&str]| {
            Command::new("timeout")
                .args([longest, "cargo", "test", "--locked", "--quiet"])
                .args(BUILT.iter().flat_map(|setting| ["--config", setting]))
                .arg("--manifest-path")
                .arg(&manifest)
                .arg(target)
                .args(arguments)
                .current_dir(&self.checkout)
                .env("CARGO_TARGET_DIR", &self.build)
                .env("PROVOST_SEEDS", SEEDS)
                .output()
        };
        let built = cargo("0", &["--no-run"])?;
        if !built.status.success() {
            writeln!(stdout(), "{}", String::from_utf8_lossy(&built.stderr))?;
            return Ok(Tested::DoesNotBuild);
        }
        let ran = cargo(LONGEST, &[&["--"], names].concat())?;
        std::fs::write(self.log(), &ran.stdout)?;
        let said = String::from_utf8_lossy(&ran.stdout);
        let none = said.lines().filter_map(|line| line.strip_prefix("running ")).all(|line| line.starts_with("0 "));
        Ok(match (ran.status.success(), said.contains("test result: FAILED")) {
            (_, _) if none => Tested::NoResult,
            (true, _) => Tested::Passed,
            (false, true) => Tested::Failed,
            (false, false) => Tested::NoResult,
        })
    }
}

/// Every file in a folder and in those within; none where there is no such folder.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(found) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
