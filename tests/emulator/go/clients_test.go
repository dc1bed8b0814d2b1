// Package clients is what programs in Go do with the local Entra ID: azidentity and msgraph-sdk-go, unmodified.
package clients

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/uuid"
	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	azureauth "github.com/microsoft/kiota-authentication-azure-go"
	kiotahttp "github.com/microsoft/kiota-http-go"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/applications"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
)

const scope = "https://graph.microsoft.com/.default"

var background = context.Background()

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func signsIn(t *testing.T, credential azcore.TokenCredential) {
	t.Helper()
	token := must(credential.GetToken(background, policy.TokenRequestOptions{Scopes: []string{scope}}))(t)
	if strings.Count(token.Token, ".") != 2 {
		t.Fatal("this is no token")
	}
}

func secret(t *testing.T, value string) azcore.TokenCredential {
	return must(azidentity.NewClientSecretCredential(os.Getenv("TENANT"), os.Getenv("CLIENT"), value, nil))(t)
}

func TestClientSecret(t *testing.T) {
	signsIn(t, secret(t, os.Getenv("SECRET")))
	_, err := secret(t, "wrong").GetToken(background, policy.TokenRequestOptions{Scopes: []string{scope}})
	if err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Fatal(err)
	}
}

func TestCertificate(t *testing.T) {
	pem := must(os.ReadFile(os.Getenv("CERTIFICATE")))(t)
	chain, key, err := azidentity.ParseCertificates(pem, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, send := range []bool{false, true} {
		options := azidentity.ClientCertificateCredentialOptions{SendCertificateChain: send}
		signsIn(t, must(azidentity.NewClientCertificateCredential(os.Getenv("TENANT"), os.Getenv("CLIENT"), chain, key, &options))(t))
	}
}

func TestWorkloadIdentity(t *testing.T) {
	options := azidentity.WorkloadIdentityCredentialOptions{
		TenantID: os.Getenv("TENANT"), ClientID: os.Getenv("CLIENT"), TokenFilePath: os.Getenv("TOKEN_FILE"),
	}
	signsIn(t, must(azidentity.NewWorkloadIdentityCredential(&options))(t))
}

// The SDK's root package does this, and would have all of Graph compiled.
func init() {
	abstractions.RegisterDefaultSerializer(func() serialization.SerializationWriterFactory {
		return kiotajson.NewJsonSerializationWriterFactory()
	})
	abstractions.RegisterDefaultDeserializer(func() serialization.ParseNodeFactory {
		return kiotajson.NewJsonParseNodeFactory()
	})
}

func TestApplications(t *testing.T) {
	provider := must(azureauth.NewAzureIdentityAuthenticationProviderWithScopes(secret(t, os.Getenv("SECRET")), []string{scope}))(t)
	adapter := must(kiotahttp.NewNetHttpRequestAdapter(provider))(t)
	adapter.SetBaseUrl("https://graph.microsoft.com/v1.0")
	all := applications.NewApplicationsRequestBuilderInternal(map[string]string{"baseurl": adapter.GetBaseUrl()}, adapter)

	name, secretName := "made by Go", "first"
	wanted := models.NewApplication()
	wanted.SetDisplayName(&name)
	made := must(all.Post(background, wanted, nil))(t)
	one := all.ByApplicationId(*made.GetId())

	credential := models.NewPasswordCredential()
	credential.SetDisplayName(&secretName)
	body := applications.NewItemAddPasswordPostRequestBody()
	body.SetPasswordCredential(credential)
	added := must(one.AddPassword().Post(background, body, nil))(t)
	if !strings.HasPrefix(*added.GetSecretText(), *added.GetHint()) {
		t.Fatal("the hint is not the beginning of the secret")
	}
	held := must(one.Get(background, nil))(t).GetPasswordCredentials()
	if len(held) != 1 || *held[0].GetKeyId() != *added.GetKeyId() || held[0].GetSecretText() != nil {
		t.Fatal("reads do not show the secret without its value")
	}

	removal := applications.NewItemRemovePasswordPostRequestBody()
	removal.SetKeyId(added.GetKeyId())
	if err := one.RemovePassword().Post(background, removal, nil); err != nil {
		t.Fatal(err)
	}
	unknown := uuid.New()
	removal.SetKeyId(&unknown)
	refusal, found := one.RemovePassword().Post(background, removal, nil).(*odataerrors.ODataError)
	if !found || refusal.ResponseStatusCode != 400 {
		t.Fatal("an unknown key id is not refused with 400")
	}

	filter := "displayName eq 'made by Go'"
	query := applications.ApplicationsRequestBuilderGetQueryParameters{Filter: &filter}
	page := must(all.Get(background, &applications.ApplicationsRequestBuilderGetRequestConfiguration{QueryParameters: &query}))(t)
	if len(page.GetValue()) != 1 {
		t.Fatal("the list does not have it once")
	}
	if err := one.Delete(background, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Get(background, nil); err == nil {
		t.Fatal("it is there after its deletion")
	}
}
