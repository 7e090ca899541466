//! One account read backwards through the mapping of its application.

use std::sync::Arc;

use super::draft::Draft;
use super::people::{Manager, Person};
use crate::directory::{ApplicationSpec, From};
use crate::model::{AttributeName, Name, Observed, State, Value};
use crate::plan::{Fold, digest, has};
use crate::policy::{self, Cost, Facts, Memberships, Rule, Told};

/// What every mark begins with that is made of an Identity's name.
const OUR_MARK: &str = "provost:";

/// Who the account would be declared as, or why it is left out. `own`: it is the operator's own.
pub(super) fn person(
    account: &Observed,
    own: bool,
    spec: &ApplicationSpec,
    namespace: &str,
    application: &Name,
) -> Result<Person, Arc<str>> {
    if own {
        return Err("it is the account that the operator itself works as".into());
    }
    if is_protected(account, spec) {
        return Err("it is protected by safety.protected".into());
    }
    let called = marked(account, spec, namespace)?;
    let mut draft = Draft::default();
    let mapped = Backwards { account, spec, application };
    mapped.login(&mut draft);
    mapped.plain(&mut draft);
    mapped.user_name(&mut draft);
    mapped.others(&mut draft);
    // Correlation goes by the strong key, whether the mapping writes it or the mark stands there.
    if let Some(key) = spec.schema.external_id.and_then(|name| mapped.value(&AttributeName::new(name))?.as_text()) {
        draft.take(Told::ExternalId(key.into()));
    }
    draft.lifecycle.suspended = !account.enabled;
    if draft.user_name.is_none() {
        let attribute = spec.schema.user_name;
        return Err(match account.text(attribute) {
            Some(_) => format!("no userName can be told from {attribute}: its expression has no inverse").into(),
            None => format!("it has no {attribute}").into(),
        });
    }
    let manager = spec.schema.references.iter().find_map(|name| account.text(name)).map(Into::into);
    let manager = manager.map(Manager::Id).or_else(|| draft.manager.clone().map(Manager::Name));
    let untaken = mapped.untaken(&draft);
    Ok(Person { id: account.id.as_str().into(), called, draft, manager, untaken })
}

fn is_protected(account: &Observed, spec: &ApplicationSpec) -> bool {
    spec.application.safety.protected.iter().any(|(attribute, values)| {
        let held = account.attributes.get(attribute);
        held.is_some_and(|held| values.iter().any(|value| has(held, value)))
    })
}

/// The name of the Identity that an account of ours was made for. One of another namespace is another Provost's.
fn marked(account: &Observed, spec: &ApplicationSpec, namespace: &str) -> Result<Option<Name>, Arc<str>> {
    let mark = spec.schema.mark.and_then(|mark| account.text(mark)).and_then(|mark| mark.strip_prefix(OUR_MARK));
    match mark.map(|mark| mark.split_once('/')) {
        None => Ok(None),
        Some(Some((of, name))) if of == namespace => Ok(Some(Name::from(name))),
        Some(_) => {
            Err(format!("it carries the mark of an Identity of another namespace than {namespace}: another Provost's")
                .into())
        }
    }
}

struct Backwards<'a> {
    account: &'a Observed,
    spec: &'a ApplicationSpec,
    application: &'a Name,
}

impl Backwards<'_> {
    fn rules(&self) -> impl Iterator<Item = (&AttributeName, &Rule, &Value)> {
        self.spec.mapping.iter().filter_map(|(name, mapped)| match &mapped.from {
            From::Rule(rule) => Some((name, rule.compiled.as_ref().ok()?, self.value(name)?)),
            From::Literal(_) | From::Manager => None,
        })
    }

    /// What the account has; a mark that we made is no key of anybody's source.
    fn value(&self, name: &AttributeName) -> Option<&Value> {
        let value = self.account.attributes.get(name)?;
        let ours = Some(name.as_str()) == self.spec.schema.mark
            && value.as_text().is_some_and(|text| text.starts_with(OUR_MARK));
        (!ours).then_some(value)
    }

    /// The user name that the attribute alone gives by which the target itself goes, whatever others show.
    fn login(&self, draft: &mut Draft) {
        let wanted = self.spec.schema.user_name;
        let Some((name, rule, value)) = self.rules().find(|(name, _, _)| name.as_str() == wanted) else { return };
        for told in rule.inverse(value).into_iter().filter(|told| matches!(told, Told::UserName(_))) {
            let mut tried = draft.clone();
            tried.take(told);
            if self.gives(name, rule, value, &tried) {
                *draft = tried;
                return;
            }
        }
    }

    /// What is shown as it is: of several that show one key, first that by which the target itself goes.
    fn plain(&self, draft: &mut Draft) {
        let external_id = self.spec.schema.external_id;
        let mut plain: Vec<_> = self.rules().filter(|(_, rule, _)| rule.is_plain()).collect();
        plain.sort_by_key(|(name, _, _)| Some(name.as_str()) != external_id);
        for (_, rule, value) in plain {
            rule.inverse(value).into_iter().for_each(|told| draft.take(told));
        }
    }

    /// Most of what is not plain falls back on the user name.
    fn user_name(&self, draft: &mut Draft) {
        let wanted = self.spec.schema.user_name;
        let named = self.rules().find(|(name, _, _)| name.as_str() == wanted);
        if let Some((name, rule, value)) = named.filter(|_| draft.user_name.is_none()) {
            self.search(name, rule, value, draft);
        }
    }

    fn others(&self, draft: &mut Draft) {
        for (name, rule, value) in self.rules().filter(|(_, rule, _)| !rule.is_plain()) {
            self.search(name, rule, value, draft);
        }
    }

    /// Takes of what the value may come from the first that gives the value, unless the draft gives it already.
    fn search(&self, name: &AttributeName, rule: &Rule, value: &Value, draft: &mut Draft) {
        if self.gives(name, rule, value, draft) {
            return;
        }
        for told in rule.inverse(value) {
            let mut tried = draft.clone();
            tried.take(told);
            if self.gives(name, rule, value, &tried) {
                *draft = tried;
                return;
            }
        }
    }

    /// What the account has, and the mapping gives nothing for: of this nothing is declared, and the target keeps it.
    fn untaken(&self, draft: &Draft) -> Vec<AttributeName> {
        let nothing = |rule: &Rule| self.given(rule, draft).is_some_and(|given| given.is_empty());
        let untaken = self.rules().filter(|(_, rule, value)| !value.is_empty() && nothing(rule));
        untaken.map(|(name, ..)| name.clone()).collect()
    }

    /// Whether the rule gives what the account has.
    fn gives(&self, name: &AttributeName, rule: &Rule, value: &Value, draft: &Draft) -> bool {
        let fold = Fold::of(self.spec.schema, name);
        self.given(rule, draft).is_some_and(|given| digest(&given, fold) == digest(value, fold))
    }

    fn given(&self, rule: &Rule, draft: &Draft) -> Option<Value> {
        let identity = draft.identity(draft.manager.as_deref().map(Name::from)).pack();
        let facts = Facts {
            identity: &identity,
            manager: policy::Manager::Absent,
            state: State::Active,
            application: Some(self.application.as_str()),
            groups: Memberships { sure: &[], unknown: &[], name: &|_| None },
        };
        policy::evaluate(rule, &facts, &mut Cost::default()).ok()
    }
}
