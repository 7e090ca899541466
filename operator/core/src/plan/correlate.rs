use std::sync::Arc;

use super::{AppRules, Fold, Shade, Subject};
use crate::model::{AttributeName, Name, Reason, TargetId, Value};

/// Accounts at the target that may be an identity's.
#[derive(Clone, Debug, Default)]
pub struct Matches<'a> {
    /// They were looked for: in a fresh observation, or by key. False: nothing may be created yet.
    pub searched: bool,
    /// What was found, by id.
    pub found: Vec<Candidate<'a>>,
}

/// One account that matches.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// Its id.
    pub id: TargetId,
    /// What is known of it.
    pub shade: &'a Shade,
    /// The other identity that has it, if one does, and whether that one's own decision would free the name.
    pub owned: Option<(Name, bool)>,
    /// It is one of `safety.protected`, or the operator's own.
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
    /// Wait, or wait for a person.
    Wait(Reason),
}

/// The text of a value that can be a key; empty ones are none.
pub fn key_text(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::Text(text) if !text.is_empty() => Some(Arc::clone(text)),
        Value::Int(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// Judges the matches: re-checked exactly with the attribute's own case rule.
pub(super) fn correlate(subject: &Subject<'_>, rules: &AppRules<'_>) -> Correlated {
    let exact: Vec<(&Candidate<'_>, Strength)> =
        subject.matches.found.iter().filter_map(|c| Some((c, strength(subject, c.shade, rules)?))).collect();
    let (candidate, strength) = match exact.as_slice() {
        [] => return Correlated::Nothing,
        [one] => *one,
        _ => return Correlated::Wait(Reason::CorrelationAmbiguous),
    };
    if let Some((_, frees)) = &candidate.owned {
        return Correlated::Wait(match (strength, frees) {
            (_, true) => Reason::Progressing,
            (Strength::Strong, false) => Reason::CorrelationAmbiguous,
            (_, false) => Reason::UserNameTaken,
        });
    }
    if candidate.protected {
        return Correlated::Wait(Reason::ProtectedAccount);
    }
    match strength {
        Strength::Strong if rules.settings.account.adopt => Correlated::Adopt(candidate.id.clone()),
        Strength::Weak if rules.settings.account.adopt && !candidate.privileged => {
            Correlated::Adopt(candidate.id.clone())
        }
        _ => Correlated::Wait(Reason::AdoptionNeedsApproval),
    }
}

/// How an account matches an identity, or that it does not.
fn strength(subject: &Subject<'_>, shade: &Shade, rules: &AppRules<'_>) -> Option<Strength> {
    let (mark, external) = (rules.schema.mark, rules.schema.external_id);
    let same = |attribute: &str, want: &str| {
        let fold = Fold::of(rules.schema, &AttributeName::new(attribute));
        shade.key(attribute).map(|text| fold.apply(text) == fold.apply(want))
    };
    if mark.is_some_and(|mark| same(mark, subject.mark) == Some(true)) {
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
