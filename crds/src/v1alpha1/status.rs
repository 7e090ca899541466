//! What every status has in common: conditions, and the closed set of reasons.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Time;
use super::word::words;

/// One condition, as the Kubernetes API conventions have it. It differs from the API machinery's own by its bounds.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Condition {
    /// What it is about: Ready, Reconciling, Stalled, Reachable or WithinBudget.
    #[schemars(length(min = 1, max = 64))]
    pub r#type: String,
    /// True, False or Unknown.
    pub status: ConditionStatus,
    /// The metadata.generation it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When status last changed.
    pub last_transition_time: Time,
    /// Why, as one of the documented reasons.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// What is so, what is missing, who must act.
    #[schemars(length(max = 4096))]
    pub message: String,
}

words! {
    /// Whether a condition holds.
    ConditionStatus {
        /// It does.
        True,
        /// It does not.
        False,
        /// It is not known.
        Unknown,
    }
}

words! {
    /// The types of conditions that are written.
    ConditionType {
        /// Everything is as declared.
        Ready,
        /// Work is under way or will be retried.
        Reconciling,
        /// Only an edit can help.
        Stalled,
        /// The target answers and accepts the credentials.
        Reachable,
        /// No plan is held back by a budget.
        WithinBudget,
    }
}

/// What a reason means for whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Polarity {
    /// All is well.
    Good,
    /// Not there yet; the operator goes on trying by itself.
    Working,
    /// Only a person can help.
    Stalled,
}

macro_rules! reasons {
    ($($polarity:ident { $($reason:ident: $text:literal,)+ })+) => {
        /// Why a condition or an account is as it is. The set is closed: nothing else is ever written, and each is documented here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $text] $reason,)+)+
        }

        impl Reason {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$($(Self::$reason,)+)+];

            /// The word in the status.
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$reason => stringify!($reason),)+)+ }
            }

            /// What it means and who must act, in one sentence or two.
            pub const fn text(self) -> &'static str {
                match self { $($(Self::$reason => $text,)+)+ }
            }

            /// Whether all is well, work goes on, or a person must act.
            pub const fn polarity(self) -> Polarity {
                match self { $($(Self::$reason => Polarity::$polarity,)+)+ }
            }
        }
    };
}

reasons! {
    Good {
        Provisioned: "Every account is as decided.",
        Synced: "Everything declared was read, evaluated and carried out.",
        NothingMatched: "Nobody is matched, so nothing follows from it.",
    }
    Working {
        Progressing: "Work is under way.",
        ProgressingWithRetry: "Something failed and is tried again by itself.",
        RateLimited: "The target asked to wait; work goes on when the time is over.",
        AwaitingVisibility: "What was written cannot be read at the target yet; it is looked for, not written again.",
        Settling: "A removal or a privileged grant waits a moment for the rest of the same change.",
        Paused: "The application is paused; nothing is read or written.",
        PlanOnly: "The application is in mode Plan; what would be done is reported, nothing is written.",
        ReferenceNotFound: "Something that is referred to does not exist yet; what rests on it is frozen until it does.",
        SecretNotFound: "The Secret, or the key in it, does not exist yet.",
        TargetUnreachable: "The target does not answer; it is tried again.",
        IncompleteObservation: "The target could not be read completely; nothing is removed on what was read in part.",
        StoreUnavailable: "The store of the operator cannot be written; nothing is written to targets meanwhile.",
        ClockSkew: "The clocks disagree by more than a minute; removals by date wait.",
        Rejected: "The target refused the change; it is tried again, less and less often.",
    }
    Stalled {
        InvalidSpec: "The manifest breaks a rule that the schema cannot check; correct the field that is named.",
        InvalidExpression: "A rule does not compile; correct it at the place that is named.",
        EvaluationFailed: "A rule failed or became too costly when it was evaluated; correct it at the place that is named.",
        MembershipCycle: "Membership contradicts itself: a group excludes, through others, those it includes; break the cycle.",
        DuplicateUserName: "Another Identity that is older, or as old and first by its uid or name, has the same userName; change one of them.",
        DuplicateExternalId: "Another Identity that is older, or as old and first by its uid or name, has the same externalId; change one of them.",
        UserNameTaken: "Somebody else's account at the target has this userName; rename one of them or remove it.",
        CorrelationAmbiguous: "More than one account matches, or the one that matches belongs to another identity; make the keys unique.",
        AdoptionNeedsApproval: "An account was found whose adoption is not safe without a person's consent; approve the held plan, set the same externalId on both sides, or remove the account.",
        ProtectedAccount: "The account is protected and never written to; remove it from the list of protected accounts, or the identity from the policy.",
        DisabledAtTarget: "Somebody disabled the account at the target and that is respected; enable it there, or set disabledAtTarget: Correct.",
        DeletedAtTarget: "Somebody deleted the account at the target and that is respected; set deletedAtTarget: Recreate, or take the identity out of the policy.",
        Unauthorized: "The target refuses the credentials; put valid ones into the Secret.",
        HostNotAllowed: "The Secret does not allow that it is sent to this host, or the address may not be contacted; correct the annotation provost.dev/allowed-hosts or the url.",
        TlsFailed: "The target's certificate cannot be verified; give the right CA in tls.caSecretRef.",
        TargetChanged: "This seems to be another target than before; nothing is written until the token in the message is set as safety.acknowledge.",
        TargetConflict: "Another TargetApplication manages the same target; delete one of them.",
        RemovalBudgetExceeded: "More would be removed at once than the budget allows; approve the held plan, or take back the change.",
        GrantBudgetExceeded: "More privileged grants would be made at once than the budget allows; approve the held plan, or take back the change.",
        LedgerMismatch: "The operator's store is empty, older or another one; nothing is removed until the token in the message is set as safety.acknowledge.",
        Unsupported: "The target cannot do what is asked; change what the entry that is named asks for.",
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Reason {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == word).ok_or(())
    }
}
