use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use provost_crds as crds;

use super::check::Checks;
use super::connector::{connector, full_name};
use super::path::Path;
use crate::model::{
    AccountSettings, Apply, AttributeName, Budget, Correlate, DeletionPolicy, Deprovision, DeprovisionStep,
    Entitlement, EntitlementKind, EntitlementTarget, FieldError, Invalid, Mapping, MappingSource, Membership, Name,
    Orphaned, PushedGroup, Safety, Source, SyncMode, SyncSettings, TargetApplication, Value, Withholds,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// Bytes of all rules of one TargetApplication: 32 of the longest, or 256 of a usual length.
const MOST_OF_ALL_RULES: usize = 128 * 1024;

/// A TargetApplication, valid by type; or everything that is wrong with it.
pub fn target_application(object: &crds::TargetApplication) -> Result<TargetApplication, Invalid> {
    let (application, errors) = read(object);
    if errors.is_empty() {
        return Ok(application);
    }
    Err(Invalid { lifecycle: None, withholds: Withholds::NOTHING, errors })
}

/// What can be read of a TargetApplication, and everything that is wrong with it.
pub(super) fn read(object: &crds::TargetApplication) -> (TargetApplication, Vec<FieldError>) {
    let mut checks = Checks::default();
    let spec = &object.spec;
    let at = Path::Root("spec");
    let own_name = checks.own_name(object.metadata.name.as_ref());
    let full_name = full_name(object.metadata.namespace.as_deref(), own_name);
    checks.optional(at.field("displayName"), spec.display_name.as_ref(), 0, 256);
    let connector = connector(&mut checks, at.field("connector"), &spec.connector, &full_name);
    let entitlements = entitlements(&mut checks, at.field("entitlements"), spec.entitlements.as_deref());
    let pushed_groups =
        pushed_groups(&mut checks, at.field("pushedGroups"), spec.pushed_groups.as_deref(), &entitlements);
    let release_after = spec.release_after.as_ref();
    let mut application = TargetApplication {
        mode: mode(&mut checks, at.field("mode"), spec.mode.as_ref()),
        sync: sync(&mut checks, at.field("sync"), spec.sync.as_ref()),
        connector,
        account: account(&mut checks, at.field("account"), spec.account.as_ref()),
        deprovision: deprovision(&mut checks, at.field("deprovision"), spec.deprovision.as_ref()),
        entitlements,
        pushed_groups,
        orphaned: orphaned(&mut checks, at.field("orphanedAccounts"), spec.orphaned_accounts.as_ref()),
        safety: safety(&mut checks, at.field("safety"), spec.safety.as_ref()),
        deletion_policy: deletion(&mut checks, at.field("deletionPolicy"), spec.deletion_policy.as_ref()),
        release_after: span_or(&mut checks, at.field("releaseAfter"), release_after, 10 * MINUTE),
    };
    rules_together(&mut checks, at, &application);
    super::directory::complete(&mut checks, &mut application);
    if let Some(keycloak) = &spec.connector.keycloak {
        super::keycloak::complete(&mut checks, keycloak, &mut application);
    }
    (application, checks.into_errors())
}

/// A rule is bounded, and so is what hundreds of them take in one manifest: each is parsed and looked through.
fn rules_together(checks: &mut Checks, at: Path<'_>, application: &TargetApplication) {
    let attributes = application.account.attributes.iter().filter_map(|mapping| match &mapping.source {
        MappingSource::Expression(source, _) => Some(source),
        MappingSource::Literal(..) | MappingSource::Never => None,
    });
    let correlate = application.account.correlate.iter().map(|correlate| &correlate.expression);
    let requires = application.entitlements.iter().filter_map(|entitlement| entitlement.requires.as_ref());
    let bytes: usize = attributes.chain(correlate).chain(requires).map(|source| source.text.len()).sum();
    if bytes > MOST_OF_ALL_RULES {
        checks.wrong_untold(
            at,
            format!("has rules of {bytes} bytes together"),
            format!("must have at most {MOST_OF_ALL_RULES}: say in a Group once what many rules repeat, and ask for the group"),
        );
    }
}

fn span_or(checks: &mut Checks, at: Path<'_>, span: Option<&crds::Duration>, default: u64) -> Duration {
    span.map_or(Duration::from_secs(default), |span| checks.span(at, span))
}

fn mode(checks: &mut Checks, at: Path<'_>, mode: Option<&crds::ApplicationMode>) -> SyncMode {
    match mode {
        None | Some(crds::ApplicationMode::Enforce) => SyncMode::Enforce,
        Some(crds::ApplicationMode::Plan) => SyncMode::Plan,
        Some(crds::ApplicationMode::Paused) => SyncMode::Paused,
        Some(crds::ApplicationMode::Unrecognised(word)) => {
            checks.unrecognised(at, word, crds::ApplicationMode::WORDS, SyncMode::Paused)
        }
    }
}

fn orphaned(checks: &mut Checks, at: Path<'_>, orphaned: Option<&crds::OrphanedAccounts>) -> Orphaned {
    match orphaned {
        None | Some(crds::OrphanedAccounts::Report) => Orphaned::Report,
        Some(crds::OrphanedAccounts::Disable) => Orphaned::Disable,
        Some(crds::OrphanedAccounts::Unrecognised(word)) => {
            checks.unrecognised(at, word, crds::OrphanedAccounts::WORDS, Orphaned::Report)
        }
    }
}

fn deletion(checks: &mut Checks, at: Path<'_>, policy: Option<&crds::DeletionPolicy>) -> DeletionPolicy {
    match policy {
        None | Some(crds::DeletionPolicy::Retain) => DeletionPolicy::Retain,
        Some(crds::DeletionPolicy::Deprovision) => DeletionPolicy::Deprovision,
        Some(crds::DeletionPolicy::Unrecognised(word)) => {
            checks.unrecognised(at, word, crds::DeletionPolicy::WORDS, DeletionPolicy::Retain)
        }
    }
}

fn sync(checks: &mut Checks, at: Path<'_>, spec: Option<&crds::SyncSpec>) -> SyncSettings {
    let interval = spec.and_then(|spec| spec.interval.as_ref());
    let settle = spec.and_then(|spec| spec.settle.as_ref());
    let removals = settle.and_then(|settle| settle.removals.as_ref());
    let privileged = settle.and_then(|settle| settle.privileged_grants.as_ref());
    let rate = spec.and_then(|spec| spec.requests_per_second).unwrap_or(50);
    let concurrency = spec.and_then(|spec| spec.concurrency).unwrap_or(8);
    SyncSettings {
        interval: interval.map(|span| checks.some_span(at.field("interval"), span)),
        requests_per_second: checks.number(at.field("requestsPerSecond"), rate, 1, 10_000),
        concurrency: checks.number(at.field("concurrency"), concurrency, 1, 256),
        settle_removals: span_or(checks, at.field("settle").field("removals"), removals, 10),
        settle_privileged: span_or(checks, at.field("settle").field("privilegedGrants"), privileged, 10),
    }
}

fn account(checks: &mut Checks, at: Path<'_>, spec: Option<&crds::AccountSpec>) -> AccountSettings {
    let nothing = crds::AccountSpec::default();
    let spec = spec.unwrap_or(&nothing);
    AccountSettings {
        correlate: correlate(checks, at.field("correlate"), spec.correlate.as_deref()),
        adopt: match &spec.adopt {
            None | Some(crds::AdoptMode::Matched) => true,
            Some(crds::AdoptMode::Never) => false,
            Some(crds::AdoptMode::Unrecognised(word)) => {
                checks.unrecognised(at.field("adopt"), word, crds::AdoptMode::WORDS, false)
            }
        },
        attributes: attributes(checks, at.field("attributes"), spec.attributes.as_deref()),
        initial_password: match &spec.initial_password {
            None | Some(crds::InitialPassword::Random) => true,
            Some(crds::InitialPassword::None) => false,
            Some(crds::InitialPassword::Unrecognised(word)) => {
                checks.unrecognised(at.field("initialPassword"), word, crds::InitialPassword::WORDS, false)
            }
        },
        correct_disabled: match &spec.disabled_at_target {
            None | Some(crds::DisabledAtTarget::Respect) => false,
            Some(crds::DisabledAtTarget::Correct) => true,
            Some(crds::DisabledAtTarget::Unrecognised(word)) => {
                checks.unrecognised(at.field("disabledAtTarget"), word, crds::DisabledAtTarget::WORDS, false)
            }
        },
        recreate_deleted: match &spec.deleted_at_target {
            None | Some(crds::DeletedAtTarget::Recreate) => true,
            Some(crds::DeletedAtTarget::Respect) => false,
            Some(crds::DeletedAtTarget::Unrecognised(word)) => {
                checks.unrecognised(at.field("deletedAtTarget"), word, crds::DeletedAtTarget::WORDS, false)
            }
        },
    }
}

fn attribute_name(checks: &mut Checks, at: Path<'_>, name: &str) -> AttributeName {
    AttributeName::new(checks.text(at, name, 1, 256))
}

fn correlate(checks: &mut Checks, at: Path<'_>, keys: Option<&[crds::Correlation]>) -> Vec<Correlate> {
    let Some(keys) = keys else { return Vec::new() };
    let mut found = Vec::with_capacity(keys.len());
    for (index, key) in checks.list(at, keys, 1, 8).iter().enumerate() {
        let at = at.item(index);
        found.push(Correlate {
            attribute: attribute_name(checks, at.field("attribute"), &key.attribute),
            expression: checks.source(at.field("expression"), at.field("expression"), &key.expression),
        });
    }
    found
}

fn attributes(checks: &mut Checks, at: Path<'_>, mappings: Option<&[crds::AttributeMapping]>) -> Vec<Mapping> {
    let mappings = checks.list(at, mappings.unwrap_or_default(), 0, 128);
    checks.unique(at, "name", mappings.iter().map(|mapping| (&mapping.name, mapping.name.clone())));
    let mut found = Vec::with_capacity(mappings.len());
    for (index, mapping) in mappings.iter().enumerate() {
        let (place, known) = (at.item(index), at.key("name", &mapping.name));
        let attribute = attribute_name(checks, place.field("name"), &mapping.name);
        found.push(Mapping { attribute, source: mapping_source(checks, place, known, mapping) });
    }
    found
}

/// `at` is by place, for errors; `known` by name, for the rule.
fn mapping_source(
    checks: &mut Checks,
    at: Path<'_>,
    known: Path<'_>,
    mapping: &crds::AttributeMapping,
) -> MappingSource {
    let literal = mapping.value.as_ref().map(|value| checks.text(at.field("value"), value, 0, 1024));
    let expression = mapping.expression.as_ref();
    let expression = expression.map(|source| checks.source(at.field("expression"), known.field("expression"), source));
    let apply = match &mapping.apply {
        None | Some(crds::ApplyMode::Always) => Some(Apply::Always),
        Some(crds::ApplyMode::OnCreate) => Some(Apply::OnCreate),
        Some(crds::ApplyMode::Never) => None,
        Some(crds::ApplyMode::Unrecognised(word)) => {
            return checks.unrecognised(at.field("apply"), word, crds::ApplyMode::WORDS, MappingSource::Never);
        }
    };
    match (apply, literal, expression) {
        (Some(apply), Some(literal), None) => MappingSource::Literal(Value::Text(literal), apply),
        (Some(apply), None, Some(expression)) => MappingSource::Expression(expression, apply),
        (None, None, None) => MappingSource::Never,
        (None, _, _) => {
            checks.wrong_untold(at, "has a value and apply: Never", "must have neither value nor expression");
            MappingSource::Never
        }
        (Some(_), literal, _) => {
            let message = if literal.is_some() { "has both" } else { "has neither" };
            checks.wrong_untold(at, message, "must have exactly one of value and expression");
            MappingSource::Never
        }
    }
}

fn deprovision(checks: &mut Checks, at: Path<'_>, spec: Option<&crds::DeprovisionSpec>) -> Deprovision {
    let nothing = crds::DeprovisionSpec::default();
    let spec = spec.unwrap_or(&nothing);
    let delete_after = spec.delete_after.as_ref().map(|span| checks.span(at.field("deleteAfter"), span));
    let lost = match &spec.action {
        None | Some(crds::DeprovisionAction::Disable) => DeprovisionStep::Disable { delete_after },
        Some(crds::DeprovisionAction::Delete) => DeprovisionStep::Delete,
        Some(crds::DeprovisionAction::Retain) => DeprovisionStep::Retain,
        Some(crds::DeprovisionAction::Unrecognised(word)) => {
            let instead = DeprovisionStep::Disable { delete_after };
            checks.unrecognised(at.field("action"), word, crds::DeprovisionAction::WORDS, instead)
        }
    };
    only_with_disable(checks, at, spec.delete_after.as_ref(), lost);
    let ended = match (&spec.ended, lost) {
        (Some(ended), _) => self::ended(checks, at.field("ended"), ended),
        (None, DeprovisionStep::Retain) => DeprovisionStep::Disable { delete_after: None },
        (None, lost) => lost,
    };
    Deprovision { lost, ended }
}

fn ended(checks: &mut Checks, at: Path<'_>, spec: &crds::EndedSpec) -> DeprovisionStep {
    let delete_after = spec.delete_after.as_ref().map(|span| checks.span(at.field("deleteAfter"), span));
    let step = match &spec.action {
        None | Some(crds::EndedAction::Disable) => DeprovisionStep::Disable { delete_after },
        Some(crds::EndedAction::Delete) => DeprovisionStep::Delete,
        Some(crds::EndedAction::Unrecognised(word)) => {
            let instead = DeprovisionStep::Disable { delete_after };
            checks.unrecognised(at.field("action"), word, crds::EndedAction::WORDS, instead)
        }
    };
    only_with_disable(checks, at, spec.delete_after.as_ref(), step);
    step
}

fn only_with_disable(checks: &mut Checks, at: Path<'_>, span: Option<&crds::Duration>, step: DeprovisionStep) {
    if let (Some(span), DeprovisionStep::Delete | DeprovisionStep::Retain) = (span, step) {
        checks.wrong(
            at.field("deleteAfter"),
            span.as_str(),
            "says nothing with this action",
            "must be left out, or action must be Disable",
        );
    }
}

fn entitlements(checks: &mut Checks, at: Path<'_>, entries: Option<&[crds::EntitlementSpec]>) -> Vec<Entitlement> {
    let entries = checks.list(at, entries.unwrap_or_default(), 0, 256);
    checks.unique(at, "name", entries.iter().map(|entry| (&entry.name, entry.name.clone())));
    let mut found = Vec::with_capacity(entries.len());
    let mut targets = HashSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let (place, known) = (at.item(index), at.key("name", &entry.name));
        let target = target(checks, place.field("target"), &entry.target);
        if let Some(target) = &target
            && !targets.insert((target.kind, Arc::clone(&target.name)))
        {
            checks.wrong(
                place.field("target"),
                &target.name,
                "is named by an entry before",
                "must be named by one entitlement alone",
            );
        }
        found.extend(target.map(|target| entitlement(checks, place, known, entry, target)));
    }
    found
}

