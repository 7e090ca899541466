//! `provost import`: manifests from what exists. A target is read by its own TargetApplication, with the connector and the
//! mapping that the operator will use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use provost_connectors::{AnyTarget, Credentials, NetworkRules, connect, secrets};
use provost_core::import::{Brought, Rehearsal, Shown, What, from_table, from_target, rehearse};
use provost_core::input;
use provost_core::model::{
    Change, Connector, EntitlementKind, Item, Kind, Name, PageToken, TargetApplication, TargetError,
};
use serde::Serialize;

use super::import_report::{self, Written};
use super::load::{self, DEFAULT_NAMESPACE};
use super::screen::{Output, Screen};
use super::shape::did_you_mean;
use super::source::{self, Files};
use super::{DONE, FINDINGS, Failure, skipped};

/// So many places of a table are named that are wrong.
const CELLS: usize = 20;
/// How often a target that asks to wait is asked again, and how long it may have one wait.
const PATIENCE: usize = 10;
/// So many times what broke off is asked for again.
const RETRIES: usize = 3;
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// Where to read, and where to write.
#[derive(clap::Args, Debug)]
pub struct Import {
    /// The TargetApplication, and what is declared already: a file, a folder or -; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-", required_unless_present = "csv")]
    filename: Vec<PathBuf>,
    /// Read folders below folders too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Name of the TargetApplication whose target is read; with --csv, of the one that everybody in the table has an account of
    #[arg(long, value_name = "NAME", required_unless_present = "csv")]
    application: Option<String>,
    /// Read this table instead of a target: the first line names the columns as the fields of an Identity
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Folder with the values of the Secrets that the TargetApplication names: a folder a Secret, and in it a file a key
    #[arg(long, value_name = "DIR")]
    secret_dir: Option<PathBuf>,
    /// Folder to write the manifests to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Overwrite the files that are there, but for those that -f names
    #[arg(long)]
    force: bool,
    /// How the report is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Reads, writes the manifests, and reports; 1 if anything was left out, or applying would write more than our mark.
pub fn run(asked: &Import, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let read = source::read(&Files { filename: asked.filename.clone(), recursive: asked.recursive })?;
    skipped(&read, screen)?;
    let errors = load::load(&read, load::usual_namespace(&[&read]), jiff::Timestamp::now())
        .findings
        .iter()
        .filter(|finding| finding.error)
        .count();
    if errors > 0 {
        let errors = super::count(errors, "error");
        return Err(Failure::Said(format!("{errors} in the manifests; `provost lint` names them")));
    }
    let files = OutFiles::new(&asked.out, asked.force, &read)?;
    let named = read.documents.iter().any(|document| document.text("/metadata/namespace").is_some());
    let (namespace, declared) = declared(asked, load::changes(&read))?;
    let shown_namespace = named.then_some(namespace.as_str());
    let application = asked.application.as_deref().map(Name::from);
    let (brought, rehearsal) = match (&asked.csv, &application) {
        (Some(file), application) => (table(file, application.as_ref(), &declared)?, None),
        (None, Some(application)) => {
            let shown = target(asked, application, &declared)?;
            let brought = from_target(provost_connectors::schema, &namespace, application, &declared, &shown)
                .map_err(|error| Failure::Said(error.to_string()))?;
            let all = declared.into_iter().chain(changes(&brought)).collect();
            let now = jiff::Timestamp::now();
            let rehearsal = rehearse(provost_connectors::schema, &namespace, application, all, &shown, now);
            (brought, Some(rehearsal))
        }
        (None, None) => return Err(Failure::Said("name the TargetApplication with --application".to_owned())),
    };
    let written = files.write(&brought, shown_namespace)?;
    import_report::write(asked.output, application.as_ref(), &written, &brought, rehearsal.as_ref(), screen)?;
    Ok(if is_all_well(&brought, rehearsal.as_ref()) { DONE } else { FINDINGS })
}

fn is_all_well(brought: &Brought, rehearsal: Option<&Rehearsal>) -> bool {
    brought.skipped.is_empty() && rehearsal.is_none_or(|told| told.writes.is_empty() && told.waiting.is_empty())
}

/// The namespace that is meant, and what is declared in it.
fn declared(
    asked: &Import,
    changes: std::collections::BTreeMap<String, Vec<Change>>,
) -> Result<(String, Vec<Change>), Failure> {
    let holds = |all: &[Change]| {
        let is = |change: &Change| match (change, &asked.application) {
            (Change::TargetApplication(manifest), Some(name)) => manifest.meta.name.as_str() == name,
            _ => false,
        };
        all.iter().any(is)
    };
    let applications = changes.values().flatten().filter_map(|change| match change {
        Change::TargetApplication(manifest) => Some(manifest.meta.name.to_string()),
        _ => None,
    });
    let applications: Vec<String> = applications.collect();
    let several = changes.values().filter(|all| holds(all)).count() > 1;
    let name = asked.application.as_deref().unwrap_or_default();
    if several {
        return Err(Failure::Said(format!("{name} is in several namespaces; name the files of one with -f")));
    }
    let mut found = None;
    let mut only = Vec::new();
    for (namespace, all) in changes {
        if holds(&all) {
            found = Some((namespace, all));
        } else {
            only.push((namespace, all));
        }
    }
    match found {
        Some(found) => Ok(found),
        // A table needs none; where some are named, one that is misspelt is none of them.
        None if asked.csv.is_none() || (!name.is_empty() && !applications.is_empty()) => {
            let known: Vec<&str> = applications.iter().map(String::as_str).collect();
            let remedy = if known.is_empty() { String::new() } else { format!("; {}", did_you_mean(name, &known)) };
            let text = format!("there is no TargetApplication {name} in the manifests that -f names{remedy}");
            Err(Failure::Said(text))
        }
        None if only.len() > 1 => {
            Err(Failure::Said("the manifests are of several namespaces; name the files of one with -f".to_owned()))
        }
        None => Ok(only.pop().unwrap_or_else(|| (DEFAULT_NAMESPACE.to_owned(), Vec::new()))),
    }
}

fn table(file: &Path, application: Option<&Name>, declared: &[Change]) -> Result<Brought, Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::Said(format!("{}: {error}", file.display())))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| super::misread(&source::misread(&file.display().to_string(), &error)))?;
    from_table(provost_connectors::schema, &text, application, declared).map_err(|misplaced| {
        let mut lines: Vec<String> =
            misplaced.iter().take(CELLS).map(|one| format!("{}:{one}", file.display())).collect();
        let more = misplaced.len().saturating_sub(CELLS);
        lines.extend((more > 0).then(|| format!("{}: and {more} more", file.display())));
        Failure::Said(lines.join("\n"))
    })
}

