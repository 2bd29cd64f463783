{{- /* What only a ClusterRole can say. */ -}}
{{- define "towpath.rules.cluster" -}}
# Whether the cluster has the Gateway API.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames: [httproutes.gateway.networking.k8s.io]
  verbs: [get]
# Its uid names the cluster, in the comments that guard databases against the wrong hands.
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
{{- end }}