fn entitlement(
    checks: &mut Checks,
    at: Path<'_>,
    known: Path<'_>,
    entry: &crds::EntitlementSpec,
    target: EntitlementTarget,
) -> Entitlement {
    if entry.name == "*" {
        checks.wrong(at.field("name"), &entry.name, "stands for every entitlement in a Deny", "must be another name");
    }
    let requires = entry.requires.as_ref();
    Entitlement {
        name: Name::new(checks.text(at.field("name"), &entry.name, 1, 63)),
        target,
        membership: membership(checks, at.field("membership"), entry.membership.as_ref(), Membership::Additive),
        privileged: match &entry.risk {
            None | Some(crds::Risk::Normal) => false,
            Some(crds::Risk::Privileged) => true,
            Some(crds::Risk::Unrecognised(word)) => {
                checks.unrecognised(at.field("risk"), word, crds::Risk::WORDS, true)
            }
        },
        requires: requires.map(|rule| -> Source { checks.source(at.field("requires"), known.field("requires"), rule) }),
    }
}

fn target(checks: &mut Checks, at: Path<'_>, target: &crds::EntitlementTarget) -> Option<EntitlementTarget> {
    let group = target.group.as_ref().map(|group| {
        let create = group.create.unwrap_or_default();
        (EntitlementKind::Group, "group", &group.name, create)
    });
    let role = target.role.as_ref().map(|role| (EntitlementKind::Role, "role", &role.name, false));
    let license = target.license.as_ref().map(|license| (EntitlementKind::License, "license", &license.name, false));
    let members = [("group", group.is_some()), ("role", role.is_some()), ("license", license.is_some())];
    checks.exactly_one(at, "target", &members);
    let mut found = None;
    for (kind, field, name, create) in [group, role, license].into_iter().flatten() {
        let name = checks.text(at.field(field).field("name"), name, 1, 256);
        found = Some(EntitlementTarget { kind, name, create });
    }
    found
}