/// Reads everything that the target shows.
fn target(asked: &Import, name: &Name, declared: &[Change]) -> Result<Shown, Failure> {
    let application = declared.iter().find_map(|change| match change {
        Change::TargetApplication(manifest) if manifest.meta.name == *name => manifest.spec.as_ref().ok(),
        _ => None,
    });
    let Some(application) = application else {
        return Err(Failure::Said(format!("the TargetApplication {name} is invalid; `provost lint` says why")));
    };
    let connector = application.connector.clone();
    // The operator looks into the groups alone that the catalogue names; here all of them count.
    let mut of_all = connector.clone();
    if let Some(settings) = of_all.settings.as_object_mut() {
        settings.remove("catalogue");
    }
    let credentials = credentials(&connector, asked.secret_dir.as_deref())?;
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Whoever runs this is on their own machine, and has chosen the address.
    let rules = NetworkRules { loopback: true, ..NetworkRules::default() };
    let shown = runtime.block_on(async {
        let all = connect(&of_all, credentials.clone(), &rules).await?;
        let named = connect(&connector, credentials, &rules).await?;
        shown(&all, &named, application).await
    });
    shown.map_err(|error| Failure::Said(format!("{name}: {error}; nothing was written")))
}

/// The values of the Secrets, from files alone: what stands on a command line is seen by everybody on the machine.
fn credentials(connector: &Connector, folder: Option<&Path>) -> Result<Credentials, Failure> {
    let mut credentials = Credentials::default();
    for need in secrets(connector) {
        let Some(folder) = folder else {
            let text = format!(
                "the Secret {} is needed; put the value of its key {} in DIR/{}/{} and name DIR with --secret-dir",
                need.name, need.key, need.name, need.key
            );
            return Err(Failure::Said(text));
        };
        let file = folder.join(&need.name).join(&need.key);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            Failure::Said(format!("{}: {error}; it must hold key {} of Secret {}", file.display(), need.key, need.name))
        })?;
        // Editors end a file with a line break, which is no part of the value.
        let value = text.strip_suffix('\n').unwrap_or(&text);
        let value = value.strip_suffix('\r').unwrap_or(value);
        credentials = credentials.with(need.role, value.to_owned().into());
    }
    Ok(credentials)
}

