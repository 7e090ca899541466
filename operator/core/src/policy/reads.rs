use std::sync::Arc;

/// What a rule reads: when none of it changes, its value does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Fields of the manifest, by their first name below `identity.` (`department`, `name`, `emails`); sorted.
    pub fields: Vec<&'static str>,
    /// Custom attributes named by constants; sorted.
    pub attributes: Vec<Arc<str>>,
    /// Custom attributes that no constant names: any of them may matter.
    pub every_attribute: bool,
    /// `identity.groups` as a list: any membership may matter, not those of [`super::Rule::groups`] alone.
    pub every_group: bool,
    /// Anything of the manager.
    pub manager: bool,
    /// `identity.state`.
    pub state: bool,
    /// `application.name`.
    pub application: bool,
}