fn membership(
    checks: &mut Checks,
    at: Path<'_>,
    mode: Option<&crds::MembershipMode>,
    default: Membership,
) -> Membership {
    match mode {
        None => default,
        Some(crds::MembershipMode::Additive) => Membership::Additive,
        Some(crds::MembershipMode::Authoritative) => Membership::Authoritative,
        Some(crds::MembershipMode::Observe) => Membership::Observe,
        Some(crds::MembershipMode::Unrecognised(word)) => {
            checks.unrecognised(at, word, crds::MembershipMode::WORDS, Membership::Observe)
        }
    }
}

fn pushed_groups(
    checks: &mut Checks,
    at: Path<'_>,
    entries: Option<&[crds::PushedGroup]>,
    entitlements: &[Entitlement],
) -> Vec<PushedGroup> {
    let entries = checks.list(at, entries.unwrap_or_default(), 0, 256);
    checks.unique(at, "name", entries.iter().map(|entry| (&entry.name, entry.name.clone())));
    let groups = entitlements.iter().map(|entitlement| &entitlement.target);
    let taken: HashSet<&str> =
        groups.filter(|target| target.kind == EntitlementKind::Group).map(|target| &*target.name).collect();
    let mut found = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let at = at.item(index);
        if taken.contains(entry.name.as_str()) {
            checks.wrong(
                at.field("name"),
                &entry.name,
                "is a group that an entitlement names too",
                "must be another group: one group has one writer",
            );
        }
        let mode = entry.membership.as_ref();
        found.push(PushedGroup {
            group: checks.name(at.field("groupRef").field("name"), &entry.group_ref.name),
            name: checks.text(at.field("name"), &entry.name, 1, 256),
            membership: membership(checks, at.field("membership"), mode, Membership::Authoritative),
            prune: entry.prune.unwrap_or_default(),
        });
    }
    found
}

