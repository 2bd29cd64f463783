# Everything that a person does with this repository. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export KUBECONFIG ?= $(CURDIR)/.cluster/kubeconfig
export PATH := $(CURDIR)/.cluster/bin:$(PATH)

.PHONY: help cluster cluster-down image install package shop demo check test bench crds

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

cluster: ## Build what is missing and start the local cluster
	@cluster/up

cluster-down: ## Stop the local cluster and clean up after it
	@cluster/down

crds: ## Generate the CRDs from src/api
	@cargo run --quiet -- crds --directory crds
	@rm -f charts/towpath/resources/crds/*.yaml && cp crds/*.yaml charts/towpath/resources/crds/

check: ## Format, lints, fast tests; no cluster
	@.ci/check

test: ## Everything: check, then a real apiserver, then a real cluster
	@.ci/test

image: ## Build the controller's image and push it to REGISTRY
	@charts/image

install: image ## Image, registry and Helm chart into the current cluster
	@charts/install

package: ## The image as a tarball and the chart as a file, in dist/
	@charts/package

shop: ## Build the releases of the example app and push them to REGISTRY
	@examples/shop/build

demo: ## A release reaches an environment, four times, before your eyes
	@examples/shop/demo

bench: ## Measure, side by side with peers
	@bench/run
