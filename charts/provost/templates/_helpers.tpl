{{- define "provost.name" -}}
{{- if contains "provost" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-provost" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "provost.selector" -}}
app.kubernetes.io/name: provost
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "provost.labels" -}}
{{ include "provost.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "provost.serviceAccount" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create }}{{ include "provost.name" . }}
{{- else }}{{ fail "serviceAccount.name must name one that exists, since serviceAccount.create is false" }}{{ end -}}
{{- end }}

{{- /* Names of cluster-wide objects hold the namespace: two releases do not share them. */ -}}
{{- define "provost.clusterName" -}}
{{ .Release.Namespace }}-{{ include "provost.name" . }}
{{- end }}

{{- define "provost.subject" -}}
- {kind: ServiceAccount, name: {{ include "provost.serviceAccount" . }}, namespace: {{ .Release.Namespace }}}
{{- end }}

{{- /* What it may do in a namespace that it serves, and nothing else. */ -}}
{{- define "provost.rules" -}}
- apiGroups: [provost.dev]
  resources: [identities, groups, accesspolicies, targetapplications]
  verbs: [get, list, watch]
- apiGroups: [provost.dev]
  resources: [identities/status, groups/status, accesspolicies/status, targetapplications/status]
  verbs: [patch]
# The finalizer of a TargetApplication; the operator never changes a spec.
- apiGroups: [provost.dev]
  resources: [targetapplications]
  verbs: [patch]
# One at a time, when it is used, and only where its annotation provost.dev/allowed-hosts allows. Never listed.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
