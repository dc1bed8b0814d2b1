import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.identity.ClientAssertionCredentialBuilder;
import com.azure.identity.ClientSecretCredentialBuilder;
import com.microsoft.graph.applications.item.ApplicationItemRequestBuilder;
import com.microsoft.graph.applications.item.addpassword.AddPasswordPostRequestBody;
import com.microsoft.graph.applications.item.removepassword.RemovePasswordPostRequestBody;
import com.microsoft.graph.core.authentication.AzureIdentityAuthenticationProvider;
import com.microsoft.graph.models.Application;
import com.microsoft.graph.models.FederatedIdentityCredential;
import com.microsoft.graph.models.PasswordCredential;
import com.microsoft.graph.models.ServicePrincipal;
import com.microsoft.graph.models.odataerrors.ODataError;
import com.microsoft.graph.serviceclient.GraphServiceClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;

/** What programs in Java do with applications through msgraph-sdk-java, unmodified, and how they sign in with what they made. */
public final class Graph {
  private static final String SCOPE = "https://graph.microsoft.com/.default";
  private static final String AUTHORITY = System.getenv("AUTHORITY");
  private static final String TENANT = System.getenv("TENANT");

  public static void main(String[] arguments) throws Exception {
    var client = new GraphServiceClient(new AzureIdentityAuthenticationProvider(
        bySecret(System.getenv("CLIENT"), System.getenv("SECRET")), new String[] {"localhost"}, SCOPE));
    client.getRequestAdapter().setBaseUrl(AUTHORITY + "/v1.0");

    var wanted = new Application();
    wanted.setDisplayName("made by Java");
    var made = client.applications().post(wanted);
    var one = client.applications().byApplicationId(made.getId());
    var principal = new ServicePrincipal();
    principal.setAppId(made.getAppId());
    principal.setTags(List.of("made by Java"));
    var read = client.servicePrincipals().byServicePrincipalId(client.servicePrincipals().post(principal).getId()).get();
    require(read.getTags().equals(List.of("made by Java")), "the tags of a new principal are not read back");

    rotate(one, made.getAppId());
    federate(one, made.getAppId());

    var found = client.applications().get(query -> query.queryParameters.filter = "displayName eq 'made by Java'");
    require(found.getValue().size() == 1, "the list does not have it once");
    one.delete();
    require(refused(() -> one.get()).getResponseStatusCode() == 404, "it is there after its deletion");
    System.out.println("ok");
    System.exit(0);  // threads of the libraries wait for a minute
  }

  /** A secret is added, used, shown without its value, and removed. */
  private static void rotate(ApplicationItemRequestBuilder one, String client) {
    var credential = new PasswordCredential();
    credential.setDisplayName("first");
    var addition = new AddPasswordPostRequestBody();
    addition.setPasswordCredential(credential);
    var added = one.addPassword().post(addition);
    require(added.getSecretText().startsWith(added.getHint()), "the hint is not the beginning of the secret");
    signsIn(bySecret(client, added.getSecretText()));

    var shown = one.get(query -> query.queryParameters.select = new String[] {"passwordCredentials"});
    var held = shown.getPasswordCredentials();
    require(held.size() == 1 && held.get(0).getKeyId().equals(added.getKeyId()), "reads do not show the secret");
    require(held.get(0).getSecretText() == null, "reads show the value of the secret");

    var removal = new RemovePasswordPostRequestBody();
    removal.setKeyId(added.getKeyId());
    one.removePassword().post(removal);
    removal.setKeyId(UUID.randomUUID());
    require(refused(() -> one.removePassword().post(removal)).getResponseStatusCode() == 400, "an unknown key id is removed");
    isRefused(bySecret(client, added.getSecretText()), "AADSTS7000215");
  }

  /** The token of an issuer that serves its keys is exchanged as long as the credential is there. */
  private static void federate(ApplicationItemRequestBuilder one, String client) throws Exception {
    String assertion = Files.readString(Path.of(System.getenv("TOKEN_FILE")));
    var wanted = new FederatedIdentityCredential();
    wanted.setName("cluster");
    wanted.setIssuer(System.getenv("ISSUER"));
    wanted.setSubject(System.getenv("SUBJECT"));
    wanted.setAudiences(List.of("api://AzureADTokenExchange"));
    var added = one.federatedIdentityCredentials().post(wanted);
    signsIn(byAssertion(client, assertion));

    var change = new FederatedIdentityCredential();
    change.setSubject("another");
    var same = one.federatedIdentityCredentials().byFederatedIdentityCredentialId(added.getId());
    same.patch(change);
    require(same.get().getIssuer().equals(System.getenv("ISSUER")), "a change of the subject loses the issuer");
    isRefused(byAssertion(client, assertion), "AADSTS700213");
    same.delete();
    require(one.federatedIdentityCredentials().get().getValue().isEmpty(), "it is there after its deletion");
  }

  private static TokenCredential bySecret(String client, String secret) {
    return new ClientSecretCredentialBuilder()
        .authorityHost(AUTHORITY).disableInstanceDiscovery().tenantId(TENANT).clientId(client).clientSecret(secret).build();
  }

  private static TokenCredential byAssertion(String client, String assertion) {
    return new ClientAssertionCredentialBuilder()
        .authorityHost(AUTHORITY).disableInstanceDiscovery().tenantId(TENANT).clientId(client)
        .clientAssertion(() -> assertion).build();
  }

  private static void signsIn(TokenCredential credential) {
    String token = credential.getTokenSync(new TokenRequestContext().addScopes(SCOPE)).getToken();
    require(token.split("\\.").length == 3, "this is no token");
  }

  private static void isRefused(TokenCredential credential, String code) {
    try {
      credential.getTokenSync(new TokenRequestContext().addScopes(SCOPE));
    } catch (RuntimeException refusal) {  // the library wraps what MSAL4J throws
      Throwable cause = refusal;
      while (cause.getCause() != null) {
        cause = cause.getCause();
      }
      require(String.valueOf(cause.getMessage()).contains(code), String.valueOf(cause));
      return;
    }
    throw new AssertionError("this was taken, instead of " + code);
  }

  private static ODataError refused(Runnable request) {
    try {
      request.run();
    } catch (ODataError refusal) {
      return refusal;
    }
    throw new AssertionError("this was not refused");
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new AssertionError(otherwise);
    }
  }
}
