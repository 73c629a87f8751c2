{{- /* Sets in one object what the values say; takes {root, object} and prints nothing. */ -}}
{{- define "digits.change" -}}
{{- $values := .root.Values }}
{{- $object := .object }}
{{- $_ := set $object.metadata "namespace" .root.Release.Namespace }}
{{- if eq $object.kind "Deployment" }}
{{- include "digits.deployment" . }}
{{- include "digits.pod" (dict "root" .root "pod" $object.spec.template.spec) }}
{{- else if eq $object.kind "CronJob" }}
{{- include "digits.pod" (dict "root" .root "pod" $object.spec.jobTemplate.spec.template.spec) }}
{{- else if eq $object.kind "Job" }}
{{- include "digits.pod" (dict "root" .root "pod" $object.spec.template.spec) }}
{{- else if eq $object.kind "HorizontalPodAutoscaler" }}
{{- $_ := mergeOverwrite $object.spec $values.autoscaling }}
{{- else if and (eq $object.kind "ConfigMap") (eq $object.metadata.name "digits-config") }}
{{- $_ := set $object "data" (include "digits.config" . | fromYaml) }}
{{- else if eq $object.kind "PersistentVolumeClaim" }}
{{- $_ := set $object.spec.resources.requests "storage" $values.modelVolume.size }}
{{- with $values.modelVolume.storageClassName }}{{ $_ := set $object.spec "storageClassName" . }}{{ end }}
{{- if $values.modelVolume.singleNode }}{{ $_ := set $object.spec "accessModes" (list "ReadWriteOnce") }}{{ end }}
{{- else if and (eq $object.kind "Service") $values.dualStack }}
{{- $_ := set $object.spec "ipFamilyPolicy" "PreferDualStack" }}
{{- else if and (eq $object.kind "ServiceMonitor") $values.apiKeySecret }}
{{- $credentials := dict "name" $values.apiKeySecret "key" "scrape" }}
{{- $_ := set (first $object.spec.endpoints) "authorization" (dict "type" "Bearer" "credentials" $credentials) }}
{{- else if eq $object.kind "Ingress" }}
{{- $_ := set $object.spec "ingressClassName" $values.ingress.className }}
{{- $_ := set $object.spec "tls" (list (dict "hosts" (list $values.ingress.host) "secretName" $values.ingress.tlsSecret)) }}
{{- $_ := set (first $object.spec.rules) "host" $values.ingress.host }}
{{- else if eq $object.kind "Gateway" }}
{{- $_ := set $object.spec "gatewayClassName" $values.gateway.className }}
{{- $listener := first $object.spec.listeners }}
{{- $_ := set $listener "hostname" $values.gateway.host }}
{{- $_ := set (first $listener.tls.certificateRefs) "name" $values.gateway.tlsSecret }}
{{- else if eq $object.kind "HTTPRoute" }}
{{- $_ := set $object.spec "hostnames" (list $values.gateway.host) }}
{{- end }}
{{- end }}

{{- /* The settings of the service as YAML. */ -}}
{{- define "digits.config" -}}
{{- $config := dict }}
{{- range $text := splitList "\n---\n" (.root.Files.Get "files/base.yaml") }}
{{- $object := fromYaml $text }}
{{- if eq $object.metadata.name "digits-config" }}{{ $config = $object.data }}{{ end }}
{{- end }}
{{- if .root.Values.dualStack }}{{ $_ := set $config "HOST" "::" }}{{ end }}
{{- range $name, $value := .root.Values.config }}{{ $_ := set $config $name (toString $value) }}{{ end }}
{{- toYaml $config }}
{{- end }}

{{- /* The Deployment: the patches of those components that are on, and a checksum, so that new settings roll the pods. */ -}}
{{- define "digits.deployment" -}}
{{- $values := .root.Values }}
{{- $template := .object.spec.template }}
{{- $patches := list }}
{{- if $values.modelVolume.enabled }}{{ $patches = append $patches "model-volume" }}{{ end }}
{{- if $values.metrics.annotations }}{{ $patches = append $patches "prometheus-annotations" }}{{ end }}
{{- if $values.apiKeySecret }}{{ $patches = append $patches "api-key" }}{{ end }}
{{- range $name := $patches }}
{{- $patch := ($.root.Files.Get (printf "files/patch-%s.yaml" $name) | fromYaml).spec.template }}
{{- with $patch.metadata }}{{ $_ := mergeOverwrite $template.metadata . }}{{ end }}
{{- with $patch.spec }}
{{- range $list := list "initContainers" "volumes" }}
{{- $both := concat (get $template.spec $list | default list) (get $patch.spec $list | default list) }}
{{- if $both }}{{ $_ := set $template.spec $list $both }}{{ end }}
{{- end }}
{{- $container := first $template.spec.containers }}
{{- range $list := list "env" "volumeMounts" }}
{{- $both := concat (get $container $list | default list) (get (first $patch.spec.containers) $list | default list) }}
{{- if $both }}{{ $_ := set $container $list $both }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- range $volume := $template.spec.volumes }}
{{- if eq $volume.name "api-key" }}{{ $_ := set $volume.secret "secretName" $values.apiKeySecret }}{{ end }}
{{- end }}
{{- if and $values.modelVolume.enabled $values.modelVolume.singleNode }}{{ $_ := unset $template.spec "topologySpreadConstraints" }}{{ end }}
{{- $_ := set $template.metadata.annotations "checksum/config" (include "digits.config" . | sha256sum) }}
{{- end }}

{{- /* A pod: where its images are, on which node it runs, and as which user; takes {root, pod}. */ -}}
{{- define "digits.pod" -}}
{{- $values := .root.Values }}
{{- $root := .root }}
{{- range $container := concat (.pod.initContainers | default list) .pod.containers }}
{{- $image := eq $container.image "digits-trainer" | ternary $values.trainer.image $values.image }}
{{- $version := $image.digest | empty | ternary (printf ":%s" ($image.tag | default $root.Chart.AppVersion)) (printf "@%s" $image.digest) }}
{{- $_ := set $container "image" (printf "%s%s" $image.repository $version) }}
{{- end }}
{{- if and $values.modelVolume.enabled $values.modelVolume.singleNode }}
{{- $service := dict "app.kubernetes.io/name" "digits" "app.kubernetes.io/component" "service" }}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" $service) }}
{{- $_ := set .pod "affinity" (dict "podAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list $term))) }}
{{- end }}
{{- if $values.openshift }}
{{- range $name := list "runAsUser" "runAsGroup" "fsGroup" }}{{ $_ := unset $.pod.securityContext $name }}{{ end }}
{{- end }}
{{- end }}
