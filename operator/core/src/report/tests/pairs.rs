use super::super::pairs::Pairs;
use super::*;

#[derive(Clone, Debug)]
enum Act {
    Set(&'static str, &'static str, bool, Account),
    Declare(&'static str, bool),
    Remove(&'static str),
}

const IDENTITIES: [&str; 5] = ["ada", "bob", "cy", "dee", "eve"];
const APPLICATIONS: [&str; 3] = ["chat", "mail", "wiki"];

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let identity = prop::sample::select(&IDENTITIES[..]);
    let application = prop::sample::select(&APPLICATIONS[..]);
    vec(
        prop_oneof![
            12 => (identity, application.clone(), any::<bool>(), account()).prop_map(|(i, a, d, x)| Act::Set(i, a, d, x)),
            1 => (application.clone(), any::<bool>()).prop_map(|(a, enforced)| Act::Declare(a, enforced)),
            1 => application.prop_map(Act::Remove),
        ],
        0..80,
    )
}

/// Counted from nothing.
fn recount<'a>(accounts: impl Iterator<Item = &'a (bool, Account)>) -> AccountCounts {
    let mut counts = AccountCounts::default();
    for (desired, account) in accounts.filter(|(_, account)| *account != Account::None) {
        counts.desired += u32::from(*desired);
        counts.provisioned += u32::from(*desired && matches!(account, Account::Provisioned | Account::Disabled));
        counts.pending += u32::from(matches!(account, Account::Pending(_) | Account::Unknown));
        counts.unknown += u32::from(*account == Account::Unknown);
        counts.disabled += u32::from(*account == Account::Disabled);
        counts.retained += u32::from(*account == Account::Retained);
        counts.held += u32::from(matches!(account, Account::Held(_)));
        counts.failed += u32::from(matches!(account, Account::Failed(_)));
        counts.blocked += u32::from(matches!(account, Account::Blocked(_) | Account::DisabledAtTarget(_)));
    }
    counts
}

proptest! {
    #[test]
    fn pairs_counters_and_problems_are_those_of_a_plain_map(acts in acts()) {
        let mut pairs = Pairs::default();
        let mut plain: BTreeMap<(&str, &str), (bool, Account)> = BTreeMap::new();
        let mut enforced: BTreeMap<&str, bool> = BTreeMap::new();
        for act in acts {
            match act {
                Act::Set(identity, application, desired, account) => {
                    if account != Account::None {
                        enforced.entry(application).or_insert(true);
                    }
                    let before = plain.insert((identity, application), (desired, account.clone()));
                    let told = before.filter(|(_, a)| *a != Account::None);
                    let tells = Some((desired, account.clone())).filter(|(_, a)| *a != Account::None);
                    let changed = pairs.set(&identity.into(), &application.into(), desired, account);
                    prop_assert_eq!(changed, told != tells);
                }
                Act::Declare(application, is) => {
                    enforced.insert(application, is);
                    pairs.declare(&application.into(), is);
                }
                Act::Remove(application) => {
                    enforced.remove(application);
                    plain.retain(|(_, a), _| *a != application);
                    pairs.remove(&application.into());
                }
            }
        }
        for application in APPLICATIONS {
            let name = Name::from(application);
            let its = || plain.iter().filter(|((_, a), _)| *a == application);
            prop_assert_eq!(pairs.counts(&name), recount(its().map(|(_, account)| account)));
            let problems: Vec<_> = pairs.problems(&name).map(|(identity, problem)| (identity.as_str(), problem)).collect();
            let expected: Vec<_> = its().filter_map(|((i, _), (_, account))| Some((*i, account.problem()?))).collect();
            prop_assert_eq!(problems, expected);
            let here: Vec<_> = pairs.identities(&name).map(Name::as_str).collect();
            let expected: Vec<_> = its().filter(|(_, (_, a))| *a != Account::None).map(|((i, _), _)| *i).collect();
            prop_assert_eq!(here, expected);
        }
        for identity in IDENTITIES {
            let expected: Vec<_> = plain
                .iter()
                .filter(|((i, a), (_, account))| *i == identity && *account != Account::None && enforced[a])
                .map(|((_, application), (desired, account))| AccountIn {
                    application,
                    desired: *desired,
                    state: account.state(),
                    problem: account.problem(),
                    waits: None,
                })
                .collect();
            prop_assert_eq!(pairs.of_identity(&identity.into()), expected);
        }
    }
}
