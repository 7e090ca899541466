//! What the acts ask of a server. The evidence of the demo is what a server says of itself, not what Provost says.

/// An account at a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// The server's own.
    pub id: String,
    pub user_name: String,
    pub email: String,
    pub title: String,
    pub active: bool,
}

/// A running server.
pub trait Server {
    /// The TargetApplication.
    fn application(&self) -> &'static str;

    /// What the story calls it.
    fn said(&self) -> &'static str {
        self.application()
    }

    /// The example's manifests with this server in place of the example's.
    fn put_into(&self, manifests: String) -> String;

    /// All accounts, by user name.
    fn accounts(&self) -> Vec<Account>;

    /// What people can be in or have.
    fn groups(&self) -> Vec<String>;

    /// The user names in a group, sorted; nobody, if there is none.
    fn members(&self, group: &str) -> Vec<String>;

    /// Whether it tells of edits, so that nobody need ask for a sync.
    fn tells_of_edits(&self) -> bool {
        false
    }

    /// Changes the title behind Provost's back.
    fn tamper(&self, user_name: &str, title: &str);

    /// A question about an account, as one would ask it, and the answer; empty where the story shows none.
    fn shown(&self, _user_name: &str) -> String {
        String::new()
    }

    /// How to ask it oneself: lines that can be pasted.
    fn how_to_ask(&self) -> String;
}

impl dyn Server + '_ {
    pub fn account(&self, user_name: &str) -> Option<Account> {
        self.accounts().into_iter().find(|account| account.user_name == user_name)
    }

    /// Whether an account is there and can be used.
    pub fn active(&self, user_name: &str) -> Option<bool> {
        self.account(user_name).map(|account| account.active)
    }

    pub fn how_many_active(&self) -> usize {
        self.accounts().iter().filter(|account| account.active).count()
    }

    pub fn has(&self, group: &str, user_name: &str) -> bool {
        self.members(group).iter().any(|member| member == user_name)
    }
}