fn safety(checks: &mut Checks, at: Path<'_>, spec: Option<&crds::SafetySpec>) -> Safety {
    let nothing = crds::SafetySpec::default();
    let spec = spec.unwrap_or(&nothing);
    let budget = |count, percent, hours| Budget { count, percent, window: Duration::from_secs(hours * HOUR) };
    let removals = [budget(20, 5, 1), budget(50, 10, 24)];
    let privileged = [budget(5, 5, 24)];
    let text = |checks: &mut Checks, field, text: Option<&String>| -> Arc<str> {
        checks.optional(at.field(field), text, 0, 128).unwrap_or_default()
    };
    Safety {
        removals: budgets(checks, at.field("removals"), spec.removals.as_deref(), &removals),
        privileged_grants: budgets(
            checks,
            at.field("privilegedGrants"),
            spec.privileged_grants.as_deref(),
            &privileged,
        ),
        protected: protected(checks, at.field("protected"), spec.protected.as_deref()),
        approved_plan: text(checks, "approvedPlan", spec.approved_plan.as_ref()),
        acknowledge: text(checks, "acknowledge", spec.acknowledge.as_ref()),
    }
}

fn budgets(checks: &mut Checks, at: Path<'_>, budgets: Option<&[crds::Budget]>, default: &[Budget]) -> Vec<Budget> {
    let Some(budgets) = budgets else { return default.to_vec() };
    let mut found = Vec::with_capacity(budgets.len());
    for (index, budget) in checks.list(at, budgets, 1, 4).iter().enumerate() {
        let at = at.item(index);
        found.push(Budget {
            count: checks.number(at.field("count"), budget.count, 0, 1_000_000),
            percent: checks.number(at.field("percent"), budget.percent, 0, 100),
            window: checks.some_span(at.field("window"), &budget.window),
        });
    }
    found
}

fn protected(
    checks: &mut Checks,
    at: Path<'_>,
    entries: Option<&[crds::ProtectedAccounts]>,
) -> Vec<(AttributeName, Vec<Arc<str>>)> {
    let entries = checks.list(at, entries.unwrap_or_default(), 0, 16);
    checks.unique(at, "attribute", entries.iter().map(|entry| (&entry.attribute, entry.attribute.clone())));
    let mut found = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let at = at.item(index);
        let attribute = attribute_name(checks, at.field("attribute"), &entry.attribute);
        let at = at.field("values");
        let values = checks.list(at, &entry.values, 1, 256);
        checks.unique(at, "value", values.iter().map(|value| (value, value.clone())));
        let each = values.iter().enumerate();
        found.push((attribute, each.map(|(index, value)| checks.text(at.item(index), value, 1, 256)).collect()));
    }
    found
}
