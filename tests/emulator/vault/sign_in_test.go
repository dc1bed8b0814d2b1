package vault

import (
	"context"
	"os"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

func signsIn(t *testing.T, client, secret string, wanted bool) {
	t.Helper()
	credential, err := azidentity.NewClientSecretCredential(os.Getenv("TENANT"), client, secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	scopes := []string{"https://graph.microsoft.com/.default"}
	_, err = credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: scopes})
	if (err == nil) != wanted {
		t.Fatalf("signs in: %v, wanted %v: %v", err == nil, wanted, err)
	}
}
