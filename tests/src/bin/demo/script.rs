//! What differs in the story from target to target: the example, and who does what in it.

use crate::stage::Stage;

/// On what it is played.
pub enum Target {
    Scim,
    Ldap,
    Keycloak,
}

/// A story. Places are numbers of servers.
pub struct Script {
    pub target: Target,
    /// In one line.
    pub headline: &'static str,
    /// What is started besides the operator.
    pub servers: &'static str,
    /// The folder of manifests.
    pub example: &'static str,
    /// What is in it.
    pub holds: &'static str,
    /// How many accounts it makes at each server.
    pub accounts: &'static [usize],
    /// What is worth a remark once it is applied.
    pub remark: &'static str,
    /// Who has joined Engineering gets this, there.
    pub engineers: (usize, &'static str),
    /// Who moves to Engineering, and from where.
    pub mover: (&'static str, &'static str),
    /// Whose account somebody edits, and the right title.
    pub edited: (&'static str, &'static str),
    /// The mistake.
    pub mistake: Mistake,
}

/// An edit that would disable too many at the first server, and what takes it back.
pub struct Mistake {
    pub told: &'static str,
    pub make: fn(&Stage),
    pub left: (&'static str, usize),
    pub undone: &'static str,
    pub undo: fn(&Stage),
}

pub const SCIM: Script = Script {
    target: Target::Scim,
    servers: "two SCIM servers (chat, wiki)",
    headline: "people in Git become accounts on two real SCIM servers.",
    example: "examples/01-quickstart",
    holds: "13 people, a service account, 4 groups, 4 policies, 2 applications",
    accounts: &[13, 7],
    remark: "bob is in platform, but a contractor: the Deny keeps him from Wiki Admins",
    engineers: (1, "Wiki Editors"),
    mover: ("fay", "Finance"),
    edited: ("gus", "Accountant"),
    mistake: Mistake {
        told: "the chat's policy now covers Sales alone",
        make: |stage| everyone(stage, r#"identity.department == \"Sales\""#),
        left: ("only Sales and those on call are active in the chat", 7),
        undone: "the policy is restored",
        undo: |stage| everyone(stage, r#"identity.type == \"Person\""#),
    },
};

pub const LDAP: Script = Script {
    target: Target::Ldap,
    servers: "OpenLDAP's slapd",
    headline: "people in Git become entries in a real LDAP directory.",
    example: "examples/10-ldap",
    holds: "6 people, 2 groups, 3 policies, 1 directory",
    accounts: &[6],
    remark: "eve is in operations, but a contractor: the entitlement asks for employees",
    engineers: (0, "vpn-users"),
    mover: ("eve", "Operations"),
    edited: ("dan", "Administrator"),
    mistake: Mistake {
        told: SIGN,
        make: |stage| stage.apply(&deny("directory")),
        left: ("only Sales is active in the directory", 2),
        undone: TAKEN_AWAY,
        undo: take_away,
    },
};

pub const KEYCLOAK: Script = Script {
    target: Target::Keycloak,
    servers: "Keycloak",
    headline: "people in Git become users of a real Keycloak.",
    example: "examples/12-keycloak",
    holds: "6 people, a group, 4 policies, 1 realm",
    accounts: &[6],
    remark: "platform is a group below engineering; auditor is a role of the realm, grafana/admin one of a client",
    engineers: (0, "engineering"),
    mover: ("fay", "Finance"),
    edited: ("gus", "Accountant"),
    mistake: Mistake {
        told: SIGN,
        make: |stage| stage.apply(&deny("sso")),
        left: ("only Sales is active in the realm", 2),
        undone: TAKEN_AWAY,
        undo: take_away,
    },
};

const SIGN: &str = "a Deny for Sales has its sign the wrong way round";
const TAKEN_AWAY: &str = "the Deny is taken away";

fn everyone(stage: &Stage, rule: &str) {
    stage.patch("accesspolicies.provost.dev/everyone-chat", &format!(r#"{{"spec":{{"match":"{rule}"}}}}"#));
}

fn deny(application: &str) -> String {
    format!(
        "apiVersion: provost.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: not-sales, namespace: acme}}\nspec:\n  \
         effect: Deny\n  match: identity.department != \"Sales\"\n  grants: [{{application: {application}}}]\n"
    )
}

fn take_away(stage: &Stage) {
    stage.kubectl(&["delete", "accesspolicies.provost.dev/not-sales"]).ok();
}
