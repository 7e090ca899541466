#!/usr/bin/env bash
# A kind cluster, made anew, with Provost installed by its charts from an image that is built here, and the end-to-end tests that need
# no more than a kubeconfig. Left out: tests that kill the API server, take resources away or need the whole cluster.
# Needs Docker, kind, kubectl and helm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for program in docker kind kubectl helm; do
    command -v "$program" >/dev/null || { echo "missing: please install $program" >&2; exit 1; }
done
tests/tools/setup.sh kubernetes helm scim
cargo build -p provost
name=${KIND_CLUSTER:-provost}
# The tests make namespaces, which must not be there yet.
kind delete cluster --name "$name"
kind create cluster --name "$name"
docker build -t provost:dev .
kind load docker-image provost:dev --name "$name"
kubeconfig=$(mktemp)
trap 'rm -f "$kubeconfig"' EXIT
kind get kubeconfig --name "$name" >"$kubeconfig"
export KUBECONFIG=$kubeconfig
helm upgrade --install provost-crds charts/provost-crds
# Of one namespace: the tests run operators of their own, outside, for theirs.
helm upgrade --install provost charts/provost --namespace provost-system --create-namespace \
    --set image.repository=provost --set image.tag=dev --set 'namespaces={default}' --wait --timeout 3m
kubectl get pods --namespace provost-system
PROVOST_TEST_KUBECONFIG=$kubeconfig cargo test -p tests --test cluster_crds
for test in e2e_typo e2e_kstatus e2e_store e2e_fencing; do
    PROVOST_TEST_KUBECONFIG=$kubeconfig cargo test -p tests --test "$test"
done
echo "kind-$name runs Provost for the namespace default; 'kind delete cluster --name $name' removes it"
