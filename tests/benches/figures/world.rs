//! A namespace of any size: people with twelve attributes, each in five groups; policies; applications.

use jiff::Timestamp;
use provost_core::model::{
    AccessPolicy, Change, Connector, Contact, Effect, Field, GrantSpec, GrantWhat, Group, Identity, IdentityType,
    Lifecycle, Manifest, Member, Meta, PolicyMode, Source, Subject, UserName,
};

/// How many there are of each kind. Groups come in threes.
#[derive(Clone, Copy)]
pub struct Size {
    pub identities: usize,
    pub policies: usize,
    pub groups: usize,
    pub applications: usize,
}

/// A third of the groups has a rule, a third lists people, a third includes a group of people: each identity is in one
/// of the first, two of the second and, through these, two of the third.
pub fn everything(size: Size) -> Vec<Change> {
    let third = size.groups / 3;
    let people = (0..size.identities).map(|at| identity(at, &department(at, size), TITLES[at / 7 % 4]));
    let groups = (0..third).flat_map(|at| {
        let mut rule = group(&format!("rule-{at}"), Vec::new());
        rule.rule = Some(source(format!("identity.department == 'department-{at}'")));
        let listed = (0..size.identities).filter(|who| [who % third, (who / third + 1 + who) % third].contains(&at));
        let listed = listed.map(|who| Subject::Identity(name(who).as_str().into())).collect();
        let list = group(&format!("list-{at}"), listed);
        let nest = group(&format!("nest-{at}"), vec![Subject::Group(format!("list-{at}").as_str().into())]);
        [(format!("rule-{at}"), rule), (format!("list-{at}"), list), (format!("nest-{at}"), nest)]
    });
    let groups = groups.map(|(name, spec)| Change::Group(Manifest { meta: meta(&name), spec: Ok(spec) }));
    let policies = (0..size.policies).map(|at| policy(at, size));
    let applications = (0..size.applications).map(|at| application(&format!("app-{at}"), scim("https://scim.test")));
    people.chain(groups).chain(policies).chain(applications).collect()
}

const TITLES: [&str; 4] = ["Analyst", "Engineer", "Manager", "Director"];

/// The department of an identity: one for each group with a rule.
pub fn department(at: usize, size: Size) -> String {
    format!("department-{}", at % (size.groups / 3))
}

/// The name of an identity.
pub fn name(at: usize) -> String {
    format!("person-{at:06}")
}

pub fn meta(name: &str) -> Meta {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u128, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(0x1_0000_01b3));
    let digits = format!("{hash:032x}");
    let uid = format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]);
    Meta {
        name: name.into(),
        uid: uid.as_str().into(),
        generation: 1,
        created: Timestamp::UNIX_EPOCH,
        deleting: None,
        finalizer: true,
        reconcile_now: None,
        status: None,
    }
}

/// Twelve attributes, six of them unique with 313 bytes together; none shares its text with another's.
pub fn identity(at: usize, department: &str, title: &str) -> Change {
    let name = name(at);
    let mut texts = [
        (Field::DisplayName, format!("Augusta Ada King-Noel, Countess of Lovelace, the {at:06}th of that name").into()),
        (Field::GivenName, format!("Ada {}", at % 1000).into()),
        (Field::FamilyName, format!("King-Noel, Countess of Lovelace, {at:06}").into()),
        (Field::Title, title.into()),
        (Field::Department, department.into()),
        (Field::Organization, "Acme Corporation".into()),
        (Field::CostCenter, format!("cost-{}", at % 500).into()),
        (Field::EmployeeNumber, format!("headquarters/london/persons/employees/number-{at:06}").into()),
        (Field::Location, format!("place-{}", at % 40).into()),
    ];
    texts.sort();
    let address = format!("augusta.ada.king-noel.countess.of.lovelace.{at:06}@uk1.engineering.acme.example");
    let email = Contact { value: address.into(), kind: Some("work".into()), primary: Some(true) };
    let spec = Identity {
        kind: IdentityType::Person,
        user_name: UserName::new(name.as_str(), &name),
        external_id: Some(format!("human-resources/acme-corporation/1843-12-10/employments/{at:06}").into()),
        texts: texts.into(),
        emails: [email].into(),
        phone_numbers: Box::default(),
        addresses: Box::default(),
        manager: None,
        custom: Box::default(),
        lifecycle: Lifecycle::default(),
    };
    Change::Identity(Manifest { meta: meta(&name), spec: Ok(spec) })
}

