#!/bin/sh
# Blue and green for one function: a release whose new revision gets no request until a person says so.
#
#   kustomize/blue-green.sh start  FUNCTION OVERLAY   apply OVERLAY; the running revision (blue) keeps all requests
#   kustomize/blue-green.sh try    FUNCTION PERCENT   give the new one (green) a share
#   kustomize/blue-green.sh switch FUNCTION           give it all, and what comes after it
#   kustomize/blue-green.sh back   FUNCTION           give all to blue
#   kustomize/blue-green.sh status FUNCTION           who gets how much, and the addresses by tag
#
# Needs kubectl alone. NAMESPACE is llama-mapper unless it is set. After "back" the overlay still says the new revision:
# revert it before the next `kubectl apply -k`.
set -eu

usage() {
    sed -n '2,11p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 64
}

fail() {
    echo "blue-green: $1" >&2
    exit 1
}

namespace=${NAMESPACE:-llama-mapper}

ask() { # FUNCTION JSONPATH
    kubectl --namespace "$namespace" get services.serving.knative.dev "$1" --output "jsonpath=$2"
}

shift_to() { # FUNCTION TRAFFIC
    kubectl --namespace "$namespace" patch services.serving.knative.dev "$1" --type merge \
        --patch "{\"spec\":{\"traffic\":$2}}"
}

split() { # BLUE PERCENT: of green
    printf '[{"revisionName":"%s","percent":%d,"tag":"blue"},{"latestRevision":true,"percent":%d,"tag":"green"}]' \
        "$1" "$((100 - $2))" "$2"
}

blue_of() { # FUNCTION
    found=$(ask "$1" '{.spec.traffic[?(@.tag=="blue")].revisionName}')
    [ -n "$found" ] || fail "$1 has no revision tagged blue: begin with start"
    printf '%s' "$found"
}

green_is_ready() { # FUNCTION
    created=$(ask "$1" '{.status.latestCreatedRevisionName}')
    ready=$(ask "$1" '{.status.latestReadyRevisionName}')
    [ "$created" = "$ready" ] || fail "$created is not ready; the last that was is $ready"
    [ "$created" != "$2" ] || fail "there is no revision after $2"
}

start() { # FUNCTION OVERLAY
    [ -f "$2/kustomization.yaml" ] || fail "$2 has no kustomization.yaml"
    blue=$(ask "$1" '{.status.latestReadyRevisionName}')
    [ -n "$blue" ] || fail "$1 has no revision that is ready"
    overlay=$(cd "$2" && pwd)
    # Beside the overlay, as kustomize takes relative paths only.
    held=$(mktemp -d "$(dirname "$overlay")/.blue-green.XXXXXX")
    trap 'rm -rf "$held"' EXIT
    cat >"$held/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../$(basename "$overlay")]
patches:
  - target: {group: serving.knative.dev, kind: Service, name: $1}
    patch: '[{"op":"replace","path":"/spec/traffic","value":$(split "$blue" 0)}]'
END
    # First the split, so that not one request reaches green before the overlay is applied.
    shift_to "$1" "$(split "$blue" 0)"
    kubectl apply --kustomize "$held"
    kubectl --namespace "$namespace" wait --for=condition=Ready --timeout=10m "services.serving.knative.dev/$1"
    echo "green: $(ask "$1" '{.status.traffic[?(@.tag=="green")].url}')"
}

[ $# -ge 2 ] || usage
case $1 in
start)
    [ $# -eq 3 ] || usage
    start "$2" "$3"
    ;;
try)
    [ $# -eq 3 ] || usage
    case $3 in '' | *[!0-9]* | ????*) fail "$3 is no percentage" ;; esac
    [ "$3" -le 100 ] || fail "$3 is no percentage"
    blue=$(blue_of "$2")
    green_is_ready "$2" "$blue"
    shift_to "$2" "$(split "$blue" "$3")"
    ;;
switch)
    blue=$(blue_of "$2")
    green_is_ready "$2" "$blue"
    # Blue keeps its tag, so that there is a way back.
    shift_to "$2" "$(split "$blue" 100)"
    ;;
back)
    blue=$(blue_of "$2")
    shift_to "$2" "$(split "$blue" 0)"
    ;;
status)
    ask "$2" '{range .status.traffic[*]}{.percent}{" %  "}{.revisionName}{"  "}{.tag}{"  "}{.url}{"\n"}{end}'
    ;;
*) usage ;;
esac
