//! What `lint` says of metadata: whether the API server agrees is seen in `tests/tests/cluster_crds.rs`.

use super::*;

/// What lint says of an Identity with these fields of metadata, and of nothing else.
fn linted(fields: &str) -> String {
    let text =
        format!("apiVersion: provost.dev/v1alpha1\nkind: Identity\nmetadata:\n  name: ada\n{fields}spec: {{}}\n");
    let (status, out, err) = said(&["lint", "-o", "wide"], &text);
    assert_eq!((status, err.as_str(), out.matches("  error  ").count()), (1, "", 1), "{out}");
    out
}

#[test]
fn what_the_api_server_refuses_in_metadata_has_its_place_and_what_to_write() {
    let long = "x".repeat(256 * 1024);
    for (fields, place, message, remedy) in [
        (
            "  namespace: Acme\n",
            "5:14",
            "metadata.namespace \"Acme\" is no name of a namespace",
            "^^^^ must be at most 63 lower-case letters, digits and '-'",
        ),
        (
            "  labels: {team: a b}\n",
            "5:18",
            "metadata.labels.team \"a b\" is no value of a label",
            "^^^ must be at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit; an annotation",
        ),
        (
            "  labels:\n    acme.test/cost center: x\n",
            "6:5",
            "metadata.labels.acme.test/cost center is no key here",
            "^^^^^^^^^^^^^^^^^^^^^ must be at most 63 letters",
        ),
        (
            "  annotations: {-x: any text}\n",
            "5:17",
            "metadata.annotations.-x is no key here",
            "^^ must be at most 63 letters",
        ),
        (
            "  annotations: {x: 5}\n",
            "5:20",
            "metadata.annotations.x is an integer",
            "^ must be a text (put it in quotes)",
        ),
        (
            &format!("  annotations:\n    x: {long}\n"),
            "5:3",
            "metadata.annotations has 262145 bytes",
            "^^^^^^^^^^^ must have at most 262144, keys and values together",
        ),
        (
            "  finalizers: [a b]\n",
            "5:16",
            "metadata.finalizers[0] \"a b\" is no finalizer",
            "^^^ must be at most 63 letters",
        ),
        (
            "  ownerReferences:\n  - {apiVersion: v1, kind: X, name: x, uid: ''}\n",
            "6:45",
            "metadata.ownerReferences[0].uid is empty",
            "must say something",
        ),
        ("  lables: {team: x}\n", "5:3", "metadata.lables is no field here", "^^^^^^ did you mean 'labels'?"),
        ("  department: x\n", "5:3", "metadata.department is no field here", "^^^^^^^^^^ must be one of annotations, "),
    ] {
        let out = linted(fields);
        assert!(out.starts_with(&format!("m.yaml:{place}  error  {message}  [Identity/ada]\n")), "{out}");
        assert!(out.contains(remedy), "{remedy} is not in {out}");
    }
}

#[test]
fn a_label_that_may_be_a_secret_is_not_repeated() {
    let out = linted("  labels: {token: hunter 2}\n");
    assert!(out.contains("is no value of a label") && !out.contains("hunter"), "{out}");
}

#[test]
fn metadata_as_the_api_server_shows_it_is_right() {
    let shown = "apiVersion: provost.dev/v1alpha1\nkind: Identity\nmetadata:\n  name: ada\n  namespace: acme\n  uid: u\n  \
                 generation: 2\n  resourceVersion: '5'\n  creationTimestamp: 2026-01-01T00:00:00Z\n  labels: {a: '', b: x, c: null, \
                 app.kubernetes.io/part-of: Acme_1.0}\n  annotations: {Acme.test/x: ' any\n    text '}\n  finalizers: \
                 [provost.dev/accounts]\n  managedFields:\n  - {manager: kubectl, operation: Apply, fieldsV1: {'f:spec': {}}}\n  \
                 ownerReferences: [{apiVersion: v1, kind: X, name: x, uid: u, controller: true}]\nspec: {}\n";
    assert_eq!(said(&["lint"], shown), (0, "1 manifest: nothing to say\n".to_owned(), String::new()));
}

#[test]
fn a_key_that_may_be_a_secret_is_not_repeated() {
    for place in ["labels", "annotations"] {
        for fields in ["{'https://u:hunter2@x/y': x}", "\n    'https://u:hunter2@x/y': x"] {
            let out = linted(&format!("  {place}: {fields}\n"));
            let told = out.contains(&format!("metadata.{place} has a key that is none"));
            assert!(told && !out.contains("hunter2"), "{out}");
        }
    }
}