/// `named`: the same target, as the operator looks at it.
async fn shown(target: &AnyTarget, named: &AnyTarget, application: &TargetApplication) -> Result<Shown, TargetError> {
    let profile = target.probe().await.0?;
    let mut shown = Shown { profile, accounts: Vec::new(), entitlements: Vec::new(), elsewhere: Vec::new() };
    let (accounts, elsewhere) = listed(target, Kind::Accounts).await?;
    shown.elsewhere.push((What::Account, elsewhere));
    for item in accounts {
        if let Item::Account(account) = item {
            shown.accounts.push(account);
        }
    }
    let mut kinds = vec![Kind::Groups];
    for (of, kind) in [(EntitlementKind::Role, Kind::Roles), (EntitlementKind::License, Kind::Licenses)] {
        kinds.extend(application.entitlements.iter().any(|entry| entry.target.kind == of).then_some(kind));
    }
    for kind in kinds {
        let target = if kind == Kind::Groups { target } else { named };
        let (mut items, mut elsewhere) = match listed(target, kind).await {
            // A directory of which no place for groups was told.
            Err(TargetError::Unsupported(_)) => continue,
            items => items?,
        };
        if kind == Kind::Groups && has_strangers(&items, &shown) {
            // A directory tells a group within a group by its id once it has listed it.
            (items, elsewhere) = listed(target, kind).await?;
        }
        shown.elsewhere.push((What::Group, elsewhere));
        shown.entitlements.extend(items.into_iter().filter_map(|item| match item {
            Item::Entitlement(seen) => Some(seen),
            Item::Account(_) => None,
        }));
    }
    Ok(shown)
}

fn has_strangers(items: &[Item], shown: &Shown) -> bool {
    let known: std::collections::HashSet<_> = shown.accounts.iter().map(|account| &account.id).collect();
    items.iter().any(|item| match item {
        Item::Entitlement(seen) => seen.members.iter().flatten().any(|id| !known.contains(id)),
        Item::Account(_) => false,
    })
}

