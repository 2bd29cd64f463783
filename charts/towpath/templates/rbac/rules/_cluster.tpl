{{- /* What only a ClusterRole can say. */ -}}
{{- define "towpath.rules.cluster" -}}
# When the Gateway API comes or goes. A watch of one name falls under `resourceNames`; without it, as with
# `watchNamespaces`, the controller asks from time to time.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames: [httproutes.gateway.networking.k8s.io]
  verbs: [list, watch]
# Its uid names the cluster, in the comments that guard databases against the wrong hands.
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
{{- end }}
