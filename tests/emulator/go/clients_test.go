// Package clients is what programs in Go do with the local Entra ID: azidentity and msgraph-sdk-go, unmodified.
package clients

import (
	"context"
	"os"
	"slices"
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
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"
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

func adapter(t *testing.T) abstractions.RequestAdapter {
	provider := must(azureauth.NewAzureIdentityAuthenticationProviderWithScopes(secret(t, os.Getenv("SECRET")), []string{scope}))(t)
	adapter := must(kiotahttp.NewNetHttpRequestAdapter(provider))(t)
	adapter.SetBaseUrl("https://graph.microsoft.com/v1.0")
	return adapter
}

func TestApplications(t *testing.T) {
	adapter := adapter(t)
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

func TestServicePrincipals(t *testing.T) {
	adapter := adapter(t)
	at := map[string]string{"baseurl": adapter.GetBaseUrl()}
	all := serviceprincipals.NewServicePrincipalsRequestBuilderInternal(at, adapter)
	name, required, role := "principal by Go", true, "User.Read.All"
	wanted := models.NewApplication()
	wanted.SetDisplayName(&name)
	application := must(applications.NewApplicationsRequestBuilderInternal(at, adapter).Post(background, wanted, nil))(t)

	principal := models.NewServicePrincipal()
	principal.SetAppId(application.GetAppId())
	principal.SetTags([]string{"one", "two"})
	principal.SetAppRoleAssignmentRequired(&required)
	one := all.ByServicePrincipalId(*must(all.Post(background, principal, nil))(t).GetId())
	read := must(one.Get(background, nil))(t)
	if !slices.Equal(read.GetTags(), []string{"one", "two"}) || !*read.GetAppRoleAssignmentRequired() {
		t.Fatal("a new principal does not keep its tags, or that it needs an assignment")
	}
	change := models.NewServicePrincipal()
	change.SetTags([]string{"three"})
	must(one.Patch(background, change, nil))(t)
	if read = must(one.Get(background, nil))(t); read.GetTags()[0] != "three" || !*read.GetAppRoleAssignmentRequired() {
		t.Fatal("a change of the tags is not read back, or changes more")
	}

	filter := "appId eq '00000003-0000-0000-c000-000000000000'"
	query := serviceprincipals.ServicePrincipalsRequestBuilderGetQueryParameters{Filter: &filter}
	page := must(all.Get(background, &serviceprincipals.ServicePrincipalsRequestBuilderGetRequestConfiguration{QueryParameters: &query}))(t)
	graph := page.GetValue()[0]
	known := slices.IndexFunc(graph.GetAppRoles(), func(each models.AppRoleable) bool { return *each.GetValue() == role })
	if known < 0 {
		t.Fatal("Graph's own principal does not declare " + role)
	}
	assignment := models.NewAppRoleAssignment()
	assignment.SetPrincipalId(parsed(t, *read.GetId()))
	assignment.SetResourceId(parsed(t, *graph.GetId()))
	assignment.SetAppRoleId(graph.GetAppRoles()[known].GetId())
	added := must(one.AppRoleAssignments().Post(background, assignment, nil))(t)
	if held := must(one.AppRoleAssignments().Get(background, nil))(t).GetValue(); len(held) != 1 || *held[0].GetId() != *added.GetId() {
		t.Fatal("the assignment is not listed")
	}
	if err := one.AppRoleAssignments().ByAppRoleAssignmentId(*added.GetId()).Delete(background, nil); err != nil {
		t.Fatal(err)
	}
	if err := one.Delete(background, nil); err != nil {
		t.Fatal(err)
	}
}

func parsed(t *testing.T, id string) *uuid.UUID {
	made := must(uuid.Parse(id))(t)
	return &made
}

// The issuer serves its keys itself, and nobody has told them to the tenant.
func TestFederatedIdentityCredentials(t *testing.T) {
	adapter := adapter(t)
	at := map[string]string{"baseurl": adapter.GetBaseUrl()}
	all := applications.NewApplicationsRequestBuilderInternal(at, adapter)
	name, issuer, subject := "cluster", os.Getenv("ISSUER"), os.Getenv("SUBJECT")
	wanted := models.NewApplication()
	wanted.SetDisplayName(&name)
	application := must(all.Post(background, wanted, nil))(t)
	principal := models.NewServicePrincipal()
	principal.SetAppId(application.GetAppId())
	must(serviceprincipals.NewServicePrincipalsRequestBuilderInternal(at, adapter).Post(background, principal, nil))(t)

	credential := models.NewFederatedIdentityCredential()
	credential.SetName(&name)
	credential.SetIssuer(&issuer)
	credential.SetSubject(&subject)
	credential.SetAudiences([]string{"api://AzureADTokenExchange"})
	credentials := all.ByApplicationId(*application.GetId()).FederatedIdentityCredentials()
	added := must(credentials.Post(background, credential, nil))(t)
	signsIn(t, assertion(t, *application.GetAppId()))
	if err := credentials.ByFederatedIdentityCredentialId(*added.GetId()).Delete(background, nil); err != nil {
		t.Fatal(err)
	}
	_, err := assertion(t, *application.GetAppId()).GetToken(background, policy.TokenRequestOptions{Scopes: []string{scope}})
	if err == nil || !strings.Contains(err.Error(), "AADSTS70") {
		t.Fatal(err)
	}
}

func assertion(t *testing.T, client string) azcore.TokenCredential {
	read := func(context.Context) (string, error) {
		content, err := os.ReadFile(os.Getenv("TOKEN_FILE"))
		return string(content), err
	}
	return must(azidentity.NewClientAssertionCredential(os.Getenv("TENANT"), client, read, nil))(t)
}
