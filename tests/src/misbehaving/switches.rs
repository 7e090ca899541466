use std::collections::BTreeSet;

/// How the server misbehaves: each was seen in a real one. By default it does nothing of this.
#[derive(Clone, Debug, Default)]
pub struct Switches {
    /// Lists of groups come without members.
    pub members_not_listed: bool,
    /// Groups come without members everywhere.
    pub members_hidden: bool,
    /// Groups with at least this many members come without them.
    pub members_left_out: Option<usize>,
    /// The same in lists of groups alone: a read by id shows them.
    pub members_left_out_of_lists: Option<usize>,
    /// An empty list is left out.
    pub empty_left_out: bool,
    /// A user or group of this name cannot be read by its id: 403.
    pub protected: Option<&'static str>,
    /// Answered to every PATCH.
    pub patch_refused: Option<u16>,
    /// Accounts do not say which groups they are in.
    pub no_groups_on_accounts: bool,
    /// `members.value` cannot be filtered by.
    pub no_members_filter: bool,
    /// No more than this in one page, whatever is asked.
    pub page_limit: Option<usize>,
    /// `startIndex` and `count` are ignored: everything comes at once.
    pub no_paging: bool,
    /// That of one kind alone: `Users`, `Groups`.
    pub no_paging_of: Option<&'static str>,
    /// Pages are no smaller, whatever is asked for.
    pub smallest_page: Option<usize>,
    /// `startIndex` is ignored: the first page comes again and again.
    pub start_ignored: bool,
    /// After each page that is not the last, somebody else deletes this many of its rows: the rest moves up.
    pub deleted_meanwhile: Option<usize>,
    /// Pages by cursor (RFC 9865), and not by index.
    pub cursor: bool,
    /// A PATCH operation without a path may hold one attribute.
    pub pathless_one_attribute: bool,
    /// 400 for a filter whose value holds a space.
    pub no_spaces_in_filters: bool,
    /// The filter is ignored: everything comes.
    pub filter_ignored: bool,
    /// The escapes of a filter's texts are not undone: a text with quotes finds nothing.
    pub escapes_kept: bool,
    /// 400 for every filter.
    pub filter_refused: bool,
    /// A PATCH is refused once a group has this many members.
    pub group_limit: Option<usize>,
    /// DELETE of an account deactivates it.
    pub delete_deactivates: bool,
    /// DELETE is refused with 405.
    pub delete_refused: bool,
    /// Inactive accounts are missing from searches that do not ask for them, and still own their names.
    pub inactive_hidden: bool,
    /// User names are stored in lower case.
    pub names_folded: bool,
    /// Titles are stored in capitals.
    pub titles_in_capitals: bool,
    /// Attributes it does not know: a path to them is answered 200 and ignored.
    pub unknown_ignored: BTreeSet<&'static str>,
    /// Attributes it does not know: a path to them is answered 400.
    pub unknown_rejected: BTreeSet<&'static str>,
    /// Removing what is not there is 400 `noTarget`.
    pub no_target: bool,
    /// A member that is added again is stored again.
    pub members_repeat: bool,
    /// A PATCH that is refused (for `title: refused`) is stored all the same.
    pub refused_is_stored: bool,
    /// Attributes that a create answers as asked and does not store.
    pub lost_on_create: BTreeSet<&'static str>,
    /// What is said of every create, which is refused with 400; `{}` in it becomes the header `Authorization` that came.
    pub create_refused: Option<&'static str>,
    /// Every account is created active.
    pub created_active: bool,
    /// PATCH is 501.
    pub no_patch: bool,
    /// PATCH is 501 for resources of this kind.
    pub no_patch_of: Option<&'static str>,
    /// A PUT of a group is answered 200, and its members stay as they are.
    pub put_keeps_members: bool,
    /// `members[value eq "..."]` is 400.
    pub no_member_paths: bool,
    /// `members[value eq "..."]` is answered 200 and ignored.
    pub member_paths_ignored: bool,
    /// An account needs a password to be created.
    pub needs_password: bool,
    /// There is no ServiceProviderConfig, or it says that nothing is supported.
    pub no_config: bool,
    /// Truth values are texts, keys are spelled in capitals, a list of one is the one, POST is 200, PATCH is 204.
    pub sloppy: bool,
    /// The version never changes, and any If-Match is 412.
    pub version_stands_still: bool,
    /// There are no versions.
    pub no_versions: bool,
    /// Answered instead of everything else: status, `Retry-After`, body.
    pub answer: Option<(u16, Option<&'static str>, &'static str)>,
    /// Answered to every list of groups.
    pub groups_refused: Option<u16>,
    /// Answered by the endpoint for tokens.
    pub tokens_refused: Option<u16>,
    /// How long tokens last, in seconds; tokens are then what is asked for.
    pub tokens_last: Option<u64>,
    /// The token that is asked for, instead of the usual one.
    pub token: Option<&'static str>,
    /// Another token that is accepted.
    pub also_token: Option<&'static str>,
    /// `provost:PASSWORD` in base64, which is then what is asked for.
    pub basic: Option<&'static str>,
    /// `CLIENT:SECRET` in base64, which tokens are then given out for, instead of the usual one.
    pub client: Option<&'static str>,
    /// Bulk requests are offered, with at most this many operations.
    pub bulk: Option<usize>,
    /// Answered to every bulk request.
    pub bulk_refused: Option<u16>,
    /// More operations than this are 413, whatever is offered.
    pub bulk_limit: Option<usize>,
    /// Operations of this method, and on this kind of resource, are answered as done and not done.
    pub bulk_ignores: Option<(&'static str, &'static str)>,
    /// Operations of this method, and on this kind of resource, are 501.
    pub bulk_without: Option<(&'static str, &'static str)>,
    /// The answer to a bulk request holds no more operations than this.
    pub bulk_answers: Option<usize>,
    /// The first failure ends a bulk request, though nobody asked for it (`failOnErrors`).
    pub bulk_stops: bool,
    /// A user of this name makes a bulk request 400 as a whole.
    pub bulk_poison: Option<&'static str>,
    /// The account that the token belongs to, as `/Me` shows it.
    pub me: Option<&'static str>,
}
