{{- define "keyturn.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "keyturn.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "keyturn.labels" -}}
{{ include "keyturn.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "keyturn.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "keyturn.name" .) .Values.serviceAccount.name }}{{ else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "keyturn.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{- define "keyturn.postgresql" -}}
{{- if eq .Values.database.type "postgresql" }}true{{ end }}
{{- end }}

{{/* The secrets that are mounted as files: a map of variables to {secretName, key}. */}}
{{- define "keyturn.secrets" -}}
{{- $secrets := deepCopy .Values.secretSettings }}
{{- if include "keyturn.postgresql" . }}
{{- $_ := set $secrets "DB_CONNECTION_URI" (dict "secretName" .Values.database.existingSecret "key" .Values.database.existingSecretKey) }}
{{- end }}
{{- with .Values.encryptionKey.existingSecret }}
{{- $_ := set $secrets "ENCRYPTION_KEY" (dict "secretName" . "key" $.Values.encryptionKey.existingSecretKey) }}
{{- end }}
{{- toYaml $secrets }}
{{- end }}

{{/* A container; arguments: root, name, args, resources and settings (or nothing), serves (the main port), probes, backups (their volume). */}}
{{- define "keyturn.container" -}}
{{- $secrets := include "keyturn.secrets" .root | fromYaml -}}
name: {{ .name }}
image: {{ include "keyturn.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ toJson .args }}
env:
  - {name: HOST, value: 0.0.0.0}
  - {name: PORT, value: "8080"}
  - {name: KEYTURN_HEALTH_PORT, value: "8081"}
  - {name: KEYTURN_DATA_DIR, value: /data}
  {{- with .root.Values.siteUrl }}
  - {name: SITE_URL, value: {{ . | quote }}}
  {{- end }}
  {{- range $name, $value := .root.Values.settings }}
  - {name: {{ $name }}, value: {{ if kindIs "string" $value }}{{ $value | quote }}{{ else }}{{ $value | toJson | quote }}{{ end }}}
  {{- end }}
  {{- range $name, $value := .settings }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
  {{- if .root.Values.trust.configMap }}
  - {name: KEYTURN_CA_FILE, value: /run/trust/ca.pem}
  {{- end }}
  {{- range $name, $_ := $secrets }}
  - {name: {{ $name }}_FILE, value: /run/secrets/keyturn/{{ $name }}}
  {{- end }}
{{- if .probes }}
ports:
  {{- if .serves }}
  - {name: http, containerPort: 8080}
  {{- end }}
  - {name: health, containerPort: 8081}
startupProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 5
  timeoutSeconds: 3
# Those who route requests learn of the end before it comes.
lifecycle:
  preStop:
    sleep: {seconds: 5}
{{- end }}
{{- with .resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  privileged: false
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: tmp, mountPath: /tmp}
  {{- if .backups }}
  - {name: backups, mountPath: /backups}
  {{- end }}
  {{- if .root.Values.trust.configMap }}
  - {name: trust, mountPath: /run/trust, readOnly: true}
  {{- end }}
  {{- if $secrets }}
  - {name: secrets, mountPath: /run/secrets/keyturn, readOnly: true}
  {{- end }}
{{- end }}

{{/* What all pods share; arguments: root, part, container (YAML), ephemeral, account, backups (their volume). */}}
{{- define "keyturn.pod" -}}
{{- $root := .root }}
{{- $secrets := include "keyturn.secrets" $root | fromYaml -}}
serviceAccountName: {{ .account | default (include "keyturn.serviceAccount" $root) }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 30
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .part }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "keyturn.selector" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .part }}
{{- end }}
containers:
  - {{- .container | nindent 4 }}
volumes:
  {{- if .ephemeral }}
  - name: data
    emptyDir: {sizeLimit: 64Mi}
  {{- end }}
  - name: tmp
    emptyDir: {medium: Memory, sizeLimit: 64Mi}
  {{- if .backups }}
  - name: backups
    persistentVolumeClaim:
      claimName: {{ default (printf "%s-backups" (include "keyturn.name" $root)) $root.Values.backups.existingClaim }}
  {{- end }}
  {{- with $root.Values.trust.configMap }}
  - name: trust
    configMap:
      name: {{ . }}
      items: [{key: {{ $root.Values.trust.key | quote }}, path: ca.pem}]
  {{- end }}
  {{- if $secrets }}
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- range $name, $from := $secrets }}
        - secret:
            name: {{ $from.secretName }}
            items: [{key: {{ $from.key | quote }}, path: {{ $name }}}]
        {{- end }}
  {{- end }}
{{- end }}

{{- define "keyturn.podMeta" -}}
labels:
  {{- include "keyturn.selector" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .part }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
