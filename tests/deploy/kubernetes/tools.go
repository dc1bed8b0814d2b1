//go:build tools

// What else is built from this module: helm.
package main

import _ "helm.sh/helm/v3/cmd/helm"
