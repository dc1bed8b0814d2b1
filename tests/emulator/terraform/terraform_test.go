// Package terraform does what the provider azuread does for its resources, through the SDK that it was built on, unmodified:
// create, read until it is there, change by PATCH, read with $select until every replica shows it, remove.
package terraform

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/manicminer/hamilton/auth"
	"github.com/manicminer/hamilton/environments"
	"github.com/manicminer/hamilton/msgraph"
	"github.com/manicminer/hamilton/odata"
)

var background = context.Background()

func text(value string) *string { return &value }

func require(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Reads until every replica shows what was written: thirty times one after the other, as replicas differ.
func eventually(t *testing.T, otherwise string, seen func() bool) {
	t.Helper()
	until := time.Now().Add(30 * time.Second)
	for times := 0; times < 30; times++ {
		if !seen() {
			times = 0
		}
		if time.Now().After(until) {
			t.Fatal(otherwise)
		}
	}
}

func authorizer(t *testing.T) auth.Authorizer {
	config := auth.Config{
		Environment: environments.Global, Version: auth.TokenVersion2, TenantID: os.Getenv("TENANT"),
		ClientID: os.Getenv("CLIENT"), ClientSecret: os.Getenv("SECRET"), EnableClientSecretAuth: true,
	}
	made, err := config.NewAuthorizer(background, environments.Global.MsGraph)
	require(t, err)
	return made
}

func applications(t *testing.T) *msgraph.ApplicationsClient {
	client := msgraph.NewApplicationsClient(os.Getenv("TENANT"))
	client.BaseClient.ApiVersion = msgraph.Version10
	client.BaseClient.Authorizer = authorizer(t)
	return client
}

// An application that every replica knows, and that is removed at the end of the test.
func application(t *testing.T, client *msgraph.ApplicationsClient) *msgraph.Application {
	made, _, err := client.Create(background, msgraph.Application{DisplayName: text("made by the provider")})
	require(t, err)
	eventually(t, "it is never found", func() bool {
		_, _, err := client.Get(background, *made.ID, odata.Query{})
		return err == nil
	})
	t.Cleanup(func() {
		_, err := client.Delete(background, *made.ID)
		require(t, err)
		client.BaseClient.DisableRetries = true // else it waits for the object to appear
		if _, status, _ := client.Get(background, *made.ID, odata.Query{}); status != http.StatusNotFound {
			t.Fatal("it is there after its deletion")
		}
	})
	return made
}

func TestApplication(t *testing.T) {
	client := applications(t)
	made := application(t, client)
	uris := []string{"https://app.example/callback"}
	change := msgraph.Application{Web: &msgraph.ApplicationWeb{RedirectUris: &uris}, DisplayName: text("renamed")}
	change.DirectoryObject = made.DirectoryObject
	_, err := client.Update(background, change)
	require(t, err)
	eventually(t, "the change is not read back", func() bool {
		read, _, err := client.Get(background, *made.ID, odata.Query{})
		require(t, err)
		return *read.DisplayName == "renamed" && (*read.Web.RedirectUris)[0] == uris[0]
	})
}

func TestApplicationPassword(t *testing.T) {
	client := applications(t)
	made := application(t, client)
	added, _, err := client.AddPassword(background, *made.ID, msgraph.PasswordCredential{DisplayName: text("rotated")})
	require(t, err)
	held := func(wanted int) func() bool {
		return func() bool {
			read, _, err := client.Get(background, *made.ID, odata.Query{Select: []string{"id", "passwordCredentials"}})
			require(t, err)
			keys := *read.PasswordCredentials
			return len(keys) == wanted && (wanted == 0 || *keys[0].KeyId == *added.KeyId)
		}
	}
	eventually(t, "the provider would wait for its secret for ever", held(1))
	_, err = client.RemovePassword(background, *made.ID, *added.KeyId)
	require(t, err)
	eventually(t, "the secret is there after its removal", held(0))
}

func TestApplicationCertificate(t *testing.T) {
	content, err := os.ReadFile(os.Getenv("CERTIFICATE"))
	require(t, err)
	var der []byte
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			der = block.Bytes
		}
	}
	client := applications(t)
	made := application(t, client)
	keyID := "0f9e2c1a-8a3f-4f0e-9d4b-3b1f6f5b7a10" // the provider chooses it, and polls until it appears
	keys := []msgraph.KeyCredential{{
		KeyId: &keyID, Type: msgraph.KeyCredentialTypeAsymmetricX509Cert, Usage: msgraph.KeyCredentialUsageVerify,
		Key: text(base64.StdEncoding.EncodeToString(der)),
	}}
	change := msgraph.Application{KeyCredentials: &keys}
	change.DirectoryObject = made.DirectoryObject
	_, err = client.Update(background, change)
	require(t, err)
	eventually(t, "the key has not the id that was sent", func() bool {
		read, _, err := client.Get(background, *made.ID, odata.Query{})
		require(t, err)
		return len(*read.KeyCredentials) == 1 && *(*read.KeyCredentials)[0].KeyId == keyID
	})
}

func TestFederatedIdentityCredential(t *testing.T) {
	client := applications(t)
	made := application(t, client)
	wanted := msgraph.FederatedIdentityCredential{
		Name: text("ci-job"), Issuer: text("https://ci.example"), Subject: text("repo:a"),
		Audiences: &[]string{"api://AzureADTokenExchange"},
	}
	added, _, err := client.CreateFederatedIdentityCredential(background, *made.ID, wanted)
	require(t, err)
	eventually(t, "the provider would wait for its credential for ever", func() bool {
		_, _, err := client.GetFederatedIdentityCredential(background, *made.ID, *added.ID, odata.Query{})
		return err == nil
	})
	added.Subject = text("repo:b")
	added.Name = nil // it cannot be changed
	_, err = client.UpdateFederatedIdentityCredential(background, *made.ID, *added)
	require(t, err)
	eventually(t, "the change is not read back", func() bool {
		read, _, err := client.GetFederatedIdentityCredential(background, *made.ID, *added.ID, odata.Query{})
		require(t, err)
		return *read.Subject == "repo:b"
	})
	_, err = client.DeleteFederatedIdentityCredential(background, *made.ID, *added.ID)
	require(t, err)
}

func TestServicePrincipal(t *testing.T) {
	made := application(t, applications(t))
	client := msgraph.NewServicePrincipalsClient(os.Getenv("TENANT"))
	client.BaseClient.ApiVersion = msgraph.Version10
	client.BaseClient.Authorizer = authorizer(t)
	added, _, err := client.Create(background, msgraph.ServicePrincipal{AppId: made.AppId})
	require(t, err)
	required := true
	change := msgraph.ServicePrincipal{AppRoleAssignmentRequired: &required}
	change.DirectoryObject = added.DirectoryObject
	_, err = client.Update(background, change) // the provider always does so after a create
	require(t, err)
	eventually(t, "the change is not read back", func() bool {
		read, _, err := client.Get(background, *added.ID, odata.Query{})
		require(t, err)
		return *read.AppRoleAssignmentRequired
	})
	_, err = client.Delete(background, *added.ID)
	require(t, err)
}
