import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.identity.ClientCertificateCredentialBuilder;
import com.azure.identity.ClientSecretCredentialBuilder;
import com.microsoft.aad.msal4j.ClientCredentialFactory;
import com.microsoft.aad.msal4j.ClientCredentialParameters;
import com.microsoft.aad.msal4j.ConfidentialClientApplication;
import com.microsoft.aad.msal4j.IClientCredential;
import com.microsoft.aad.msal4j.MsalServiceException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Set;
import java.util.concurrent.CompletionException;

/** What programs in Java do with the local Entra ID: azure-identity and MSAL4J, unmodified. */
public final class Clients {
  private static final String SCOPE = "https://graph.microsoft.com/.default";
  private static final String AUTHORITY = System.getenv("AUTHORITY");
  private static final String TENANT = System.getenv("TENANT");
  private static final String CLIENT = System.getenv("CLIENT");
  private static final String CERTIFICATE = System.getenv("CERTIFICATE");

  public static void main(String[] arguments) throws Exception {
    String secret = System.getenv("SECRET");
    signsIn(bySecret(secret));
    signsIn(new ClientCertificateCredentialBuilder()
        .authorityHost(AUTHORITY).disableInstanceDiscovery().tenantId(TENANT).clientId(CLIENT)
        .pemCertificate(CERTIFICATE).sendCertificateChain(true).build());
    isRefused(bySecret("wrong"), "AADSTS7000215");

    signsIn(ClientCredentialFactory.createFromSecret(secret));
    signsIn(certificate());
    isRefused(ClientCredentialFactory.createFromSecret("wrong"));

    // The secret is rotated: a new one is made and the old one is removed, while the program runs.
    String rotated = System.getenv("NEXT_SECRET");
    remove(System.getenv("SECRET_URL"));
    isRefused(bySecret(secret), "AADSTS7000215");
    isRefused(ClientCredentialFactory.createFromSecret(secret));
    signsIn(bySecret(rotated));
    signsIn(ClientCredentialFactory.createFromSecret(rotated));
    System.out.println("ok");
    System.exit(0);  // threads of the libraries wait for a minute
  }

  private static TokenCredential bySecret(String secret) {
    return new ClientSecretCredentialBuilder()
        .authorityHost(AUTHORITY).disableInstanceDiscovery().tenantId(TENANT).clientId(CLIENT)
        .clientSecret(secret).build();
  }

  private static void signsIn(TokenCredential credential) {
    String token = credential.getTokenSync(new TokenRequestContext().addScopes(SCOPE)).getToken();
    require(token.split("\\.").length == 3, "this is no token");
  }

  private static void isRefused(TokenCredential credential, String code) {
    try {
      credential.getTokenSync(new TokenRequestContext().addScopes(SCOPE));
    } catch (RuntimeException refusal) {  // the library wraps what MSAL4J throws twice
      var cause = (MsalServiceException) refusal.getCause().getCause();
      require(cause.getMessage().startsWith(code), cause.getMessage());
      return;
    }
    throw new AssertionError("a wrong secret was taken");
  }

  private static ConfidentialClientApplication application(IClientCredential credential) throws Exception {
    return ConfidentialClientApplication.builder(CLIENT, credential)
        .authority(AUTHORITY + "/" + TENANT + "/").instanceDiscovery(false).build();
  }

  private static void signsIn(IClientCredential credential) throws Exception {
    var parameters = ClientCredentialParameters.builder(Set.of(SCOPE)).build();
    var result = application(credential).acquireToken(parameters).join();
    require(result.accessToken().split("\\.").length == 3, "this is no token");
  }

  private static void isRefused(IClientCredential credential) throws Exception {
    try {
      signsIn(credential);
    } catch (CompletionException failure) {
      var refusal = (MsalServiceException) failure.getCause();
      require(refusal.errorCode().equals("invalid_client") && refusal.statusCode() == 401, refusal.toString());
      require(refusal.getMessage().contains("AADSTS7000215"), refusal.getMessage());
      return;
    }
    throw new AssertionError("a wrong secret was taken");
  }

  private static IClientCredential certificate() throws Exception {
    String pem = Files.readString(Path.of(CERTIFICATE));
    String key = pem.substring(pem.indexOf("-----BEGIN PRIVATE KEY-----"), pem.indexOf("-----END PRIVATE KEY-----"));
    byte[] encoded = Base64.getMimeDecoder().decode(key.replace("-----BEGIN PRIVATE KEY-----", ""));
    PrivateKey privateKey = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(encoded));
    try (var in = Files.newInputStream(Path.of(CERTIFICATE))) {
      in.skipNBytes(pem.indexOf("-----BEGIN CERTIFICATE-----"));
      var read = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
      return ClientCredentialFactory.createFromCertificate(privateKey, read);
    }
  }

  private static void remove(String url) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(url)).DELETE().build();
    var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    require(answer.statusCode() / 100 == 2, "the old secret was not removed: " + answer.body());
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new AssertionError(otherwise);
    }
  }
}
