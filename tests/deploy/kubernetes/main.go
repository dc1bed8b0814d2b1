// Reads Kubernetes objects as YAML from standard input: by the types of Kubernetes, or by the definitions of custom resources in
// the files of its arguments, as the API server does. What they do not know is a fault.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"sigs.k8s.io/yaml"
)

var kinds = map[string]func() any{
	"v1/Service":                         func() any { return &corev1.Service{} },
	"v1/ServiceAccount":                  func() any { return &corev1.ServiceAccount{} },
	"apps/v1/Deployment":                 func() any { return &appsv1.Deployment{} },
	"apps/v1/StatefulSet":                func() any { return &appsv1.StatefulSet{} },
	"batch/v1/Job":                       func() any { return &batchv1.Job{} },
	"batch/v1/CronJob":                   func() any { return &batchv1.CronJob{} },
	"v1/PersistentVolumeClaim":           func() any { return &corev1.PersistentVolumeClaim{} },
	"networking.k8s.io/v1/Ingress":       func() any { return &networkingv1.Ingress{} },
	"networking.k8s.io/v1/NetworkPolicy": func() any { return &networkingv1.NetworkPolicy{} },
	"policy/v1/PodDisruptionBudget":      func() any { return &policyv1.PodDisruptionBudget{} },
}

// A custom resource: what is wrong with its values, and what of it the API server would not keep.
type custom struct {
	validator validation.SchemaValidator
	structure *structuralschema.Structural
}

func (kind custom) read(document []byte) error {
	var object map[string]any
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		return err
	}
	faults := []error{}
	for _, fault := range validation.ValidateCustomResource(nil, object, kind.validator) {
		faults = append(faults, fault)
	}
	options := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(object, kind.structure, true, options) {
		faults = append(faults, fmt.Errorf("unknown field %s", path))
	}
	return errors.Join(faults...)
}

// Reads a file of definitions; they are found by group, version and kind.
func defined(path string, found map[string]custom) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(document, &definition); err != nil {
			return err
		}
		for _, version := range definition.Spec.Versions {
			var schema apiextensions.JSONSchemaProps
			if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
				version.Schema.OpenAPIV3Schema, &schema, nil); err != nil {
				return err
			}
			validator, _, err := validation.NewSchemaValidator(&schema)
			if err != nil {
				return err
			}
			structure, err := structuralschema.NewStructural(&schema)
			if err != nil {
				return err
			}
			name := definition.Spec.Group + "/" + version.Name + "/" + definition.Spec.Names.Kind
			found[name] = custom{validator, structure}
		}
	}
	return nil
}

func read(document []byte, customs map[string]custom) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return err
	}
	name := head.APIVersion + "/" + head.Kind
	if kind, known := customs[name]; known {
		if err := kind.read(document); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	made, known := kinds[name]
	if !known {
		return fmt.Errorf("%s: no such kind", name)
	}
	if err := yaml.UnmarshalStrict(document, made()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	faults := []error{err}
	customs := map[string]custom{}
	for _, path := range os.Args[1:] {
		faults = append(faults, defined(path, customs))
	}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		if len(bytes.TrimSpace(document)) > 0 {
			faults = append(faults, read(document, customs))
		}
	}
	if err := errors.Join(faults...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
