#!/usr/bin/env bash
# A kind cluster with Provost installed by its charts from an image that is built here, and the tests of the resources run against it.
# Needs Docker, kind, kubectl and helm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for program in docker kind kubectl helm; do
    command -v "$program" >/dev/null || { echo "missing: please install $program" >&2; exit 1; }
done
tests/tools/setup.sh kubernetes helm
name=${KIND_CLUSTER:-provost}
kind get clusters | grep -qx "$name" || kind create cluster --name "$name"
docker build -t provost:dev .
kind load docker-image provost:dev --name "$name"
kubeconfig=$(mktemp)
trap 'rm -f "$kubeconfig"' EXIT
kind get kubeconfig --name "$name" >"$kubeconfig"
export KUBECONFIG=$kubeconfig
helm upgrade --install provost-crds charts/provost-crds
helm upgrade --install provost charts/provost --namespace provost-system --create-namespace \
    --set image.repository=provost --set image.tag=dev --wait --timeout 3m
kubectl get pods --namespace provost-system
PROVOST_TEST_KUBECONFIG=$kubeconfig cargo test -p tests --test cluster_crds
echo "kind-$name runs Provost; 'kind delete cluster --name $name' removes it"