fn group(name: &str, members: Vec<Subject>) -> Group {
    let member = |subject| Member { subject, not_after: None };
    Group { display_name: Some(name.into()), members: members.into_iter().map(member).collect(), ..Group::default() }
}

/// Of twenty: twelve for a group and by a rule, seven by a rule with a group, one by a rule that no index can narrow.
fn policy(at: usize, size: Size) -> Change {
    let third = size.groups / 3;
    let group = format!("{}-{}", ["rule", "list", "nest"][at % 3], at % third);
    let subjects = (at % 20 < 12).then(|| vec![Subject::Group(group.as_str().into())]);
    let rule = match at % 20 {
        0..12 => "identity.type == 'Person' && has(identity.location) && identity.userName.startsWith('person') && \
             identity.title in ['Analyst', 'Engineer', 'Manager']"
            .to_owned(),
        12..19 => format!(
            "'{group}' in identity.groups && identity.type == 'Person' && has(identity.location) && \
             identity.title in ['Analyst', 'Engineer', 'Manager']"
        ),
        _ => format!(
            "identity.userName.endsWith('{}') && has(identity.location) && has(identity.title) && \
             identity.emails.exists(e, e.value.endsWith('acme.example'))",
            at % 10
        ),
    };
    let application = format!("app-{}", at % size.applications.max(1));
    allow(&format!("policy-{at}"), subjects, Some(rule), &application, GrantWhat::Named(vec!["editor".into()]))
}

/// A policy that grants.
pub fn allow(
    name: &str,
    subjects: Option<Vec<Subject>>,
    rule: Option<String>,
    application: &str,
    what: GrantWhat,
) -> Change {
    let spec = AccessPolicy {
        effect: Effect::Allow,
        mode: PolicyMode::Enforce,
        subjects,
        rule: rule.map(source),
        grants: vec![GrantSpec { application: application.into(), what }],
        not_before: None,
        not_after: None,
        lead_time: None,
    };
    Change::AccessPolicy(Manifest { meta: meta(name), spec: Ok(spec) })
}

fn source(text: String) -> Source {
    Source { text: text.into(), path: "spec.match".into() }
}

/// The settings of a SCIM connector.
pub fn scim(url: &str) -> Connector {
    tests::servers::connector(url)
}

/// An application that is kept as fast as its target allows, eight requests at once.
pub fn application(name: &str, connector: Connector) -> Change {
    application_at(name, connector, 8)
}

/// The same with so many requests at once.
pub fn application_at(name: &str, connector: Connector, concurrency: u32) -> Change {
    let manifest = serde_json::json!({
        "apiVersion": "provost.dev/v1alpha1",
        "kind": "TargetApplication",
        "metadata": {"name": name, "namespace": "acme"},
        "spec": {
            "connector": {"scim": {
                "url": "https://scim.test",
                "auth": {"bearer": {"secretRef": {"name": name, "key": "token"}}},
            }},
            "entitlements": [{"name": "editor", "target": {"group": {"name": "Editors"}}}],
        },
    });
    let object = provost_crds::from_manifest(manifest).expect("it is a manifest");
    let mut spec = provost_core::input::target_application(&object).expect("it is valid");
    spec.connector = connector;
    (spec.sync.requests_per_second, spec.sync.concurrency) = (1_000_000, concurrency);
    Change::TargetApplication(Box::new(Manifest { meta: meta(name), spec: Ok(spec) }))
}
