//! Rules that are true of nobody who is here: they do no harm, and a person may have meant somebody.

use super::Directory;
use super::truth::Truth;
use crate::model::{Effect, ObjectKind, ObjectRef, Source, State};

impl Directory {
    /// The rule of a Group or an Allow that is false for every Identity that has not ended, and for how many; `None`
    /// where it is true of one, or cannot be told of one, or there is none; nor is one of a Deny, or one that reads a state
    /// or dates, which mostly is of those whom there should be none of.
    pub fn idle_rule(&self, object: &ObjectRef) -> Option<(&Source, usize)> {
        let name = object.name.as_str();
        let (rule, alone) = match object.kind {
            ObjectKind::Group => (&self.group_spec(self.groups.id(name)?)?.rule, true),
            ObjectKind::AccessPolicy => {
                let entry = self.policies.get(self.policies.id(name)?)?;
                let spec = entry.spec.as_ref().ok()?;
                // Found already.
                if entry.matched.len() > 0 || spec.policy.effect == Effect::Deny {
                    return None;
                }
                (&spec.rule, false)
            }
            ObjectKind::Identity | ObjectKind::TargetApplication => return None,
        };
        let rule = rule.as_ref()?;
        let reads = rule.compiled.as_ref().ok()?.reads();
        if reads.state || reads.fields.contains(&"lifecycle") {
            return None;
        }
        let mut asked = 0;
        for (_, _, entry) in self.identities.iter().filter(|(_, _, entry)| entry.state != State::Ended) {
            let identity = entry.spec.as_ref().ok()?;
            let holds = if alone {
                self.with_bare_facts(entry, identity, |facts| rule.holds(facts))
            } else {
                self.with_facts(entry, identity, None, |facts| rule.holds(facts))
            };
            if holds != Truth::No {
                return None;
            }
            asked += 1;
        }
        (asked > 0).then_some((&rule.source, asked))
    }
}
