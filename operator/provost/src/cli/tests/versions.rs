//! Of which of two versions something is said.

use super::*;

#[test]
fn a_difference_warns_of_the_version_of_which_something_is_wrong() {
    let [wrong, right] = ["{userNam: x}", "{}"].map(|spec| manifest("Identity", "ada", spec));
    for (old, new, which) in [(&wrong, &right, "before"), (&right, &wrong, "after")] {
        let (_, _, err) = compared(&[], old, new);
        assert!(err.starts_with(&format!("warning: 1 error in the manifests {which}: ")), "{err}");
        assert_eq!(err.matches("warning").count(), 1, "{err}");
    }
}
