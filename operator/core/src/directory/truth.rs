/// Whether something holds, where it may be that nobody can tell (Kleene's logic: `min` is and, `max` is or).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Truth {
    /// It does not.
    #[default]
    No,
    /// It cannot be told: a reference is missing, a manifest invalid, an expression failed.
    Unknown,
    /// It does.
    Yes,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}
