use std::sync::Arc;

use super::{AppRules, Fold, Shade, Subject};
use crate::model::{AttributeName, Name, Reason, TargetId, Value};
use crate::report::Problem;

/// Accounts at the target that may be an identity's.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    /// They were looked for: in a fresh observation, or by key. False: nothing may be created yet.
    pub searched: bool,
    /// What was found, by id.
    pub found: Vec<Candidate>,
}

/// One account that matches.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its id.
    pub id: TargetId,
    /// What is known of it.
    pub shade: Shade,
    /// The other identity that has it, if one does, and whether that one's own decision would free the name.
    pub owned: Option<(Name, bool)>,
    /// It is one of `safety.protected`, protected by the target, or the operator's own.
    pub protected: bool,
    /// It holds a privileged entitlement.
    pub privileged: bool,
}

/// How sure a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// externalId (or our mark) is present and equal on both sides.
    Strong,
    /// By user name alone, and one side has no externalId.
    Weak,
    /// By user name, and the two sides have different externalIds.
    Contradicted,
}

/// What correlation says.
#[derive(Debug)]
pub(super) enum Correlated {
    /// Nothing is there: create.
    Nothing,
    /// This account becomes the identity's.
    Adopt(TargetId),
    /// Only a person can say whether this account is the identity's.
    Ask(TargetId),
    /// Wait, or wait for a person.
    Wait(Problem),
}

/// Characters of a target's id that a message names.
const ID_SHOWN: usize = 64;
/// Accounts that a message names.
const ACCOUNTS_SHOWN: usize = 3;

