// What @azure/identity, @azure/msal-node and @microsoft/microsoft-graph-client do with the local Entra ID. The arguments are the
// folder of the packages, a file that says where everything is, and the steps. Ends with "ok", or says which step failed.
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, file, ...steps] = process.argv.slice(2);
const use = createRequire(`${modules}/`);
const identity = use("@azure/identity");
const msal = use("@azure/msal-node");
const { Client, PageIterator } = use("@microsoft/microsoft-graph-client");
const { TokenCredentialAuthenticationProvider } = use(
  "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials",
);

const at = JSON.parse(readFileSync(file, "utf-8"));
const scopes = ["https://graph.microsoft.com/.default"];
const options = { authorityHost: at.authority, disableInstanceDiscovery: true };
const authority = `${at.authority}/${at.tenant}`;
const knownAuthorities = [new URL(at.authority).host];
const own = (value = at.secret) => new identity.ClientSecretCredential(at.tenant, at.client, value, options);

async function signsIn(credential) {
  assert.equal((await credential.getToken(scopes)).token.split(".").length, 3);
}

async function signsInWithMsal(given) {
  const auth = { clientId: at.client, authority, knownAuthorities, ...given };
  const result = await new msal.ConfidentialClientApplication({ auth }).acquireTokenByClientCredential({ scopes });
  assert.equal(result.accessToken.split(".").length, 3);
}

const graph = () => {
  const authProvider = new TokenCredentialAuthenticationProvider(own(), { scopes });
  const customHosts = new Set([new URL(at.authority).hostname]);
  return Client.initWithMiddleware({ authProvider, baseUrl: `${at.authority}/`, customHosts });
};

const all = {
  async secret() {
    await signsIn(own());
    await signsInWithMsal({ clientSecret: at.secret });
    await assert.rejects(own("wrong").getToken(scopes), /AADSTS7000215/);
    await assert.rejects(signsInWithMsal({ clientSecret: "wrong" }), /7000215/);
  },

  async certificate() {
    const pem = readFileSync(at.certificate, "utf-8");
    const privateKey = pem.slice(0, pem.indexOf("-----BEGIN CERTIFICATE"));
    const x5c = pem.slice(privateKey.length);
    const thumbprintSha256 = createHash("sha256").update(new X509Certificate(x5c).raw).digest("hex");
    for (const sendCertificateChain of [false, true]) {
      const more = { ...options, sendCertificateChain };
      await signsIn(new identity.ClientCertificateCredential(at.tenant, at.client, { certificate: pem }, more));
    }
    await signsInWithMsal({ clientCertificate: { thumbprintSha256, privateKey } });
    await signsInWithMsal({ clientCertificate: { thumbprintSha256, privateKey, x5c } });
  },

  async federated() {
    const assertion = readFileSync(at.tokenFile, "utf-8");
    await signsIn(new identity.ClientAssertionCredential(at.tenant, at.client, async () => assertion, options));
    const names = { tenantId: at.tenant, clientId: at.client, tokenFilePath: at.tokenFile };
    await signsIn(new identity.WorkloadIdentityCredential({ ...names, ...options }));
    await signsInWithMsal({ clientAssertion: assertion });
    await assert.rejects(signsInWithMsal({ clientAssertion: `${assertion}x` }), /AADSTS/);
  },

  async device() {
    const userPromptCallback = async ({ userCode }) => {
      const body = JSON.stringify({ user_code: userCode, user: at.user });
      const answer = await fetch(`${at.admin}/devices`, { method: "POST", body });
      assert.ok(answer.ok, await answer.text());
    };
    const { tenant: tenantId, cli: clientId } = at;
    await signsIn(new identity.DeviceCodeCredential({ ...options, tenantId, clientId, userPromptCallback }));
  },

  async passwords() {
    const client = graph();
    const made = await client.api("/applications").post({ displayName: "made by Node" });
    const one = `/applications/${made.id}`;
    const added = await client.api(`${one}/addPassword`).post({ passwordCredential: { displayName: "first" } });
    assert.ok(added.secretText.startsWith(added.hint));
    const shown = await client.api(one).select("passwordCredentials").get();
    assert.deepEqual(shown.passwordCredentials.map((held) => [held.keyId, held.secretText]), [[added.keyId, null]]);
    await client.api(`${one}/removePassword`).post({ keyId: added.keyId });
    assert.deepEqual((await client.api(one).get()).passwordCredentials, []);
    const again = client.api(`${one}/removePassword`).post({ keyId: added.keyId });
    await assert.rejects(again, (refusal) => refusal.statusCode === 400);
    await client.api(one).delete();
    await assert.rejects(client.api(one).get(), (refusal) => refusal.code === "Request_ResourceNotFound");
  },

  async pages() {
    const client = graph();
    for (const number of [1, 2, 3, 4, 5]) await client.api("/applications").post({ displayName: `paged ${number}` });
    const names = [];
    const first = await client.api("/applications").filter("startsWith(displayName,'paged')").top(2).get();
    assert.ok(first["@odata.nextLink"]);
    await new PageIterator(client, first, (item) => names.push(item.displayName)).iterate();
    assert.deepEqual(names.sort(), ["paged 1", "paged 2", "paged 3", "paged 4", "paged 5"]);
  },

  async delta() {
    const client = graph();
    const changes = async (address) => {
      const ids = [];
      const iterator = new PageIterator(client, await client.api(address).get(), (item) => ids.push(item.id));
      await iterator.iterate();
      return [ids, iterator.getDeltaLink()];
    };
    const [, link] = await changes("/applications/delta");
    const made = await client.api("/applications").post({ displayName: "changed" });
    const [ids, next] = await changes(link);
    assert.deepEqual(ids, [made.id]);
    await client.api(`/applications/${made.id}`).delete();
    assert.deepEqual((await changes(next))[0], [made.id]);
  },
};

for (const step of steps) {
  await all[step]().catch((error) => {
    throw new Error(`${step}: ${error}`, { cause: error });
  });
}
console.log("ok");
