use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($name:ident),* $(,)?) => {
        /// The closed set of reasons. `crds` holds the same names with text and polarity; a test compares.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "each has its text in the table of reasons")]
        pub enum Reason { $($name),* }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),*];

            /// As conditions and events write it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

reasons! {
    Provisioned, Synced, NothingMatched,
    Progressing, ProgressingWithRetry, RateLimited, AwaitingVisibility, Settling, Paused, PlanOnly, ReferenceNotFound,
    SecretNotFound, TargetUnreachable, IncompleteObservation, StoreUnavailable, ClockSkew, Rejected,
    InvalidSpec, InvalidExpression, EvaluationFailed, MembershipCycle, DuplicateUserName, DuplicateExternalId,
    UserNameTaken, CorrelationAmbiguous, AdoptionNeedsApproval, ProtectedAccount, DisabledAtTarget,
    DeletedAtTarget, Unauthorized, HostNotAllowed, TlsFailed, TargetChanged, TargetConflict, RemovalBudgetExceeded, GrantBudgetExceeded,
    LedgerMismatch, Unsupported,
}

impl Reason {
    /// Whether nothing but an edit or a person can help.
    pub fn is_stalled(self) -> bool {
        self >= Self::InvalidSpec
    }

    /// Whether it says that all is well.
    pub fn is_good(self) -> bool {
        self <= Self::NothingMatched
    }
}