/// The text of a value that can be a key; empty ones are none.
pub fn key_text(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::Text(text) if !text.is_empty() => Some(Arc::clone(text)),
        Value::Int(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// After each text of a value that has several.
const END: char = '\0';

/// What is remembered of the value of a key attribute: its text, or the texts by which it can be told without being a key, of a flag
/// or of the members of a list.
pub(super) fn remembered(value: &Value) -> Option<Arc<str>> {
    key_text(value).or_else(|| {
        let mut texts = String::new();
        tell(value, &mut texts);
        (!texts.is_empty()).then(|| texts.into())
    })
}

fn tell(value: &Value, texts: &mut String) {
    match value {
        Value::List(list) => list.iter().for_each(|value| tell(value, texts)),
        // Of a complex value that is the significant one (RFC 7643, 2.4).
        Value::Map(map) => map.get("value").into_iter().for_each(|value| tell(value, texts)),
        Value::Bool(bit) => texts.extend([if *bit { "true" } else { "false" }, "\0"]),
        value => texts.extend(key_text(value).iter().flat_map(|text| [text, "\0"])),
    }
}

/// The text, where what is remembered is one that can be a key.
pub(super) fn key(remembered: &str) -> Option<&str> {
    (!remembered.contains(END)).then_some(remembered)
}

/// Whether one of the texts is what somebody wrote. Always without case: not every target's rules are known, and
/// what is protected by mistake can be seen.
pub(super) fn tells(remembered: &str, written: &str) -> bool {
    let written = Fold::Case.apply(written);
    remembered.split(END).any(|text| Fold::Case.apply(text) == written)
}

/// Whether an attribute has a value that somebody wrote, as [`Shade::has`].
pub fn has(value: &Value, written: &str) -> bool {
    remembered(value).is_some_and(|texts| tells(&texts, written))
}

/// Judges the matches: re-checked exactly with the attribute's own case rule.
pub(super) fn correlate(subject: &Subject<'_>, rules: &AppRules<'_>) -> Correlated {
    let exact: Vec<(&Candidate, Strength)> =
        subject.matches.found.iter().filter_map(|c| Some((c, strength(subject, c, rules)?))).collect();
    let (candidate, strength) = match exact.as_slice() {
        [] => return Correlated::Nothing,
        [one] => *one,
        _ => return Correlated::Wait(several(&exact)),
    };
    if let Some((holder, frees)) = &candidate.owned {
        return Correlated::Wait(match (strength, frees) {
            (_, true) => {
                Problem::new(Reason::Progressing, format!("waits for identity {holder} to give this user name up"))
            }
            (Strength::Strong, false) => {
                let id = shown(&candidate.id);
                let message = format!(
                    "the account that matches ({id}) is identity {holder}'s; give one of the two another externalId"
                );
                Problem::new(Reason::CorrelationAmbiguous, message)
            }
            (_, false) => {
                let message =
                    format!("identity {holder} has the account with this user name; change one of the two names");
                Problem::new(Reason::UserNameTaken, message)
            }
        });
    }
    if candidate.protected {
        return Correlated::Wait(protected());
    }
    match strength {
        Strength::Strong if rules.settings.account.adopt => Correlated::Adopt(candidate.id.clone()),
        Strength::Weak if rules.settings.account.adopt && !candidate.privileged => {
            Correlated::Adopt(candidate.id.clone())
        }
        _ => Correlated::Ask(candidate.id.clone()),
    }
}

/// The one account that surely is the identity's and nobody's in the ledger; a protected one is nobody's.
pub(super) fn strong_match(subject: &Subject<'_>, rules: &AppRules<'_>) -> Option<TargetId> {
    let all = subject.matches.found.iter();
    let mut strong = all.filter(|c| strength(subject, c, rules) == Some(Strength::Strong));
    match (strong.next(), strong.next()) {
        (Some(one), None) if one.owned.is_none() && !one.protected => Some(one.id.clone()),
        _ => None,
    }
}

/// Several accounts match: which, and whose they are.
fn several(exact: &[(&Candidate, Strength)]) -> Problem {
    let one = |(candidate, _): &(&Candidate, Strength)| match &candidate.owned {
        Some((holder, _)) => format!("{} (identity {holder}'s)", shown(&candidate.id)),
        None => shown(&candidate.id),
    };
    let named: Vec<String> = exact.iter().take(ACCOUNTS_SHOWN).map(one).collect();
    let more = if exact.len() > ACCOUNTS_SHOWN { " and more" } else { "" };
    let message = format!("the accounts {}{more} match; remove the wrong ones at the target", named.join(", "));
    Problem::new(Reason::CorrelationAmbiguous, message)
}

/// The account is one of `safety.protected`, protected by the target, or the operator's own.
pub(super) fn protected() -> Problem {
    let message =
        "the account that matches is protected, by safety.protected or by the target itself, and never written to";
    Problem::new(Reason::ProtectedAccount, message)
}

/// An account was found that is not surely this identity's; `hash`: of the held plan that adopts it, once there is one.
pub fn asks_for_approval(id: &TargetId, hash: Option<&str>) -> Problem {
    let id = shown(id);
    let approve = hash.map_or_else(String::new, |hash| format!("; if it is, set spec.safety.approvedPlan to {hash}"));
    let message = format!(
        "the account {id} has this user name and is not surely this person's{approve}; else set its externalId, or rename it, at the target"
    );
    Problem::new(Reason::AdoptionNeedsApproval, message)
}

fn shown(id: &TargetId) -> String {
    id.as_str().chars().filter(|c| !c.is_control()).take(ID_SHOWN).collect()
}

/// How an account matches an identity, or that it does not.
fn strength(subject: &Subject<'_>, candidate: &Candidate, rules: &AppRules<'_>) -> Option<Strength> {
    let shade = &candidate.shade;
    // The account that another person of this name left carries the mark of the name, too.
    let namesakes = candidate.owned.as_ref().is_some_and(|(holder, _)| *holder == subject.owner.name);
    let says_nothing = namesakes && subject.mark.starts_with("provost:");
    let (mark, external) = (rules.schema.mark, rules.schema.external_id);
    let same = |attribute: &str, want: &str| {
        let fold = Fold::of(rules.schema, &AttributeName::new(attribute));
        shade.key(attribute).map(|text| fold.apply(text) == fold.apply(want))
    };
    if !says_nothing && mark.is_some_and(|mark| same(mark, subject.mark) == Some(true)) {
        return Some(Strength::Strong);
    }
    let mut by_name = false;
    let mut contradicted = mark.and_then(|m| shade.key(m)).is_some_and(|text| text.starts_with("provost:"));
    for key in subject.keys {
        let same = same(key.attribute.as_str(), &key.value);
        if Some(key.attribute.as_str()) != external {
            by_name |= same == Some(true);
        } else if same == Some(true) {
            return Some(Strength::Strong);
        } else {
            contradicted |= same == Some(false);
        }
    }
    // The strong key speaks, by whatever keys the manifest correlates.
    if let Some((attribute, want)) = external.zip(subject.external_id)
        && by_name
    {
        match same(attribute, want) {
            Some(true) => return Some(Strength::Strong),
            Some(false) => contradicted = true,
            None => {}
        }
    }
    match (by_name, contradicted) {
        (false, _) => None,
        (true, true) => Some(Strength::Contradicted),
        (true, false) => Some(Strength::Weak),
    }
}
