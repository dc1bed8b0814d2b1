// What the unmodified Node SDK does with folders and secrets, one step after the other. Ends with "ok", or says which step failed.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [modules, siteUrl, clientId, clientSecret, projectId] = process.argv.slice(2);
const { InfisicalSDK } = createRequire(`${modules}/`)("@infisical/sdk");

const sdk = new InfisicalSDK({ siteUrl });
await sdk.auth().universalAuth.login({ clientId, clientSecret });

const folder = await sdk.folders().create({ name: "node", path: "/", projectId, environment: "dev" });
assert.equal(folder.path, "/node");
assert.deepEqual((await sdk.folders().listFolders({ projectId, environment: "dev", path: "/" })).map((one) => one.name), ["node"]);

const at = { projectId, environment: "dev", secretPath: "/node" };
const secrets = sdk.secrets();
const { secret: made } = await secrets.createSecret("A B+C", { ...at, secretValue: " kept\n", secretComment: "why" });
assert.equal(made.secretValue, " kept\n");
await secrets.createSecret("ONE", { ...at, secretValue: "1" });
await secrets.createSecret("REFERENCE", { ...at, secretValue: "${ONE}" });
const got = await secrets.getSecret({ ...at, secretName: "A B+C" });
assert.deepEqual([got.secretValue, got.version, got.secretComment], [" kept\n", 1, "why"]);
const { secret: changed } = await secrets.updateSecret("A B+C", { ...at, secretValue: "new", newSecretName: "RENAMED" });
assert.deepEqual([changed.secretKey, changed.version], ["RENAMED", 2]);
const listed = (await secrets.listSecrets(at)).secrets.map((one) => [one.secretKey, one.secretValue]);
assert.deepEqual(listed, [["ONE", "1"], ["REFERENCE", "1"], ["RENAMED", "new"]]);

// Imported ones count only where the folder has none of the same name.
await secrets.createSecret("ONE", { projectId, environment: "prod", secretValue: "of prod" });
await secrets.createSecret("ONLY_THERE", { projectId, environment: "prod", secretValue: "there" });
const headers = { authorization: `Bearer ${sdk.auth().getAccessToken()}`, "content-type": "application/json" };
const body = { projectId, environment: "dev", path: "/node", import: { environment: "prod", path: "/" } };
const answer = await fetch(`${siteUrl}/api/v1/secret-imports`, { method: "POST", headers, body: JSON.stringify(body) });
assert.equal(answer.status, 200);
const all = await secrets.listSecretsWithImports(at);
const values = Object.fromEntries(all.map((one) => [one.secretKey, one.secretValue]));
assert.deepEqual(values, { ONE: "1", ONLY_THERE: "there", REFERENCE: "1", RENAMED: "new" });
const imported = await secrets.getSecret({ ...at, secretName: "ONLY_THERE", includeImports: true });
assert.equal(imported.secretValue, "there");

await secrets.deleteSecret("RENAMED", at);
await assert.rejects(secrets.getSecret({ ...at, secretName: "RENAMED" }), /404|no secret/);
console.log("ok");
