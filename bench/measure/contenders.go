package main

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Contender is one object of one controller, changed again and again.
type Contender struct {
	name   string
	path   string // of the object, at the apiserver
	change string // what is changed, for people
	// The fields of a change, the number of which is new every time.
	fields func(image string, number int) []Field
	cause  Match  // the write that the change causes
	before *Match // what must be answered before that write is sent
	// Whether the controller has done all that the change asks for.
	settled func(Live) bool
}

// Match is a kind of request.
type Match struct {
	user, verb, resource, namespace string
}

func (m Match) fits(event Event) bool {
	return event.User.Name == m.user && event.Verb == m.verb && event.resource() == m.resource &&
		event.Object.Namespace == m.namespace && event.Response.Code < 300
}

func (m Match) String() string { return fmt.Sprintf("%s %s by %s", m.verb, m.resource, m.user) }

const (
	native        = "Deployment controller"
	rollouts      = "Argo Rollouts"
	rolloutsFast  = "Argo Rollouts, raised"
	ours          = "Towpath"
	oursNamespace = prefix + "towpath"

	container = "/spec/template/spec/containers/0"
)

func contenders(user string) []Contender {
	return []Contender{
		{
			name: native, change: "image of a Deployment → its new ReplicaSet",
			path:    "/apis/apps/v1/namespaces/" + prefix + "native/deployments/web",
			fields:  podTemplate,
			cause:   Match{"system:serviceaccount:kube-system:deployment-controller", "create", "replicasets", prefix + "native"},
			settled: deploymentSettled,
		},
		rollout(rollouts, prefix+"rollouts", "argo-rollouts"),
		rollout(rolloutsFast, prefix+"rollouts-raised", "argo-rollouts-raised"),
		{
			name: ours, change: "`spec.release` of an Environment → its patched Deployment",
			path:    "/apis/towpath.dev/v1alpha1/namespaces/" + oursNamespace + "/environments/web",
			fields:  func(image string, _ int) []Field { return []Field{{Path: "/spec/release/image", Value: image}} },
			cause:   Match{user, "patch", "deployments", oursNamespace},
			before:  &Match{user, "create", "controllerrevisions", oursNamespace},
			settled: environmentSettled,
		},
	}
}

// podTemplate changes the image, and a variable: else going back to an image would find its ReplicaSet and make none.
func podTemplate(image string, number int) []Field {
	return []Field{
		{Path: container + "/image", Value: image},
		{Path: container + "/env/0/value", Value: strconv.Itoa(number)},
	}
}

func rollout(name, namespace, account string) Contender {
	return Contender{
		name: name, change: "image of a Rollout → its new ReplicaSet",
		path:    "/apis/argoproj.io/v1alpha1/namespaces/" + namespace + "/rollouts/web",
		fields:  podTemplate,
		cause:   Match{"system:serviceaccount:" + prefix + "system:" + account, "create", "replicasets", namespace},
		settled: rolloutSettled,
	}
}

// Live is what is read of any of the objects.
type Live struct {
	Metadata struct {
		Generation int64 `json:"generation"`
	} `json:"metadata"`
	Status struct {
		// A number, but a string of Argo Rollouts.
		ObservedGeneration json.RawMessage `json:"observedGeneration"`
		Replicas           int             `json:"replicas"`
		UpdatedReplicas    int             `json:"updatedReplicas"`
		AvailableReplicas  int             `json:"availableReplicas"`
		Phase              string          `json:"phase"`
		StableRS           string          `json:"stableRS"`
		CurrentPodHash     string          `json:"currentPodHash"`
		Conditions         []Condition     `json:"conditions"`
	} `json:"status"`
}

// Condition is one of a status.
type Condition struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	ObservedGeneration int64  `json:"observedGeneration"`
}

func (l Live) observed() bool {
	raw := string(l.Status.ObservedGeneration)
	if unquoted, err := strconv.Unquote(raw); err == nil {
		raw = unquoted
	}
	return raw == strconv.FormatInt(l.Metadata.Generation, 10)
}

func (l Live) hasOnePod() bool {
	status := l.Status
	return status.Replicas == 1 && status.UpdatedReplicas == 1 && status.AvailableReplicas == 1
}

func deploymentSettled(l Live) bool { return l.observed() && l.hasOnePod() }

func rolloutSettled(l Live) bool {
	return deploymentSettled(l) && l.Status.Phase == "Healthy" && l.Status.StableRS == l.Status.CurrentPodHash
}

func environmentSettled(l Live) bool {
	for _, condition := range l.Status.Conditions {
		if condition.Type == "Ready" {
			return l.observed() && condition.Status == "True" && condition.ObservedGeneration == l.Metadata.Generation
		}
	}
	return false
}
