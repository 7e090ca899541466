#!/usr/bin/env bash
# Builds what the tests run against: servers and command-line tools that nobody of this project wrote.
#
#   setup.sh            all pieces
#   setup.sh PIECE...   only these: etcd kubernetes helm argocd scim scimmy slapd samba keycloak cargo-deny cargo-fuzz
#   setup.sh --can PIECE  whether this machine can have it: samba needs root, for its ports, and a Debian or Samba itself
#
# Everything goes to $PROVOST_CACHE, or else ${XDG_CACHE_HOME:-$HOME/.cache}/provost. A piece is built
# again only when its pins, its recipe below or (for the venv) python3 have changed. README.md says more.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${PROVOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/provost}
all=(etcd kubernetes helm argocd scim scimmy slapd samba keycloak cargo-deny cargo-fuzz)

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# need COMMAND TEXT PACKAGE...: COMMAND must succeed. If it does not and this is root on a Debian, PACKAGEs
# are installed; if it still does not, TEXT says what to install.
need() {
    local check=$1 text=$2
    shift 2
    bash -c "$check" >/dev/null 2>&1 && return
    if [[ $# -gt 0 && $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        say "installing $* with apt-get"
        local apt=(apt-get -q -y -o DPkg::Lock::Timeout=300)
        "${apt[@]}" update || true
        DEBIAN_FRONTEND=noninteractive "${apt[@]}" install --no-install-recommends "$@" || true
        hash -r
    fi
    bash -c "$check" >/dev/null 2>&1 || die "missing: please install $text"
}

# Go 1.21 to 1.25 will do if it may fetch the release that go.mod asks for; reading go.mod shows whether.
need_go() { need "cd '$here/etcd' && GOWORK=off go list -m" 'Go 1.26 or later (https://go.dev/dl)'; }
need_python() {
    need 'python3 -c "import sys, venv, ensurepip; assert sys.version_info >= (3, 11)"' \
        'Python 3.11 or later with venv (Debian: python3-venv)' python3 python3-venv
}
need_node() {
    need 'npm --version && node -e "process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)"' \
        'Node.js 18 or later with npm (Debian: nodejs npm)' nodejs npm
}
need_cargo() { need 'cargo --version' 'Rust with cargo (https://rustup.rs)'; }

# --- recipes: files_X prints the input files, makes_X what must exist afterwards, about_X what and how long
#     (2 cores), need_X asks for programs, build_X builds into $cache with $tmp as scratch. The text of
#     build_X is part of the stamp.

# pin MODULE: its version in the go.mod of the current folder.
pin() { awk -v m="$1" '{for (i = 1; i < NF; i++) if ($i == m) {print $(i + 1); exit}}' go.mod; }

# go_build LDFLAGS PACKAGE...: static binaries (no C compiler needed) from exactly the pinned modules.
go_build() {
    local ldflags=$1
    shift
    mkdir -p "$tmp/bin"
    GOWORK=off CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w $ldflags" -o "$tmp/bin/" "$@"
}
install_bin() { mkdir -p "$cache/bin" && mv -f "$tmp/bin/"* "$cache/bin/"; }

about_etcd() { echo 'etcd, the storage of the test control plane, from source; about 1 min'; }
files_etcd() { echo etcd/go.mod etcd/go.sum; }
makes_etcd() { echo bin/etcd; }
need_etcd() { need_go; }
build_etcd() {
    cd "$here/etcd"
    go_build '' go.etcd.io/etcd/server/v3
    mv "$tmp/bin/server" "$tmp/bin/etcd"
    install_bin
}

about_kubernetes() { echo 'kube-apiserver, kube-controller-manager and kubectl: a real control plane without containers, from source; about 5 min'; }
files_kubernetes() { echo kubernetes/go.mod kubernetes/go.sum; }
makes_kubernetes() { echo bin/kube-apiserver bin/kube-controller-manager bin/kubectl; }
need_kubernetes() { need_go; }
build_kubernetes() {
    cd "$here/kubernetes"
    local version flags='' package major minor rest
    version=$(pin k8s.io/kubernetes)
    IFS=. read -r major minor rest <<<"${version#v}"
    [[ -n $rest ]] || die "cannot read the version of k8s.io/kubernetes: '$version'"
    # What `kubectl version` and GET /version answer; the first is also sent as user agent.
    for package in k8s.io/client-go/pkg/version k8s.io/component-base/version; do
        flags+=" -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
        flags+=" -X $package.gitCommit= -X $package.gitTreeState=archive"
    done
    go_build "$flags" k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kubectl}
    install_bin
}

about_helm() { echo 'helm, which renders and installs the chart, from source; about 2 min'; }
files_helm() { echo helm/go.mod helm/go.sum; }
makes_helm() { echo bin/helm; }
need_helm() { need_go; }
build_helm() {
    cd "$here/helm"
    local version
    version=$(pin helm.sh/helm/v4)
    go_build "-X helm.sh/helm/v4/internal/version.version=$version -X helm.sh/helm/v4/internal/version.gitTreeState=clean" \
        helm.sh/helm/v4/cmd/helm
    install_bin
}

about_argocd() { echo 'the Lua interpreter of Argo CD, for its health checks, from source; about 10 s'; }
files_argocd() { echo argocd/go.mod argocd/go.sum argocd/main.go; }
makes_argocd() { echo bin/argocd-health; }
need_argocd() { need_go; }
build_argocd() {
    cd "$here/argocd"
    go_build '' .
    mv "$tmp/bin/argocd" "$tmp/bin/argocd-health"
    install_bin
}

about_scim() { echo 'scim2-server, a SCIM 2.0 server, in a Python venv; about 30 s'; }
files_scim() { echo scim/requirements.txt; }
makes_scim() { echo scim-venv/bin/python3 scim-venv/bin/scim2-server; }
need_scim() { need_python; }
build_scim() {
    rm -rf "$cache/scim-venv"
    python3 -m venv "$cache/scim-venv"
    # All hashes are pinned, so that another index or a cache cannot change what is installed.
    "$cache/scim-venv/bin/pip" --disable-pip-version-check install --require-hashes --only-binary :all: \
        -r "$here/scim/requirements.txt"
}

about_scimmy() { echo 'SCIMMY, another SCIM 2.0 server, for Node.js; about 10 s'; }
files_scimmy() { echo scimmy/package.json scimmy/package-lock.json scimmy/server.mjs; }
makes_scimmy() { echo scimmy/server.mjs scimmy/node_modules/scimmy; }
need_scimmy() { need_node; }
build_scimmy() {
    rm -rf "$cache/scimmy"
    mkdir -p "$cache/scimmy"
    cd "$cache/scimmy"
    # The server stands next to node_modules because that is where Node.js looks for what a module imports.
    cp "$here"/scimmy/{package.json,package-lock.json,server.mjs} .
    npm ci --omit=dev --ignore-scripts --no-audit --no-fund
}

about_slapd() { echo 'slapd (OpenLDAP) and its command line programs, from Debian packages, unpacked; about 5 s'; }
files_slapd() { echo slapd.packages; }
makes_slapd() { echo slapd/usr/sbin/slapd; }
need_slapd() { need 'apt-get --version && dpkg-deb --version' 'apt-get and dpkg (Debian or Ubuntu), or slapd in another way'; }
build_slapd() {
    # shellcheck disable=SC2046,SC2086 # names of packages
    # Nothing is installed, so no root is needed and no server is started by the way. Libraries that the machine has
    # are left out: what would be installed is what is missing.
    mkdir -p "$tmp"/{lists/partial,archives/partial,debs}
    local missing apt=(apt-get -o Dir::State::Lists="$tmp/lists" -o Dir::Cache="$tmp/archives" -o APT::Sandbox::User=)
    "${apt[@]}" update
    missing=$("${apt[@]}" install --simulate --no-install-recommends --reinstall $(<"$here/slapd.packages") | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
    cd "$tmp/debs"
    "${apt[@]}" download $missing
    rm -rf "$cache/slapd"
    mkdir -p "$cache/slapd"
    local deb
    for deb in *.deb; do
        dpkg-deb --extract "$deb" "$cache/slapd"
    done
    LD_LIBRARY_PATH=$(echo "$cache"/slapd/usr/lib/*-linux-gnu) "$cache/slapd/usr/sbin/slapd" -VV 2>&1 | grep -q 'OpenLDAP: slapd 2'
}

about_samba() { echo 'Samba from Debian packages, installed, and the domain of the tests; about 2 min'; }
files_samba() { echo samba.packages; }
makes_samba() { echo samba/private/sam.ldb; }
can_samba() { [[ $(id -u) == 0 ]] && { command -v samba || command -v apt-get; } >/dev/null; }
need_samba() {
    can_samba || die 'samba: a domain controller listens on the ports 389 and 636, which needs root, and is installed with apt-get'
    (
        # Installed and not started: nothing of the machine's own is to listen anywhere.
        if [[ ! -e /usr/sbin/policy-rc.d ]]; then
            printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
            chmod +x /usr/sbin/policy-rc.d
            trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        fi
        # shellcheck disable=SC2046 # names of packages
        need 'samba --version && samba-tool --version && ldbmodify --version' \
            'Samba as a domain controller, and ldb-tools' $(<"$here/samba.packages")
    )
}
build_samba() {
    local domain=$tmp/domain sid place there
    # Each test starts a copy with a configuration of its own: nothing here names where it was made.
    samba-tool domain provision --targetdir="$domain" --realm=ACME.TEST --domain=ACME --host-name=dc1 --host-ip=127.0.0.1 \
        --server-role=dc --dns-backend=NONE --adminpass=Root-canary-41b7 --option='interfaces=lo' --option='bind interfaces only=yes'
    there=(--configfile="$domain/etc/smb.conf" -H "$domain/private/sam.ldb")
    for place in People Left Groups Services; do
        samba-tool ou create "OU=$place" "${there[@]}"
    done
    samba-tool user create provost Service-canary-93e2 --userou=OU=Services "${there[@]}"
    sid=$(samba-tool user show provost --attributes=objectSid "${there[@]}" | sed -n 's/^objectSid: //p')
    # What docs/active-directory.md says that the bind account needs. bf967aba is the class user, bf967a9c the class group,
    # 00299570 the right to reset a password.
    local user=bf967aba-0de6-11d0-a285-00aa003049e2 group=bf967a9c-0de6-11d0-a285-00aa003049e2
    local reset=00299570-246d-11d0-a768-00aa006e0529
    for place in People Left; do
        samba-tool dsacl set --objectdn="OU=$place,DC=acme,DC=test" "${there[@]}" \
            --sddl="(OA;CI;CCDC;$user;;$sid)(OA;CIIO;RPWPSDLCRC;;$user;$sid)(OA;CIIO;CR;$reset;$user;$sid)"
    done
    samba-tool dsacl set --objectdn='OU=Groups,DC=acme,DC=test' "${there[@]}" \
        --sddl="(OA;CI;CCDC;$group;;$sid)(OA;CIIO;RPWPSDLCRC;;$group;$sid)"
    rm -rf "$cache/samba"
    mkdir -p "$cache/samba"
    cp -a "$domain/private" "$domain/state" "$cache/samba/"
}

about_keycloak() { echo 'Keycloak, from Maven Central, prepared for a quick start; about 90 s'; }
files_keycloak() { echo keycloak.sha256; }
makes_keycloak() { echo keycloak/server/lib/quarkus-run.jar keycloak/data/h2/keycloakdb.mv.db; }
need_keycloak() {
    need 'java -version 2>&1 | grep -E "version \"(1[7-9]|2[0-9])"' 'Java 17 or later (Debian: openjdk-17-jre-headless)' openjdk-17-jre-headless
    need 'mvn --version' 'Maven (Debian: maven)' maven
    need 'unzip -v' 'unzip' unzip
}
build_keycloak() {
    local zip version
    read -r _ zip <"$here/keycloak.sha256"
    version=${zip#keycloak-quarkus-dist-} version=${version%.zip}
    cd "$tmp"
    mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:2.8:copy \
        -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$tmp"
    sha256sum -c "$here/keycloak.sha256"
    unzip -q "$zip"
    rm -rf "$cache/keycloak"
    mkdir -p "$cache/keycloak"
    mv "keycloak-$version" "$cache/keycloak/server"
    cd "$cache/keycloak/server"
    # What a first start does for a minute is done here: the program is put together for its database, and a database
    # with the master realm and its administrator is made, of which each server of a test gets a copy.
    export JAVA_OPTS_KC_HEAP=-Xmx512m KC_FIRST_PASSWORD=admin
    bin/kc.sh build --db=dev-file --cache=local
    bin/kc.sh bootstrap-admin user --optimized --no-prompt --username admin --password:env KC_FIRST_PASSWORD
    mv data "$cache/keycloak/data"
}

about_cargo-deny() { echo 'cargo-deny, which checks licences and sources of the crates, from source; about 2 min'; }
files_cargo-deny() { echo cargo-deny.version; }
makes_cargo-deny() { echo bin/cargo-deny; }
need_cargo-deny() { need_cargo; }
build_cargo-deny() {
    cd "$here"
    # It is run a few times, so it is optimised only a little and not as a whole, which makes the build much shorter.
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        CARGO_TARGET_DIR="$tmp/target" \
        cargo install cargo-deny --locked --version "=$(<cargo-deny.version)" --root "$cache" --force
}

about_cargo-fuzz() { echo 'cargo-fuzz, which runs the fuzz targets, from source; about 1 min'; }
files_cargo-fuzz() { echo cargo-fuzz.version; }
makes_cargo-fuzz() { echo bin/cargo-fuzz; }
need_cargo-fuzz() { need 'cargo +nightly --version' 'a nightly compiler (rustup toolchain install nightly)'; }
build_cargo-fuzz() {
    cd "$here"
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_TARGET_DIR="$tmp/target" \
        cargo install cargo-fuzz --locked --version "=$(<cargo-fuzz.version)" --root "$cache" --force
}

# --- the work

# stamp PIECE: what its inputs are now.
stamp() {
    local files
    read -ra files <<<"$("files_$1")"
    {
        (cd "$here" && cat "${files[@]}")
        declare -f "build_$1" go_build
        if [[ $1 == scim ]]; then
            echo "$cache"
            python3 --version || true
        fi
    } 2>&1 | sha256sum | cut -d' ' -f1
}

# fresh PIECE: it is built, from the present inputs.
fresh() {
    local made
    for made in $("makes_$1"); do
        [[ -e $cache/$made ]] || return 1
    done
    [[ -f $cache/stamps/$1 && $(<"$cache/stamps/$1") == "$(stamp "$1")" ]]
}

# make_piece PIECE, under a lock of its own: another run building the same piece is waited for, not repeated.
make_piece() {
    local piece=$1 start=$SECONDS log=$cache/log/$1.log code=0
    exec 9>"$cache/locks/$piece"
    if ! flock -n 9; then
        say "$piece: another run is building it, waiting"
        flock 9
    fi
    if fresh "$piece"; then
        say "$piece: built by another run"
        return
    fi
    say "$piece: building (output in $log)"
    rm -rf "$cache/stamps/$piece" "$cache/tmp.$piece".*
    tmp=$(mktemp -d "$cache/tmp.$piece.XXXXXX")
    # Taken before the build, so that an edit made meanwhile is not mistaken for built.
    stamp "$piece" >"$tmp/stamp"
    # In a shell of its own, and not in a condition, so that -e holds in it; without descriptor 9, so that no
    # process left behind keeps the lock.
    set +e
    (set -e && "build_$piece") >"$log" 2>&1 9>&- </dev/null
    code=$?
    set -e
    if [[ $code != 0 ]]; then
        tail -n 30 "$log" >&2
        die "$piece failed; the whole output is in $log"
    fi
    mv "$tmp/stamp" "$cache/stamps/$piece"
    rm -rf "$tmp"
    say "$piece: done in $((SECONDS - start)) s"
    exec 9>&-
}

main() {
    if [[ ${1-} == --can ]]; then
        ! declare -F "can_$2" >/dev/null || "can_$2"
        return
    fi
    local pieces=("$@") piece stale=()
    [[ $# -gt 0 ]] || pieces=("${all[@]}")
    for piece in "${pieces[@]}"; do
        [[ " ${all[*]} " == *" $piece "* ]] || die "no piece '$piece'; there are: ${all[*]}"
        fresh "$piece" || stale+=("$piece")
    done
    if [[ ${#stale[@]} == 0 ]]; then
        say "up to date in $cache: ${pieces[*]}"
        return
    fi

    need 'flock --version && sha256sum --version' 'flock (util-linux) and sha256sum (coreutils)' util-linux coreutils
    mkdir -p "$cache"/{bin,locks,log,stamps}
    say "building into $cache, once; the estimates are for 2 idle cores:"
    for piece in "${stale[@]}"; do
        printf '         %-11s %s\n' "$piece" "$("about_$piece")"
    done
    # What is missing is said at once, not after ten minutes.
    for piece in "${stale[@]}"; do
        "need_$piece"
    done
    tmp=''
    trap 'rm -rf "$tmp"' EXIT
    for piece in "${stale[@]}"; do
        make_piece "$piece"
    done
    say "done in $SECONDS s: ${stale[*]}"
}

main "$@"