/// Everything of a kind, and how many parts of it other servers hold; a list that is not complete is none.
async fn listed(target: &AnyTarget, kind: Kind) -> Result<(Vec<Item>, usize), TargetError> {
    let (mut all, mut page): (Vec<Item>, Option<PageToken>) = (Vec::new(), None);
    let (mut elsewhere, mut waited) = (0, 0);
    loop {
        let (answer, spent) = target.observe(kind, page.as_ref()).await;
        if let Some(wait) = spent.wait {
            tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
        }
        let found = match answer {
            Err(TargetError::RateLimited { retry_after }) if waited < PATIENCE => {
                waited += 1;
                tokio::time::sleep(retry_after.unwrap_or(Duration::from_secs(1)).min(LONGEST_WAIT)).await;
                continue;
            }
            // An answer that breaks off is asked for again, as the operator does.
            Err(TargetError::Transient(_)) if waited < RETRIES => {
                waited += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            found => found?,
        };
        all.extend(found.items);
        elsewhere += found.elsewhere;
        match found.next {
            Some(next) => page = Some(next),
            None => return Ok((complete(all, found.total)?, elsewhere)),
        }
    }
}

fn complete(all: Vec<Item>, total: Option<u64>) -> Result<Vec<Item>, TargetError> {
    let id = |item: &Item| match item {
        Item::Account(account) => account.id.clone(),
        Item::Entitlement(seen) => seen.id.clone(),
    };
    let distinct: std::collections::HashSet<_> = all.iter().map(id).collect();
    let count = u64::try_from(distinct.len()).unwrap_or(u64::MAX);
    if distinct.len() != all.len() || total.is_some_and(|total| total != count) {
        let claimed = total.map_or_else(|| "others twice".to_owned(), |total| format!("{total} announced"));
        let text =
            format!("the list is not complete: {count} were shown and {claimed}; somebody may be editing: try again");
        return Err(TargetError::Malformed(text.into()));
    }
    Ok(all)
}

/// What is brought in, read as the manifests that say it.
fn changes(brought: &Brought) -> Vec<Change> {
    let identities = brought.identities.iter();
    let identities =
        identities.map(|(name, identity)| input::identity_change(&input::identity_manifest(None, name, identity)));
    let groups = brought.groups.iter();
    let groups = groups.map(|(name, group)| input::group_change(&input::group_manifest(None, name, group)));
    let policies = brought.policies.iter();
    let policies =
        policies.map(|(name, policy)| input::access_policy_change(&input::access_policy_manifest(None, name, policy)));
    identities.chain(groups).chain(policies).collect()
}

/// The files that are written.
struct OutFiles {
    folder: PathBuf,
}

impl OutFiles {
    const NAMES: [&str; 3] = ["identities.yaml", "groups.yaml", "policies.yaml"];

    /// What is there is not overwritten unless that is asked for, and what was read never: what is declared there already is not
    /// declared again, and would be lost.
    fn new(folder: &Path, force: bool, read: &source::Read) -> Result<Self, Failure> {
        let sources: Vec<PathBuf> = read.texts.keys().filter_map(|file| std::fs::canonicalize(file).ok()).collect();
        for file in Self::NAMES.iter().map(|name| folder.join(name)).filter(|file| file.exists()) {
            let file_shown = file.display();
            if std::fs::canonicalize(&file).is_ok_and(|file| sources.contains(&file)) {
                let text = format!(
                    "{file_shown} is read by -f, and what it declares is not written again; name another folder with --out"
                );
                return Err(Failure::Said(text));
            }
            if !force {
                let text = format!("{file_shown} is there already; name another folder with --out, or add --force");
                return Err(Failure::Said(text));
            }
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Everything or, where nothing would take the place of an older file, nothing: it would be applied with the rest.
    fn write(&self, brought: &Brought, namespace: Option<&str>) -> Result<Vec<Written>, Failure> {
        let [identities, groups, policies] = Self::NAMES;
        let manifest = |(name, of): &(Name, _)| input::identity_manifest(namespace, name, of);
        let identities =
            self.file(identities, "Identity", ("identity", "identities"), &brought.identities, manifest)?;
        let manifest = |(name, of): &(Name, _)| input::group_manifest(namespace, name, of);
        let groups = self.file(groups, "Group", ("group", "groups"), &brought.groups, manifest)?;
        let manifest = |(name, of): &(Name, _)| input::access_policy_manifest(namespace, name, of);
        let policies = self.file(policies, "AccessPolicy", ("policy", "policies"), &brought.policies, manifest)?;
        std::fs::create_dir_all(&self.folder)?;
        let mut written = Vec::new();
        for (file, text) in [identities, groups, policies].into_iter().flatten() {
            std::fs::write(&file.file, text)?;
            written.push(file);
        }
        Ok(written)
    }

    /// One document each, in the order of the names.
    fn file<T, M: Serialize>(
        &self,
        name: &str,
        kind: &'static str,
        noun: (&'static str, &'static str),
        all: &[(Name, T)],
        manifest: impl Fn(&(Name, T)) -> M,
    ) -> Result<Option<(Written, String)>, Failure> {
        let file = self.folder.join(name).display().to_string();
        if all.is_empty() {
            if Path::new(&file).exists() {
                let (_, several) = noun;
                let text = format!(
                    "there are no {several} to write to {file}, which is there already; remove it, or name another folder with --out"
                );
                return Err(Failure::Said(text));
            }
            return Ok(None);
        }
        let mut text = String::new();
        for one in all {
            text.push_str("---\n");
            let yaml = serde_saphyr::to_string(&manifest(one)).map_err(|error| Failure::Said(error.to_string()))?;
            text.push_str(&yaml);
            if !yaml.ends_with('\n') {
                text.push('\n');
            }
        }
        let names = all.iter().map(|(name, _)| name.to_string()).collect();
        Ok(Some((Written { file, kind, noun, names }, text)))
    }
}
