package terraform

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/go-azure-sdk/sdk/auth"
	"github.com/hashicorp/go-azure-sdk/sdk/client"
	"github.com/hashicorp/go-azure-sdk/sdk/client/msgraph"
	"github.com/hashicorp/go-azure-sdk/sdk/environments"
)

// What the provider of today does before any resource: from its metadata host it finds where to sign in and where Graph is.
func TestMetadataHost(t *testing.T) {
	deadline, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	found, err := environments.FromEndpoint(deadline, os.Getenv("METADATA_HOST"))
	require(t, err)
	assertion, err := os.ReadFile(os.Getenv("TOKEN_FILE"))
	require(t, err)
	for name, way := range map[string]auth.Credentials{
		"client secret": {EnableAuthenticatingUsingClientSecret: true, ClientSecret: os.Getenv("SECRET")},
		"certificate": {
			EnableAuthenticatingUsingClientCertificate: true,
			ClientCertificatePath:                      os.Getenv("PFX"),
			ClientCertificatePassword:                  os.Getenv("PASSPHRASE"),
		},
		"OIDC": {EnableAuthenticationUsingOIDC: true, OIDCAssertionToken: string(assertion)},
	} {
		t.Run(name, func(t *testing.T) {
			way.Environment, way.TenantID, way.ClientID = *found, os.Getenv("TENANT"), os.Getenv("CLIENT")
			authorizer, err := auth.NewAuthorizerFromCredentials(deadline, way, found.MicrosoftGraph)
			require(t, err)
			graph, err := msgraph.NewClient(found.MicrosoftGraph, "Applications", msgraph.VersionOnePointZero)
			require(t, err)
			graph.SetAuthorizer(authorizer)
			changeUntilItIsSeen(t, deadline, graph)
		})
	}
}

// An application is made, changed by PATCH as soon as it is found, read until every replica knows the change, and deleted.
func changeUntilItIsSeen(t *testing.T, deadline context.Context, graph *msgraph.Client) {
	made := send(t, deadline, graph, http.MethodPost, "/applications", map[string]any{"displayName": "made by metadata"})
	one := "/applications/" + made["id"].(string)
	send(t, deadline, graph, http.MethodPatch, one, map[string]any{"notes": "changed", "web": map[string]any{"homePageUrl": nil}})
	for seen := 0; seen < 10; {
		seen++
		if read := send(t, deadline, graph, http.MethodGet, one, nil); read["notes"] != "changed" {
			seen = 0
		}
	}
	send(t, deadline, graph, http.MethodDelete, one, nil)
}

// A request as the provider sends it: what is not found yet is asked for again, and later and later.
func send(t *testing.T, deadline context.Context, graph *msgraph.Client, method, path string, body any) map[string]any {
	t.Helper()
	request, err := graph.NewRequest(deadline, client.RequestOptions{
		ContentType: "application/json; charset=utf-8", HttpMethod: method, Path: path,
		ExpectedStatusCodes: []int{http.StatusOK, http.StatusCreated, http.StatusNoContent},
		RetryFunc:           client.RetryOn404ConsistencyFailureFunc,
	})
	require(t, err)
	if body != nil {
		require(t, request.Marshal(body))
	}
	request.RetryFunc = client.RetryOn404ConsistencyFailureFunc
	response, err := request.Execute(deadline)
	require(t, err)
	answer := map[string]any{}
	if response.StatusCode != http.StatusNoContent {
		require(t, response.Unmarshal(&answer))
	}
	return answer
}
