//! Questions that manifests answer: `plan`, `explain`, `who-can`.

use std::collections::{BTreeMap, BTreeSet};

use provost_core::directory::Directory;
use provost_core::explain::{self, Desired, Explanation, Holder, text};
use provost_core::model::{Name, ObjectRef};
use serde::Serialize;

use super::load::Loaded;
use super::screen::{Output, Screen};
use super::shape;
use super::{DONE, Explain, FINDINGS, Failure, Manifests, WhoCan, at, read};

/// Of so many names all are told where none is near.
const FEW: usize = 20;

/// One namespace that was loaded.
struct Here<'a> {
    namespace: &'a str,
    places: &'a BTreeMap<(String, ObjectRef), String>,
}

impl Here<'_> {
    fn locate(&self, object: &ObjectRef) -> Option<String> {
        self.places.get(&(self.namespace.to_owned(), object.clone())).cloned()
    }
}

/// What is asked, and how the answer is told.
trait Question {
    type Answer: Serialize;
    /// Names the JSON.
    const KIND: &'static str;
    /// The application and the entitlement that are asked about.
    fn about(&self) -> (Option<&str>, Option<&str>);
    /// The exit status that goes with an answer.
    fn status(&self, _: &Self::Answer) -> u8 {
        DONE
    }
    /// The identity that is asked about.
    fn identity(&self) -> Option<&str> {
        None
    }
    /// Time may be turned, and is turned back.
    fn answer(&self, directory: &mut Directory) -> Self::Answer;
    fn text(&self, answer: &Self::Answer, here: &Here<'_>) -> String;
    fn wide(&self, answer: &Self::Answer, here: &Here<'_>, screen: &mut Screen<'_>) -> Result<(), Failure>;
    /// The objects that the answer is about: kind and name.
    fn names(&self, answer: &Self::Answer) -> BTreeSet<(&'static str, Name)>;
}

fn ask<Q: Question>(question: &Q, manifests: &Manifests, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let mut loaded = read(&manifests.files, at(manifests.at), screen)?;
    let (application, entitlement) = question.about();
    if let Some(identity) = question.identity() {
        is_somebody(&loaded, identity)?;
    }
    if let Some(application) = application {
        exists(&loaded, application, entitlement)?;
    }
    let (of, mut status) = (loaded.directories.len(), DONE);
    for (namespace, directory) in &mut loaded.directories {
        let here = Here { namespace, places: &loaded.places };
        let answer = question.answer(directory);
        status = status.max(question.status(&answer));
        match manifests.output {
            output @ (Output::Json | Output::Yaml) => {
                screen.value(output, Q::KIND, Some(namespace), &serde_json::to_value(&answer)?)?;
            }
            Output::Name => {
                for (kind, name) in question.names(&answer) {
                    screen.name(kind, name.as_str())?;
                }
            }
            Output::Table => {
                heading(namespace, of, screen)?;
                screen.out.write_all(question.text(&answer, &here).as_bytes())?;
            }
            Output::Wide => {
                heading(namespace, of, screen)?;
                question.wide(&answer, &here, screen)?;
            }
        }
    }
    Ok(status)
}

/// Whether some namespace has what is asked about: "nobody" would be no answer to a name that is misspelt.
fn exists(loaded: &Loaded, application: &str, entitlement: Option<&str>) -> Result<(), Failure> {
    let all = || loaded.directories.values().flat_map(Directory::applications);
    let named: Vec<_> = all().filter(|view| view.meta.name.as_str() == application).collect();
    if named.is_empty() {
        let known: BTreeSet<&str> = all().map(|view| view.meta.name.as_str()).collect();
        return Err(absent(&format!("there is no TargetApplication '{application}'"), application, &known));
    }
    // What an invalid manifest has cannot be told.
    let specs: Option<Vec<_>> = named.iter().map(|view| view.spec.ok()).collect();
    let (Some(entitlement), Some(specs)) = (entitlement, specs) else { return Ok(()) };
    let known: BTreeSet<&str> =
        specs.iter().flat_map(|spec| &spec.entitlements).map(|entry| entry.name.as_str()).collect();
    if known.contains(entitlement) {
        return Ok(());
    }
    let what = format!("TargetApplication '{application}' has no entitlement '{entitlement}'");
    Err(absent(&what, entitlement, &known))
}

/// The nearest name that is known, or all of them where they are few.
pub fn absent(what: &str, found: &str, known: &BTreeSet<&str>) -> Failure {
    let all: Vec<&str> = known.iter().copied().collect();
    let remedy = match all.len() {
        0 => "there is none".to_owned(),
        1..=FEW => shape::did_you_mean(found, &all),
        _ => shape::nearest(found, all.into_iter()).unwrap_or_else(|| "no name comes near".to_owned()),
    };
    Failure::Said(format!("{what}; {remedy}"))
}

/// Whether some namespace has the Identity.
fn is_somebody(loaded: &Loaded, identity: &str) -> Result<(), Failure> {
    let all = || loaded.directories.values().flat_map(Directory::identities).map(|view| view.name.as_str());
    if all().any(|name| name == identity) {
        return Ok(());
    }
    Err(absent(&format!("there is no Identity '{identity}'"), identity, &all().collect()))
}

/// A namespace's name, where there are several.
pub fn heading(namespace: &str, of: usize, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if of > 1 { screen.line(&format!("# namespace {namespace}")) } else { Ok(()) }
}

/// Who would have what.
pub fn plan(manifests: &Manifests, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    ask(&Plan, manifests, screen)
}

/// Why, or why not.
pub fn explain(asked: &Explain, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    ask(asked, &asked.manifests, screen)
}

/// Who has it.
pub fn who_can(asked: &WhoCan, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    ask(asked, &asked.manifests, screen)
}

struct Plan;

impl Question for Plan {
    type Answer = Desired;
    const KIND: &'static str = "Plan";

    fn about(&self) -> (Option<&str>, Option<&str>) {
        (None, None)
    }

    fn answer(&self, directory: &mut Directory) -> Desired {
        Desired { later: explain::later(directory, None), ..explain::plan(directory) }
    }

    /// What an invalid manifest would give is no answer.
    fn status(&self, answer: &Desired) -> u8 {
        if answer.invalid.is_empty() { DONE } else { FINDINGS }
    }

    fn text(&self, answer: &Desired, _: &Here<'_>) -> String {
        text::plan(answer)
    }

    fn wide(&self, answer: &Desired, _: &Here<'_>, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let mut rows = Vec::new();
        let row = |identity: &Name, application: &Name, right: &str, policies: &[Name]| {
            vec![identity.to_string(), application.to_string(), right.to_owned(), joined(policies)]
        };
        for (application, wanted) in &answer.applications {
            for (identity, account) in &wanted.accounts {
                let right = if account.enabled { "account" } else { "account, disabled" };
                rows.push(row(identity, application, right, &account.policies));
            }
            for (entitlement, entry) in &wanted.entitlements {
                let right =
                    if entry.privileged { format!("{entitlement} (privileged)") } else { entitlement.to_string() };
                rows.extend(entry.holders.iter().map(|(identity, by)| row(identity, application, &right, by)));
            }
            rows.extend(wanted.undecided.iter().map(|right| {
                let what = right.entitlement.as_ref().map_or("account", Name::as_str);
                let what = format!("{what}, kept as it is: {}", right.why);
                row(&right.identity, application, &what, &[])
            }));
        }
        rows.extend(answer.later.iter().map(|later| {
            let right = later.entitlement.as_ref().map_or("account", Name::as_str);
            row(&later.identity, &later.application, &text::dated(later, right), &later.policies)
        }));
        let nobody = Name::from("-");
        rows.extend(answer.invalid.iter().map(|name| row(&nobody, name, "unknown: its manifest is invalid", &[])));
        rows.sort();
        screen.table(&["IDENTITY", "APPLICATION", "RIGHT", "BY"], &rows, true)
    }

    fn names(&self, answer: &Desired) -> BTreeSet<(&'static str, Name)> {
        let accounts = answer.applications.values().flat_map(|application| application.accounts.keys());
        let unknown = answer.invalid.iter().map(|name| ("TargetApplication", name.clone()));
        accounts.map(|name| ("Identity", name.clone())).chain(unknown).collect()
    }
}

impl Question for Explain {
    type Answer = Explanation;
    const KIND: &'static str = "Explanation";

    fn about(&self) -> (Option<&str>, Option<&str>) {
        (self.application.as_deref(), self.entitlement.as_deref())
    }

    fn identity(&self) -> Option<&str> {
        Some(&self.identity)
    }

    fn answer(&self, directory: &mut Directory) -> Explanation {
        let (application, entitlement) =
            (self.application.as_deref().map(Name::from), self.entitlement.as_deref().map(Name::from));
        let identity = Name::from(self.identity.as_str());
        explain::why(directory, &identity, application.as_ref(), entitlement.as_ref())
    }

    fn text(&self, answer: &Explanation, here: &Here<'_>) -> String {
        text::why(answer, &|object| here.locate(object))
    }

    /// Every right as if it alone had been asked for.
    fn wide(&self, answer: &Explanation, here: &Here<'_>, screen: &mut Screen<'_>) -> Result<(), Failure> {
        if answer.rights.len() < 2 {
            return Ok(screen.out.write_all(self.text(answer, here).as_bytes())?);
        }
        for right in &answer.rights {
            screen.out.write_all(self.text(&answer.alone(right), here).as_bytes())?;
        }
        Ok(())
    }

    fn names(&self, answer: &Explanation) -> BTreeSet<(&'static str, Name)> {
        let policies = answer.rights.iter().flat_map(|right| right.allows.iter().chain(&right.denies));
        policies.map(|policy| ("AccessPolicy", policy.policy.clone())).collect()
    }
}

impl Question for WhoCan {
    type Answer = Vec<Holder>;
    const KIND: &'static str = "Holders";

    fn about(&self) -> (Option<&str>, Option<&str>) {
        (Some(&self.application), self.entitlement.as_deref())
    }

    fn answer(&self, directory: &mut Directory) -> Vec<Holder> {
        let entitlement = self.entitlement.as_deref().map(Name::from);
        explain::who_can(directory, &Name::from(self.application.as_str()), entitlement.as_ref())
    }

    fn text(&self, answer: &Vec<Holder>, _: &Here<'_>) -> String {
        text::who_can(answer)
    }

    fn wide(&self, answer: &Vec<Holder>, _: &Here<'_>, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let row = |holder: &Holder| {
            let (verdict, state) = (text::verdict(holder.verdict), holder.state.as_str());
            vec![holder.identity.to_string(), verdict.to_owned(), state.to_owned(), joined(&holder.policies)]
        };
        let rows: Vec<_> = answer.iter().map(row).collect();
        screen.table(&["IDENTITY", "HAS IT", "STATE", "BY"], &rows, true)
    }

    fn names(&self, answer: &Vec<Holder>) -> BTreeSet<(&'static str, Name)> {
        answer.iter().map(|holder| ("Identity", holder.identity.clone())).collect()
    }
}

/// Names in one cell.
pub fn joined(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}
